"""PyTorch's operations on numbers of 16 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  # what PyTorch's users call it

from processors.operations.forms import MANY
from processors.operations.table import in_each_type
from processors.operations.torch_operations import tensor

HALVES = ("bfloat16", "float16")


def of(function: Callable[..., Any], *shapes: Sequence[int]) -> Callable[[str], Any]:
    """Return a function of tensors of these shapes, rounded to 16 bits, forward and backward."""

    def run(dtype: str) -> Any:
        kind = getattr(torch, dtype)
        given = [tensor(*shape, name=f"x{n}").to(kind) for n, shape in enumerate(shapes)]
        leaves = [each.requires_grad_() for each in given]
        result = function(*leaves)
        incoming = tensor(*result.shape, name="g").to(kind)
        return [result, torch.autograd.grad(result, leaves, incoming)]

    return run


OF_BOTH = {
    "sum": of(lambda x: x.sum(1), (523, 301)),
    "divide": of(lambda x, y: x / (y + 1.5), (MANY,), (MANY,)),
}
OF_BFLOAT16 = {  # PyTorch 2.0 has none of them on the CPU for float16
    "matmul": of(torch.matmul, (67, 129), (129, 83)),
    "matmul of K 1031": of(torch.matmul, (67, 1031), (1031, 83)),
    "linear": of(F.linear, (31, 213), (77, 213), (77,)),
    "conv2d": of(F.conv2d, (3, 5, 29, 31), (13, 5, 3, 5), (13,)),
    "softmax": of(lambda x: F.softmax(x, 1), (211, 303)),
    "layer_norm": of(lambda x: F.layer_norm(x, (77,)), (13, 17, 77)),
    "exp": of(torch.exp, (MANY,)),
    "gelu": of(F.gelu, (MANY,)),
    "tanh": of(torch.tanh, (MANY,)),
}

OPERATIONS = (
    *in_each_type("16 bits", OF_BOTH, HALVES),
    *in_each_type("16 bits", OF_BFLOAT16, HALVES[:1]),
)
