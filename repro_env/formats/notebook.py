"""Notebooks: what their cells say and what came out; not when, nor in which order they ran.

Left out are the numbers and names that each run makes anew: `execution_count`, the cells' `id`,
and the times that Jupyter and its extensions note. Where a stream was cut into pieces is chance,
so pieces of one stream that follow each other are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repro_env.formats import Part, UnreadableError
from repro_env.formats.json import parse
from repro_env.formats.tree import Node, Pair, Word, parts

TIMES = ("execution", "ExecuteTime")  # Jupyter's, and that of the extension of this name
PAPERMILL_TIMES = ("start_time", "end_time", "duration")

Fields = dict[str, Any]


def read(path: Path) -> Iterator[Part]:
    """Yield the parts of each cell, named by its number (`cell 3/source`)."""
    text = path.read_bytes()
    return parts("", _notebook(_fields(parse(text))), len(text))


def _notebook(notebook: Fields) -> Node:
    cells = notebook.pop("cells", None)
    if not isinstance(cells, list):
        raise UnreadableError("it has no list of cells, as notebooks have since format 4")
    _drop_times(notebook)
    return _node(notebook, "cell", [_cell(_fields(cell)) for cell in cells])


def _cell(cell: Fields) -> Node:
    outputs = _merged([_fields(output) for output in cell.pop("outputs", [])])
    for name in ("id", "execution_count"):
        cell.pop(name, None)
    _join(cell, "source")
    _drop_times(cell)
    return _node(cell, "output", [_output(output) for output in outputs])


def _output(output: Fields) -> Node:
    output.pop("execution_count", None)
    _join(output, "text")
    if "data" in output:
        data = _fields(output["data"])
        for kind in data:
            if not kind.endswith("json"):  # whose value may be a list of texts
                _join(data, kind)
        output["data"] = _node(data)
    return _node(output)


def _merged(outputs: list[Fields]) -> list[Fields]:
    merged: list[Fields] = []
    for output in outputs:
        if output.get("output_type") == "stream":
            _join(output, "text")
            if merged and {**merged[-1], "text": ""} == {**output, "text": ""}:
                merged[-1]["text"] += output["text"]
                continue
        merged.append(output)
    return merged


def _drop_times(thing: Fields) -> None:
    if "metadata" in thing:
        metadata = _fields(thing["metadata"])
        for name in TIMES:
            metadata.pop(name, None)
        if "papermill" in metadata:
            papermill = _fields(metadata["papermill"])
            for name in PAPERMILL_TIMES:
                papermill.pop(name, None)
            metadata["papermill"] = _node(papermill)
        thing["metadata"] = _node(metadata)


def _join(fields: Fields, name: str) -> None:
    """Make one text of a list of texts: both forms are allowed."""
    value = fields.get(name)
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        fields[name] = "".join(value)


def _fields(value: Any) -> Fields:
    if not isinstance(value, Node):
        raise UnreadableError("a part of it is no object")
    fields = {pair.key: pair.value for pair in value.entries}
    if len(fields) != len(value.entries):
        raise UnreadableError("a key stands in it twice")
    return fields


def _node(fields: Fields, name: str = "", numbered: list[Node] | None = None) -> Node:
    """Return an object with these fields, and after them the numbered ones and how many."""
    entries = [Pair(*one) for one in fields.items()]
    if numbered is not None:
        entries.append(Pair(f"{name}s", Word("number", str(len(numbered)))))
        entries += [Pair(f"{name} {number}", node) for number, node in enumerate(numbered)]
    return Node("dict", entries)
