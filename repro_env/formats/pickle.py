"""Pickles: the values in them, and the names and states of objects. Nothing of one is executed.

The order of a dict counts, since whoever goes through it meets it; that of a set doesn't. Whether
two lists, dicts or objects are one and the same counts; for texts, numbers and tuples it doesn't.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from repro_env.formats import Part, UnreadableError, symbols
from repro_env.formats.pickled_arrays import with_arrays
from repro_env.formats.tree import parts


def read(path: Path) -> Iterator[Part]:
    """Yield a part for each value, named by its keys (`model/epoch`)."""
    with path.open("rb") as file:
        value = symbols.read(file, with_arrays)
        _check_end(file)
    return parts("", value, path.stat().st_size)


def _check_end(file: BinaryIO) -> None:
    if file.read(1):
        raise UnreadableError("it goes on after its first pickle")
