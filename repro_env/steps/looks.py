"""Close looks at one step, as a process wrote them: digests in their order, and values beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from repro_env.steps.stream import damaged, whole_lines

SUFFIX = ".deep.jsonl"

Rows = dict[str, tuple[str, str]]  # by name: type and shape, and digest


class Call(NamedTuple):
    """A call of a module.

    Args:
        module: Its name in the program; numbered from its second call on.
        kind: Its class.
        begun: How many calls had begun with it: an outer module begins before its inner ones.
        inputs: By their places among the arguments.
        outputs: By their places in what it returned.
    """

    module: str
    kind: str
    begun: int
    inputs: Rows
    outputs: Rows


class Look(NamedTuple):
    """What was seen closely of one step.

    Args:
        source: What made the step's entry.
        step: Its number.
        hash: The name of the hash.
        start: What it began with: generators, buffers, parameters, slots.
        calls: Of modules, in the order in which they ended: inner ones before outer ones.
        backward: The parameters when `backward` began; empty where none did.
        end: What the step's entry holds.
        notes: What is left out.
        values: The safetensors file with the values.
    """

    source: str
    step: int
    hash: str
    start: Rows
    calls: tuple[Call, ...]
    backward: Rows
    end: Rows
    notes: tuple[str, ...]
    values: Path


class _Head(msgspec.Struct):
    format: Literal[1]
    hash: str
    source: str
    step: int


def read(folder: Path) -> Look | None:
    """Return the close look in a trace's folder; None where the step was not reached.

    Raises:
        RecordError: It can't be read, or is damaged.
    """
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        lines = list(whole_lines(file))
        if lines:
            try:
                return _look(lines, file.with_suffix(".safetensors"))
            except (msgspec.ValidationError, LookupError, TypeError, ValueError) as error:
                raise damaged(file, error) from None
    return None


def _look(lines: list[dict[str, Any]], values: Path) -> Look:
    head = msgspec.convert(lines[0], _Head)
    parts: dict[str, Rows] = {"start": {}, "backward": {}, "end": {}}
    parts.update({line["at"]: _rows(line["of"]) for line in lines[1:] if "of" in line})
    return Look(
        head.source,
        head.step,
        head.hash,
        parts["start"],
        tuple(_call(line) for line in lines if line.get("at") == "call"),
        parts["backward"],
        parts["end"],
        tuple(line["note"] for line in lines if "note" in line),
        values,
    )


def _call(line: dict[str, Any]) -> Call:
    rows = _rows(line["inputs"]), _rows(line["outputs"])
    return Call(line["module"], line["class"], line["begun"], *rows)


def _rows(rows: list[list[str]]) -> Rows:
    return {name: (kind, digest) for name, kind, digest in rows}
