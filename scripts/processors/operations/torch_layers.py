"""PyTorch's layers and optimisers, with weights that its own generator did not draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # what PyTorch's users call it

from processors.operations import inputs
from processors.operations.table import in_each_type
from processors.operations.torch_operations import differentiated, of, tensor

STEPS = 3


def filled(layer: nn.Module, dtype: str) -> nn.Module:
    """Return a layer with weights in [-1/4, 1/4) that depend on nothing but their shapes."""
    layer = layer.to(getattr(torch, dtype))
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            weight.copy_(tensor(*weight.shape, dtype=dtype, name=name) * 0.25)
    return layer


def layered(
    make: Callable[[], nn.Module],
    *shapes: Sequence[int],
    call: Callable[..., Any] = lambda layer, *given: layer(*given),
) -> Callable[[str], Any]:
    """Return a layer's results for inputs of these shapes, and the gradients of all there is."""

    def run(dtype: str) -> Any:
        layer = filled(make(), dtype)
        given = [tensor(*shape, dtype=dtype, name=f"x{n}") for n, shape in enumerate(shapes)]
        weights = list(layer.parameters())

        def results(*leaves: Any) -> Any:
            return call(layer, *leaves)

        found = differentiated(results, given)
        output = call(layer, *given)
        first = output[0] if isinstance(output, tuple) else output
        incoming = tensor(*first.shape, dtype=dtype, name="g")
        gradients = torch.autograd.grad(first, weights, incoming, allow_unused=True)
        return [found, gradients, list(layer.buffers())]

    return run


def looked_up(make: Callable[[], nn.Module]) -> Callable[[str], Any]:
    """Return what a table of vectors gives, and the gradient of the table."""

    def run(dtype: str) -> Any:
        layer = filled(make(), dtype)
        output = layer(torch.from_numpy(inputs.integers(53, 37, below=91)))
        return [
            output,
            torch.autograd.grad(output, list(layer.parameters()), torch.ones_like(output)),
        ]

    return run


def recurrent(make: Callable[[], nn.Module]) -> Callable[[str], Any]:
    """Return a recurrent layer's outputs and the gradients."""
    return layered(make, (13, 3, 21), call=lambda layer, x: layer(x)[0])


def trained(make: Callable[[Any], Any]) -> Callable[[str], Any]:
    """Return the weights of a small network after some steps of an optimiser."""

    def run(dtype: str) -> Any:
        network = filled(
            nn.Sequential(
                nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 49, 10)
            ),
            dtype,
        )
        optimizer = make(network.parameters())
        labels = torch.from_numpy(inputs.integers(31, below=10))
        losses = []
        for step in range(STEPS):
            optimizer.zero_grad()
            images = tensor(31, 1, 16, 16, dtype=dtype, name=f"step {step}")
            loss = F.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss)
        return [losses, list(network.parameters())]

    return run


LAYERS = {
    "batch_norm": layered(lambda: nn.BatchNorm2d(7), (5, 7, 13, 11)),
    "batch_norm evaluated": layered(lambda: nn.BatchNorm2d(7).eval(), (5, 7, 13, 11)),
    "batch_norm 1d": layered(lambda: nn.BatchNorm1d(67), (101, 67)),
    "layer_norm": layered(lambda: nn.LayerNorm(77), (13, 17, 77)),
    "group_norm": layered(lambda: nn.GroupNorm(3, 9), (5, 9, 13, 11)),
    "instance_norm": layered(lambda: nn.InstanceNorm2d(7, affine=True), (5, 7, 13, 11)),
    "local_response_norm": of(lambda x: F.local_response_norm(x, 3), (3, 7, 11, 13)),
    "normalize": of(lambda x: F.normalize(x, dim=1), (101, 67)),
    "scaled_dot_product_attention": of(F.scaled_dot_product_attention, *[(2, 3, 37, 19)] * 3),
    "causal attention": of(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        *[(2, 3, 37, 16)] * 3,
    ),
    "MultiheadAttention": layered(
        lambda: nn.MultiheadAttention(24, 3, batch_first=True), *[(3, 17, 24)] * 3
    ),
    "TransformerEncoderLayer": layered(
        lambda: nn.TransformerEncoderLayer(24, 3, 45, dropout=0.0, batch_first=True), (3, 17, 24)
    ),
    "TransformerEncoderLayer evaluated": lambda t: filled(
        nn.TransformerEncoderLayer(24, 3, 45, batch_first=True), t
    ).eval()(tensor(3, 17, 24, dtype=t)),
    "LSTM": recurrent(lambda: nn.LSTM(21, 35, 2)),
    "LSTM both ways": recurrent(lambda: nn.LSTM(21, 15, bidirectional=True)),
    "LSTM without gradients": lambda t: (lambda layer: [layer(tensor(13, 3, 21, dtype=t))[0]])(
        filled(nn.LSTM(21, 35, 2), t).requires_grad_(False)
    ),
    "GRU": recurrent(lambda: nn.GRU(21, 35, 2)),
    "RNN": recurrent(lambda: nn.RNN(21, 35, 2)),
    "Embedding": looked_up(lambda: nn.Embedding(91, 33)),
    "EmbeddingBag of sums": looked_up(lambda: nn.EmbeddingBag(91, 33, mode="sum")),
    "EmbeddingBag of means": looked_up(lambda: nn.EmbeddingBag(91, 33, mode="mean")),
}
TRAININGS = {
    "SGD": trained(lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9, weight_decay=0.01)),
    "Adam": trained(lambda weights: torch.optim.Adam(weights)),
    "AdamW": trained(lambda weights: torch.optim.AdamW(weights, foreach=True)),
    "RMSprop": trained(lambda weights: torch.optim.RMSprop(weights)),
}

OPERATIONS = (
    *in_each_type("layers", LAYERS),
    *in_each_type("training steps", TRAININGS),
)
