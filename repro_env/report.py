"""A diagnosis as a table for people, and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from repro_env.doctor import Diagnosis, Examined
from repro_env.notes import Note, words
from repro_env.verdicts import Row

LAST_LINE = {
    0: "all is well",
    1: "something is not well: see what to do, above",
    2: "that all is well can't be told: see what to do, above",
}


def text(diagnosis: Diagnosis) -> str:
    """Return what a person reads: a table of the first process, what differs in the others."""
    parts: list[str] = []
    diagnosis = _printable(diagnosis)
    seen = [each for each in diagnosis.processes if each.report["ended"]]
    if seen:
        parts += [_process(seen[0]), _table(seen[0].rows), *_others(seen[0], seen[1:])]
    parts.append(_notes(diagnosis.notes))
    parts += _reasons(diagnosis)
    parts.append(LAST_LINE[diagnosis.status])
    return "\n\n".join(parts) + "\n"


def _printable(diagnosis: Diagnosis) -> Diagnosis:
    """Return it without what would move a terminal's cursor: names of files may hold anything."""
    processes = [
        one._replace(rows=[Row(*map(_on_a_line, row)) for row in one.rows])
        for one in diagnosis.processes
    ]
    notes = [Note(*map(_on_a_line, note)) for note in diagnosis.notes]
    return diagnosis._replace(processes=processes, notes=notes)


def _on_a_line(text: str) -> str:
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def to_json(diagnosis: Diagnosis) -> str:
    """Return the same for machines; `docs/doctor.md` says what each field means."""
    said: dict[str, Any] = {
        "status": diagnosis.status,
        "processes": [
            {**_facts(each), "knobs": [row._asdict() for row in each.rows]}
            for each in diagnosis.processes
        ],
        "notes": [note._asdict() for note in diagnosis.notes],
    }
    return json.dumps(said, indent=2) + "\n"


def _facts(examined: Examined) -> dict[str, Any]:
    names = ("pid", "parent", "command", "executable", "python", "ended", "libraries", "seeds")
    return {name: examined.report[name] for name in names if name in examined.report}


def _process(examined: Examined) -> str:
    report = examined.report
    versions = [f"{name} {version}" for name, version in report["libraries"].items()]
    return ", ".join(
        [
            f"process {report['pid']}: {_on_a_line(words(report))}",
            f"Python {report['python']}",
            *versions,
        ]
    )


def _table(rows: Sequence[Row]) -> str:
    cells = [("knob", "wanted", "found", "verdict")]
    cells += [(row.knob, row.wanted, row.found, row.verdict) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in cells]
    return "\n".join(line.rstrip() for line in lines)


def _others(first: Examined, others: Sequence[Examined]) -> list[str]:
    """Return a line for the processes that are like the first, a table for each that is not."""
    known = set(first.rows)
    parts = []
    alike = 0
    for other in others:
        rows = [row for row in other.rows if row not in known and (row.advice or row.why)]
        if rows:
            parts.append(f"{_process(other)}\n{_table(rows)}")
        else:
            alike += 1
    if alike:
        parts.insert(0, f"and {alike} other {'process' if alike == 1 else 'processes'}: the same")
    return parts


def _notes(notes: Sequence[Note]) -> str:
    width = max((len(note.about) for note in notes), default=0)
    return "\n".join(f"{note.about.ljust(width)}  {note.text}" for note in notes)


def _reasons(diagnosis: Diagnosis) -> list[str]:
    """Return each verdict's reason once, with where it was seen and what to do."""
    seen: dict[Row, list[str]] = {}
    for each in diagnosis.processes:
        for row in each.rows:
            if row.why:
                seen.setdefault(row, []).append(str(each.report["pid"]))
    said = [
        (f"{row.knob}: {row.verdict} in process {', '.join(pids)}: {row.why}", row.advice)
        for row, pids in sorted(seen.items(), key=lambda item: bool(item[0].advice))
    ]
    said += [(f"{note.about}: {note.text}", note.advice) for note in diagnosis.notes if note.advice]
    return [what + (f"\n  what to do: {advice}" if advice else "") for what, advice in said]
