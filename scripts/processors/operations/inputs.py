"""Numbers to compute with that are the same everywhere: hashed bytes, made floats without rounding.

A library's own generator would not do: where that differs, all that is computed from it does.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

BITS = {"float32": 24, "float64": 53}  # that a float holds exactly


def values(*shape: int, dtype: str = "float32", name: str = "x") -> Any:
    """Return an array of numbers in [-1, 1) that depends on nothing but the arguments."""
    bits = BITS[dtype]
    words = _words(f"{name} {dtype}", math.prod(shape)) >> np.uint64(64 - bits)
    # Each step is exact: a whole number below 2**bits, a power of two, and no bit lost in 1.
    return (
        ((words.astype(dtype) * 2.0 ** (1 - bits)).astype(dtype) - 1).astype(dtype).reshape(shape)
    )


def positive(*shape: int, dtype: str = "float32", name: str = "x") -> Any:
    """Return an array of numbers in [1/8, 17/8)."""
    # Doubled and moved by whole bits of the coarser numbers that float32 holds.
    coarse = np.floor(values(*shape, dtype=dtype, name=name) * 2.0**20) * 2.0**-20
    return (coarse + 1.125).astype(dtype)


def integers(*shape: int, below: int, name: str = "i") -> Any:
    """Return an array of whole numbers in [0, below), with ties where there are many."""
    words = _words(f"{name} {below}", math.prod(shape)) >> np.uint64(32)
    return (words % np.uint64(below)).astype("int64").reshape(shape)


def spread(size: int, *shape: int, dtype: str = "float32", name: str = "m") -> Any:
    """Return square matrices with a heavy diagonal, which any solver can take."""
    return values(*shape, size, size, dtype=dtype, name=name) + 4 * np.eye(size, dtype=dtype)


def symmetric(size: int, *shape: int, dtype: str = "float32", name: str = "s") -> Any:
    """Return symmetric matrices whose eigenvalues are all positive and far apart."""
    lower = np.tril(values(*shape, size, size, dtype=dtype, name=name), -1) * 0.03125
    diagonal = np.diag(np.arange(1, size + 1)).astype(dtype)
    return lower + np.swapaxes(lower, -1, -2) + diagonal


def _words(key: str, count: int) -> Any:
    return np.frombuffer(hashlib.shake_256(key.encode()).digest(8 * count), "<u8")
