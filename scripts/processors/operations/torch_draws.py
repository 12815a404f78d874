"""What PyTorch's generator draws, begun afresh for each operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  # what PyTorch's users call it

from processors.operations.table import of_no_type
from processors.operations.torch_operations import tensor


def drawn(draw: Callable[[], Any]) -> Callable[[], Any]:
    """Return what the generator draws, begun afresh."""

    def run() -> Any:
        torch.manual_seed(7)
        return draw()

    return run


DRAWS = {
    "normal": drawn(lambda: [torch.randn(5003), torch.randn(7), torch.randn(503).double()]),
    "normal float64": drawn(lambda: torch.randn(5003, dtype=torch.float64)),
    "uniform": drawn(lambda: [torch.rand(5003), torch.rand(503, dtype=torch.float64)]),
    "exponential": drawn(lambda: torch.empty(5003).exponential_()),
    "exponential float64": drawn(lambda: torch.empty(5003).double().exponential_()),
    "log_normal": drawn(lambda: torch.empty(5003).log_normal_()),
    "cauchy": drawn(lambda: torch.empty(5003).cauchy_()),
    "geometric": drawn(lambda: torch.empty(5003).geometric_(0.3)),
    "gamma": drawn(lambda: torch._standard_gamma(tensor(5003) + 1.125)),
    "dirichlet": drawn(lambda: torch._sample_dirichlet(tensor(301, 7) + 1.125)),
    "poisson": drawn(lambda: torch.poisson((tensor(5003) + 1.125) * 9)),
    "binomial": drawn(lambda: torch.binomial(torch.full((5003,), 40.0), tensor(5003).abs())),
    "bernoulli": drawn(
        lambda: [torch.bernoulli(tensor(5003).abs()), torch.empty(5003).bernoulli_(0.3)]
    ),
    "multinomial": drawn(lambda: [torch.multinomial(tensor(503).abs(), 101) for _ in range(3)]),
    "multinomial replaced": drawn(lambda: torch.multinomial(tensor(503).abs(), 1001, True)),
    "integers": drawn(lambda: torch.randint(1000, (5003,))),
    "permutation": drawn(lambda: torch.randperm(1009)),
    "trunc_normal": drawn(lambda: torch.nn.init.trunc_normal_(torch.empty(5003))),
    "orthogonal": drawn(lambda: torch.nn.init.orthogonal_(torch.empty(31, 23))),
    "kaiming": drawn(lambda: torch.nn.init.kaiming_normal_(torch.empty(31, 23))),
    "dropout": drawn(lambda: F.dropout(tensor(150, 401), 0.3)),
    "rrelu": drawn(lambda: F.rrelu(tensor(5003), training=True)),
    "gumbel_softmax": drawn(lambda: F.gumbel_softmax(tensor(101, 31))),
}

OPERATIONS = tuple(of_no_type("draws", DRAWS))
