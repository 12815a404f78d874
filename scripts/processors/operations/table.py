"""What an operation is, and the digest of its results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

FLOATS = ("float32", "float64")


class Operation(NamedTuple):
    """One computation whose bits are compared.

    Args:
        group: What it belongs to in its library, such as products.
        name: What it is called, with its type.
        run: Return its results: arrays, tensors, or sequences of them.
    """

    group: str
    name: str
    run: Callable[[], Any]


def in_each_type(
    group: str,
    functions: Mapping[str, Callable[[str], Any]],
    dtypes: Sequence[str] = FLOATS,
) -> list[Operation]:
    """Return an operation for each function and each type that it is called with."""
    return [
        Operation(group, f"{name} {dtype}", lambda run=run, dtype=dtype: run(dtype))  # type: ignore[misc]
        for name, run in functions.items()
        for dtype in dtypes
    ]


def of_no_type(group: str, functions: Mapping[str, Callable[[], Any]]) -> list[Operation]:
    """Return an operation for each function that chooses its own types."""
    return [Operation(group, name, run) for name, run in functions.items()]


def digest(results: Any) -> str:
    """Return the sha256 of the type, the shape and the bytes of each result, in hex."""
    found = hashlib.sha256()
    for array in _arrays(results):
        found.update(f"{array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _arrays(results: Any) -> Iterator[Any]:
    if isinstance(results, Mapping):
        results = [results[name] for name in sorted(results)]
    if isinstance(results, (tuple, list)):
        for result in results:
            yield from _arrays(result)
    elif results is not None:
        if hasattr(results, "detach"):  # torch
            results = results.detach().resolve_conj()
            if str(results.dtype) == "torch.bfloat16":  # which NumPy lacks; nothing is rounded
                results = results.float()
        yield np.asarray(results)
