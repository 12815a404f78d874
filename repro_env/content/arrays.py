"""How two arrays differ: in which elements, and how far apart these are.

Two complex numbers are as far apart as their real or imaginary parts, whichever are further.
Elements with a NaN are counted, not measured; `elements` says what a distance is.

Arrays are compared a MiB at a time. NumPy is imported when there is something to compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, NamedTuple

from repro_env.content import elements
from repro_env.content.elements import Kind
from repro_env.content.places import regrouped

BLOCK_BYTES = 2**20


class ArrayDifference(NamedTuple):
    """How two arrays of one dtype and shape differ.

    Args:
        elements: How many each has.
        differing: How many of them differ in their bits.
        largest_ulps: Of floats and complex numbers: the largest distance, of those elements that
            have one; None where none has.
        largest_absolute: Of whole numbers: the largest distance, exactly. Of floats and complex
            numbers: about; `inf` where a float can't hold it. None where none has one.
        only_one_nan: Differing elements of which one is a NaN and the other is none.
        both_nan: Differing elements of which both are NaNs, of other bits.
        first_index: Where the first that differs stands, row by row.
        was: That element in the one array, so that its bits come back from it.
        now: And in the other.
    """

    elements: int
    differing: int
    largest_ulps: int | None
    largest_absolute: str | None
    only_one_nan: int
    both_nan: int
    first_index: tuple[int, ...]
    was: str
    now: str


def compare(
    kind: Kind, shape: tuple[int, ...], one: Iterable[bytes], other: Iterable[bytes]
) -> ArrayDifference | None:
    """Return how two arrays differ, whose bytes come in pieces of any size.

    Returns:
        None if no bit differs.

    Raises:
        ImportError: There is no NumPy.
        ValueError: The bytes are not those of two such arrays.
    """
    tally = _Tally(kind)
    size = kind.parts * kind.part_bytes
    block = max(1, BLOCK_BYTES // size) * size
    blocks = zip_longest(regrouped(one, block), regrouped(other, block), fillvalue=bytearray())
    for mine, theirs in blocks:
        if len(mine) != len(theirs) or len(mine) % size:
            raise ValueError("the arrays are not of one size")
        tally.add(mine, theirs)
    if tally.seen != math.prod(shape):
        raise ValueError(f"{tally.seen} elements are not an array of shape {shape}")
    return tally.result(shape) if tally.differing else None


def in_words(found: ArrayDifference) -> str:
    """Return one sentence on how two arrays differ."""
    values = f"{found.was} and {found.now}"
    if found.elements == 1:
        return f"{values} differ{_distance(found, 'by')}"
    place = f"the first at {list(found.first_index)}: {values}"
    return (
        f"{found.differing:,} of {found.elements:,} elements differ{_distance(found, 'by up to')}; "
        f"{place}"
    )


def _distance(found: ArrayDifference, by: str) -> str:
    words = []
    if found.largest_ulps:
        steps = f"{found.largest_ulps:,} ulp" + "s" * (found.largest_ulps > 1)
        words.append(f"{by} {steps} ({found.largest_absolute})")
    elif found.largest_ulps == 0:
        words.append("only in the sign of zero")
    elif found.largest_absolute is not None:
        words.append(f"{by} {int(found.largest_absolute):,}")
    if found.only_one_nan:
        words.append(f"{found.only_one_nan:,} of them NaN in one file only")
    if found.both_nan:
        words.append(f"{found.both_nan:,} of them only in the bits of NaN")
    return "".join(f", {word}" for word in words)


class _Tally:
    """What has been counted so far, block after block."""

    def __init__(self, kind: Kind) -> None:
        self.differing = 0
        self._kind = kind
        self.seen = 0
        self._first: tuple[int, bytes, bytes] = (0, b"", b"")
        self._ulps: int | None = None
        self._absolute: float | None = None  # an int of whole numbers
        self._only_one_nan = 0
        self._both_nan = 0

    def add(self, one: bytearray, other: bytearray) -> None:
        kind = self._kind
        size = kind.parts * kind.part_bytes
        start, self.seen = self.seen, self.seen + len(one) // size
        if one == other:
            return
        mine, theirs = elements.bits_of(one, kind), elements.bits_of(other, kind)
        where = (mine != theirs).any(axis=1).nonzero()[0]
        if not self.differing:
            at = int(where[0])
            place = slice(at * size, (at + 1) * size)
            self._first = (start + at, bytes(one[place]), bytes(other[place]))
        self.differing += len(where)
        if kind.letter == "f":
            self._measure_floats(mine[where], theirs[where])
        elif kind.letter in "iu":
            self._absolute = max(self._absolute or 0, elements.whole_distance(mine, theirs, kind))

    def _measure_floats(self, mine: Any, theirs: Any) -> None:
        nan, other_nan = elements.is_nan(mine, self._kind), elements.is_nan(theirs, self._kind)
        differs = mine != theirs
        one_nan = (differs & (nan ^ other_nan)).any(axis=1)
        both_nan = (differs & nan & other_nan).any(axis=1) & ~one_nan
        self._only_one_nan += int(one_nan.sum())
        self._both_nan += int(both_nan.sum())
        measured = differs & ~(one_nan | both_nan)[:, None]
        if measured.any():
            mine, theirs = mine[measured], theirs[measured]
            self._ulps = max(self._ulps or 0, int(elements.ulps(mine, theirs, self._kind).max()))
            self._absolute = max(self._absolute or 0.0, elements.apart(mine, theirs, self._kind))

    def result(self, shape: tuple[int, ...]) -> ArrayDifference:
        at, was, now = self._first
        return ArrayDifference(
            elements=math.prod(shape),
            differing=self.differing,
            largest_ulps=self._ulps,
            largest_absolute=_said(self._absolute),
            only_one_nan=self._only_one_nan,
            both_nan=self._both_nan,
            first_index=_index(at, shape),
            was=elements.value(was, now, self._kind),
            now=elements.value(now, was, self._kind),
        )


def _said(distance: float | None) -> str | None:
    if distance is None:
        return None
    return f"{distance:.3g}" if isinstance(distance, float) else str(distance)


def _index(at: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    places: list[int] = []
    for length in reversed(shape):
        at, place = divmod(at, length)
        places.insert(0, place)
    return tuple(places)
