"""Where two tables of texts first differ: in which row, and in which of its columns."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from repro_env.content import places


def first_difference(one: Iterable[bytes], other: Iterable[bytes]) -> str | None:
    """Return one sentence on where two tables differ; None if they don't.

    Args:
        one: Pieces of a table as `formats.csv` has it.
        other: Of another one.
    """
    for number, (mine, theirs) in enumerate(zip_longest(_rows(one), _rows(other)), start=1):
        if mine is None or theirs is None:
            return f"only {'B' if mine is None else 'A'} goes on from row {number:,}"
        if len(mine) != len(theirs):
            return f"row {number:,} has {len(mine):,} cells in A, {len(theirs):,} in B"
        if mine != theirs:
            return f"row {number:,} differs in column {_of_rows(mine, theirs)}"
    return None


def _of_rows(mine: list[str], theirs: list[str]) -> str:
    at = next(at for at, cell in enumerate(mine) if cell != theirs[at])
    place = places.first_difference([mine[at].encode()], [theirs[at].encode()])
    return f"{at + 1:,}: {places.values_in_words(place)}" if place else ""


def _rows(pieces: Iterable[bytes]) -> Iterator[list[str]]:
    return csv.reader(_lines(pieces), strict=True)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield f"{line.decode()}\n"
