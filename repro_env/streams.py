"""From a seed and a path of keys to a seed of its own, with a cryptographic hash; pure.

`docs/streams.md` says it in words, and `tests/golden/streams.json` holds what must come out, so
that another language can repeat it.
"""

from __future__ import annotations

from hashlib import sha256, shake_256
from typing import SupportsIndex, Union

from repro_env.errors import SeedError

Key = Union[str, SupportsIndex]

VERSION = b"repro-env stream 1\n"
SEED_BITS = 128
KEY_BITS = 1024


def derive(seed: int, *path: Key) -> int:
    """Return the seed that a path of keys leads to.

    Args:
        seed: The seed to start from.
        path: Strings, and whole numbers of at most 1,024 bits; `"1"` and `1` are two keys.

    Returns:
        A whole number in 0..2^128-1: the first 16 bytes of a sha256, the first the highest.

    Raises:
        SeedError: A key is neither.
    """
    text = VERSION + _encode(seed) + b"".join(map(_encode, path))
    return int.from_bytes(sha256(text).digest()[: SEED_BITS // 8], "big")


def expand(seed: int, size_bytes: int) -> bytes:
    """Return a seed of 128 bits as more bytes, with SHAKE-256: a larger generator's whole state."""
    return shake_256(seed.to_bytes(SEED_BITS // 8, "big")).digest(size_bytes)


def whole_number(value: object) -> int | None:
    """Return Python's, NumPy's and others' whole numbers as an `int`; None for what is none.

    `True` is none, whoever's it is: as a seed or a key it is a mistake.
    """
    if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
        return None
    try:
        number = value.__index__()  # type: ignore[attr-defined]
    except (AttributeError, TypeError):  # NumPy's arrays have one that refuses
        return None
    return None if isinstance(number, bool) else int(number)


def words(value: object) -> str:
    """Return a value as an error names it; Python refuses to write out thousands of digits."""
    if isinstance(value, int) and value.bit_length() > KEY_BITS:
        return f"of {value.bit_length()} bits"
    return repr(value)


def _encode(key: Key) -> bytes:
    """Return a key as bytes that no other key, and no two keys in a row, can have."""
    if isinstance(key, str):
        text = key.encode("utf-8", "surrogatepass")  # file names can hold what is no Unicode
        return b"s%d:%b;" % (len(text), text)
    number = whole_number(key)
    if number is None or number.bit_length() > KEY_BITS:
        raise SeedError(
            f"the key {words(key)} is a {type(key).__name__}, "
            f"neither a string nor a whole number of at most {KEY_BITS} bits",
            hint="name it by a string",
        )
    return b"i%d;" % number
