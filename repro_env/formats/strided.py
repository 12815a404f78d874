"""Elements that lie in memory with gaps or in another order, put row by row."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from typing import Literal

from repro_env.formats import UnreadableError
from repro_env.formats.sources import Source

# memoryview's names of whole numbers, by their bytes
WORDS: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


def elements(
    source: Source, size: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> Iterator[bytes]:
    """Return the bytes of a tensor's elements, row by row.

    Args:
        source: The tensor's storage.
        size: Bytes of an element.
        shape: How many elements there are along each axis.
        strides: How many elements of the storage one step along each axis is.
        offset: Elements of the storage before the first one.

    Raises:
        UnreadableError: An element is outside of the storage.
    """
    numbers = (*shape, *strides, offset)
    if len(shape) != len(strides) or any(type(n) is not int or n < 0 for n in numbers):
        raise UnreadableError(f"{shape} in steps of {strides} from {offset} is no tensor")
    count = math.prod(shape)
    if not count:
        return iter(())
    if is_row_major(shape, strides):
        return source.pieces(offset * size, count * size)
    return _gathered(source, size, shape, strides, offset)


def is_row_major(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Say whether the elements lie one after the other, the last axis first."""
    expected = 1
    for length, step in zip(reversed(shape), reversed(strides)):
        if length != 1 and step != expected:
            return False
        expected *= length
    return True


def _gathered(
    source: Source, size: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> Iterator[bytes]:
    reach = 1 + sum((length - 1) * step for length, step in zip(shape, strides))
    memory = source.whole(offset * size, reach * size)
    if size > 8:  # a complex number is two
        shape, strides = (*shape, 2), (*(step * 2 for step in strides), 1)
    view = memoryview(memory).cast(WORDS[min(size, 8)])
    *outer, last = zip(shape, strides)
    for start in _starts(0, outer):
        yield _row(view, start, *last)


def _starts(start: int, axes: list[tuple[int, int]]) -> Iterator[int]:
    if not axes:
        yield start
        return
    (length, step), *rest = axes
    for number in range(length):
        yield from _starts(start + number * step, rest)


def _row(view: memoryview[int], start: int, length: int, step: int) -> bytes:
    if step == 0:
        return view[start : start + 1].tobytes() * length
    return view[start : start + (length - 1) * step + 1 : step].tobytes()


def swapped(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield the pieces with the bytes of each number turned round.

    Args:
        pieces: Each of whole numbers.
        size: Bytes of a number.
    """
    for piece in pieces:
        numbers = array(WORDS[size], piece)
        numbers.byteswap()
        yield numbers.tobytes()
