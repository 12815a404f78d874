"""JSON, and JSON lines: their values; neither the order of keys nor white space.

Numbers are kept as they are written: `1.0` and `1.00` are two. A key that stands twice stays so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repro_env.formats import Part
from repro_env.formats.tree import Node, Pair, Word, parts


def read(path: Path) -> Iterator[Part]:
    """Yield a part for each value, named by its path (`loss/0`)."""
    text = path.read_bytes()
    return parts("", parse(text), len(text))


def read_lines(path: Path) -> Iterator[Part]:
    """Yield what a list of the lines' values would have; empty lines are none."""
    text = path.read_bytes()
    values = [parse(line) for line in text.split(b"\n") if line.strip()]
    return parts("", values, len(text))


def parse(text: bytes) -> Any:
    """Return a value of JSON, its objects as nodes with their keys in order."""
    return json.loads(
        text,
        parse_int=_number,
        parse_float=_number,
        parse_constant=_number,
        object_pairs_hook=_object,
    )


def _number(text: str) -> Word:
    return Word("number", text)


def _object(pairs: list[tuple[str, Any]]) -> Node:
    # A stable sort: which of two values of one key comes last is content.
    return Node("dict", [Pair(*one) for one in sorted(pairs, key=lambda pair: pair[0])])
