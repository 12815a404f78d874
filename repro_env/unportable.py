"""The operations that no knob of the profile `portable` reaches, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Unportable(NamedTuple):
    """Operations that give other bits on other CPUs, whatever is set.

    Args:
        library: Whose.
        version: The one that was measured, as its version begins; others may differ.
        types: Of which numbers.
        operations: Their names.
        why: What makes them differ.
        source: Where that is to be read.
        is_silent: Whether another CPU gives other bits, and nobody is told.
    """

    library: str
    version: str
    types: tuple[str, ...]
    operations: tuple[str, ...]
    why: str
    source: str
    is_silent: bool = True

    @property
    def text(self) -> str:
        """All of it as a sentence."""
        of = f"{self.library} {self.version}, {' and '.join(self.types)}"
        return f"not portable in {of}: {', '.join(self.operations)}: {self.why}"


UNPORTABLE = (
    Unportable(
        library="tensorflow",
        version="2.9",
        types=("float32",),
        operations=(
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
        ),
        why="made of the CPU's approximate reciprocals, whose bits are each maker's own",
        source="https://gitlab.com/libeigen/eigen/-/blob/master/Eigen/src/Core/arch/AVX/PacketMath.h",
    ),
    Unportable(
        library="torch",
        version="2.0",
        types=("float32", "float64"),
        operations=("lstsq",),
        why="its default driver reads memory that was never set, so it does not even repeat",
        source="https://github.com/pytorch/pytorch/pull/187436",
        is_silent=False,
    ),
    Unportable(
        library="torch",
        version="2.0",
        types=("bfloat16",),
        operations=("matmul", "matmul of K 1031", "linear", "conv2d", "gelu"),
        why="on CPUs with AVX-512 PyTorch asks for kernels that the profile keeps oneDNN from, and "
        "raises an error",
        source="https://github.com/pytorch/pytorch/blob/v2.0.1/aten/src/ATen/native/mkldnn/Utils.cpp",
        is_silent=False,
    ),
)


# The versions that `scripts/portability` was asked of, as they begin.
MEASURED = {"numpy": ("1.23", "2.4"), "torch": ("2.0", "2.15"), "tensorflow": ("2.9",)}


def reason(operation: str, libraries: Mapping[str, str]) -> str:
    """Return why an operation is known not to be portable; empty where it should be.

    Args:
        operation: Its library, its name and its numbers' type, as `torch lstsq float32`.
        libraries: The version of each, by its name.
    """
    library, _, rest = operation.partition(" ")
    name, _, kind = rest.rpartition(" ")
    for known in of(libraries):
        if library == known.library and name in known.operations and kind in known.types:
            return known.why
    return ""


def of(libraries: Mapping[str, str]) -> Iterator[Unportable]:
    """Yield what is known of these libraries.

    Args:
        libraries: The version of each, by its name.
    """
    for known in UNPORTABLE:
        if _is_of(libraries.get(known.library, ""), known.version):
            yield known


def unmeasured(libraries: Mapping[str, str]) -> Iterator[str]:
    """Say of which libraries nobody knows what is portable in them.

    Args:
        libraries: The version of each, by its name.
    """
    for name, version in libraries.items():
        if not any(_is_of(version, known) for known in MEASURED.get(name, ())):
            yield f"what of {name} {version} is portable was not measured"


def _is_of(version: str, begins: str) -> bool:
    return f"{version}.".startswith(f"{begins}.")
