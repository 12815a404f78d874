"""Step streams, as the processes of an attempt wrote them.

A process that was killed leaves whole lines, and perhaps one that is cut: that one is skipped.
Anything else that doesn't fit is an error, since half a stream would compare as a short one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from repro_env.errors import RecordError

SUFFIX = ".steps.jsonl"
WIDTH = 16  # hex digits of one digest

Column = tuple[str, str]  # name, and "dtype [shape]"


class Entry(NamedTuple):
    """One step.

    Args:
        source: What made it: an optimizer's class, `fit`, `train_on_batch` or `step`; numbered
            from the second of its kind on.
        step: Its number: from 1 for each source, or as the program counts.
        loss: None where it is unknown, or no number.
        values: Other numbers, by name.
        columns: What was digested, in causal order.
        digests: Their digests in hex, side by side.
    """

    source: str
    step: int
    loss: float | None
    values: dict[str, float]
    columns: tuple[Column, ...]
    digests: str

    def by_column(self) -> dict[str, str]:
        """Return each column's digest, by its name."""
        width = len(self.digests) // max(1, len(self.columns))
        return {
            name: self.digests[at * width : (at + 1) * width]
            for at, (name, _) in enumerate(self.columns)
        }

    def digest(self, column: int) -> str:
        """Return the digest of a column, by its place."""
        return self.digests[column * WIDTH : (column + 1) * WIDTH]


class Stream(NamedTuple):
    """What one process computed, step by step.

    Args:
        place: Where it stood among the run's; empty for the main process. From the second process
            of one place on, numbered in the order of their first entries.
        hash: The name of the hash.
        entries: In their order.
        notes: What could not be seen.
    """

    place: str
    hash: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    format: Literal[1]
    place: str
    hash: str


class _Columns(msgspec.Struct, forbid_unknown_fields=True):
    columns: int
    of: list[tuple[str, str]]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    columns: int
    source: str
    step: int
    loss: Any  # a text or null: `str | None` can't be read at run time on Python 3.9
    values: dict[str, str]
    digests: str


class _Note(msgspec.Struct, forbid_unknown_fields=True):
    note: str


def read(folder: Path) -> dict[str, Stream]:
    """Return the streams in a trace's folder by their places; none where nothing was traced.

    Raises:
        RecordError: One can't be read, or is damaged before its last line.
    """
    seen: Counter[str] = Counter()
    found = {}
    for file in sorted(folder.glob(f"*{SUFFIX}"), key=_begun):
        stream = _read(file)
        if stream is not None:
            seen[stream.place] += 1
            place = f"{stream.place} ({seen[stream.place]})".lstrip()
            place = stream.place if seen[stream.place] == 1 else place
            found[place] = stream._replace(place=place)
    return found


def _begun(file: Path) -> tuple[int, str]:
    text = file.name.partition("-")[0]
    return int(text) if text.isdecimal() else 0, file.name


def _read(file: Path) -> Stream | None:
    """Return a file's stream; None where not even its first line is whole."""
    lines = list(whole_lines(file))
    if not lines:
        return None
    try:
        head = msgspec.convert(lines[0], _Head)
        entries, notes = _parse(lines[1:])
    except (msgspec.ValidationError, TypeError, ValueError, LookupError) as error:
        raise damaged(file, error) from None
    return Stream(head.place, head.hash, tuple(entries), tuple(notes))


def _parse(lines: list[Any]) -> tuple[list[Entry], list[str]]:
    columns: dict[int, tuple[Column, ...]] = {}
    entries: list[Entry] = []
    notes = []
    for line in lines:
        if "of" in line:
            new = msgspec.convert(line, _Columns)
            columns[new.columns] = tuple(new.of)
        elif "note" in line:
            notes.append(msgspec.convert(line, _Note).note)
        else:
            entries.append(_entry(msgspec.convert(line, _Line), columns))
    return entries, notes


def _entry(line: _Line, columns: dict[int, tuple[Column, ...]]) -> Entry:
    own = columns[line.columns]
    if len(line.digests) != WIDTH * len(own):
        raise ValueError(f"step {line.step} has {len(line.digests)} digits for {len(own)} columns")
    values = {name: float.fromhex(value) for name, value in line.values.items()}
    loss = None if line.loss is None else float.fromhex(line.loss)
    return Entry(line.source, line.step, loss, values, own, line.digests)


def whole_lines(file: Path) -> Iterator[Any]:
    """Yield the objects in a file of JSON lines, without a last line that is cut.

    Raises:
        RecordError: The file can't be read, or a whole line is no object.
    """
    try:
        *lines, _ = file.read_bytes().split(b"\n")
    except OSError as error:
        raise RecordError(
            f"{str(file)!r} can't be read: {error.strerror}", hint="verify again: repro verify"
        ) from None
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise damaged(file, error) from None


def damaged(file: Path, error: Exception) -> RecordError:
    """Return the error of a file that holds something else than was written there."""
    return RecordError(
        f"{str(file)!r} is no stream of steps: {error}", hint="verify again: repro verify"
    )
