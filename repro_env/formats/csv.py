"""Tables of texts: their cells; neither line ends nor quoting.

Two files that differ in a space, or in `1` and `1.0`, hold two tables.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from repro_env.formats import Part

ROWS = 10_000  # a piece


def read_commas(path: Path) -> Iterator[Part]:
    """Yield one part: the rows, every cell in quotes, each row ended by a line feed."""
    yield Part("", "table", (), _rows(path, ","))


def read_tabs(path: Path) -> Iterator[Part]:
    """Yield what `read_commas` does, of a file whose cells stand between tabs."""
    yield Part("", "table", (), _rows(path, "\t"))


def _rows(path: Path, delimiter: str) -> Iterator[bytes]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        while some := list(islice(rows, ROWS)):
            text = io.StringIO(newline="")
            csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(some)
            yield text.getvalue().encode()
