"""The operations that no knob makes portable, and why: they are shown, and count for nothing."""

from __future__ import annotations

import fnmatch
from typing import NamedTuple

APPROXIMATION = (
    "Eigen makes it of the CPU's approximate reciprocals (rcpps, rsqrtps), whose bits are each"
    " maker's own; it is compiled into TensorFlow so"
)


class Unportable(NamedTuple):
    """Operations that are known to differ.

    Args:
        stack: Where.
        operations: Their names, as patterns of a shell.
        why: What makes them differ.
        source: Where that is to be read.
    """

    stack: str
    operations: tuple[str, ...]
    why: str
    source: str


UNPORTABLE = (
    Unportable(
        stack="tf",
        operations=tuple(
            f"tensorflow {name} float32"
            for name in (
                "LayerNormalization",
                "MultiHeadAttention",
                "acos",
                "asin",
                "atan",
                "atanh",
                "eigh",
                "log",
                "log1p",
                "reciprocal",
                "reduce_logsumexp",
                "rsqrt",
                "sigmoid_cross_entropy",
                "softmax",
                "tan",
            )
        ),
        why=APPROXIMATION,
        source="https://gitlab.com/libeigen/eigen/-/blob/master/Eigen/src/Core/arch/AVX/PacketMath.h",
    ),
    Unportable(
        stack="tf",
        operations=("torch lstsq float32", "torch lstsq float64"),
        why="its default driver reads memory that was never set: two runs on one CPU differ",
        source="https://github.com/pytorch/pytorch/pull/187436",
    ),
)


def reason(stack: str, operation: str) -> str:
    """Return why an operation is known not to be portable; empty where it should be."""
    for known in UNPORTABLE:
        patterns = known.operations if known.stack == stack else ()
        if any(fnmatch.fnmatchcase(operation, pattern) for pattern in patterns):
            return known.why
    return ""
