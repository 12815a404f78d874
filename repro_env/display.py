"""Answers as people read them: tables and short sentences, in colour on a terminal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro_env.answers import FileDifference, FilesCompared, Listed, RunsCompared
from repro_env.records.definition import Code, Definition, Image, Packages, Unavailable
from repro_env.records.finding import NO, UNKNOWN, YES, Finding
from repro_env.records.observation import File, Host
from repro_env.records.record import Record
from repro_env.runs.collect import Collected
from repro_env.verification import words as verification
from repro_env.verification.outcome import Verification
from repro_env.words import profile, seconds, size

WIDE = 10_000  # where no terminal cuts lines
MOST_FILES = 20
COLOURS = {
    "complete": "green",
    "identical bytes": "green",
    "identical content": "green",
    "running": "blue",
    YES: "red",
    UNKNOWN: "yellow",
    NO: "dim",
}
GROUPS = ("code", "inputs", "environment", "outputs")


def show_list(listed: Sequence[Listed]) -> None:
    """Print a table of runs."""
    if not listed:
        _print("no runs yet: repro run -- COMMAND")
        return
    table = _table("run", "state", "took", "outputs", "command", "reason")
    for one in listed:
        table.add_row(
            one.id,
            _coloured(_state(one)),
            "" if isinstance(one.duration_s, Unavailable) else seconds(one.duration_s),
            str(one.outputs),
            _cut(shlex.join(one.command), 60),
            _cut(one.reason, 60),
        )
    _print(table)


def show_record(record: Record, state: str) -> None:
    """Print what a record says, in short."""
    definition, seen = record.definition, record.observation
    rows = [
        ("run", f"{record.id}, {state}"),
        ("command", shlex.join(definition.command)),
        ("folder", seen.working_folder),
        ("reason", seen.reason),
        ("replays", ", ".join(origin.id for origin in seen.replays)),
        ("started", seen.started),
        ("took", "" if isinstance(seen.duration_s, Unavailable) else seconds(seen.duration_s)),
        ("exit status", _said(seen.exit_status)),
        ("seed, profile", f"{definition.seed}, {profile(definition.profile, definition.threads)}"),
        *((f"parameter {name}", text) for name, text in definition.parameters.items()),
        ("code", _code(definition)),
        ("image", _image(definition)),
        ("packages", _packages(definition)),
        ("machine", _machine(seen.host)),
        ("processes", f"{len(seen.processes)} of Python"),
        *(("input", f"{i.path}: {i.files} files, {size(i.size_bytes)}") for i in definition.inputs),
        *_files(record.outputs),
        *(("deleted", path) for path in record.deleted[:MOST_FILES]),
        *(("note", note) for note in seen.notes),
    ]
    table = _table()
    for name, text in rows:
        if text:
            table.add_row(Text(name, style="bold"), text)
    _print(table)


def show_runs_compared(answer: RunsCompared) -> None:
    """Print what differs between two runs, in groups."""
    comparison = answer.comparison
    _print(f"{comparison.was} and {comparison.now}")
    show_findings(comparison.differences, GROUPS)
    for one in answer.details:
        _print(_in_words(one))
    _print(Text("verdict: ") + _coloured(comparison.verdict))


def show_findings(findings: Sequence[Finding], groups: Iterable[str]) -> None:
    """Print differences, each group under its name."""
    for group in groups:
        found = [one for one in findings if one.group == group]
        if not found:
            _print(Text(f"{group}: ", style="bold") + Text("the same"))
            continue
        _print(Text(f"{group}:", style="bold"))
        last = "differs" if group == "outputs" else "can change bits"
        table = _table("", "was", "now", last, "why")
        for one in found:
            cells = _cut(one.was, 60), _cut(one.now, 60), _coloured(one.can_change_bits)
            table.add_row("  " + one.what, *cells, one.why)
        _print(table)


def show_files_compared(answer: FilesCompared) -> None:
    """Print what differs between two files or folders."""
    for one in answer.differences:
        _print(_in_words(one))
    why = f": {answer.why}" if answer.why else ""
    _print(_coloured(answer.verdict) + Text(why))


def show_verification(found: Verification) -> None:
    """Print what a verify has found; the last line is the verdict."""
    table = _table("attempt", "run", "took", "varied", "verdict", "first difference")
    for number, one in enumerate(found.attempts, 1):
        is_reference = one.run == found.reference
        first = one.divergences[0].text if one.divergences else one.why
        table.add_row(
            str(number),
            one.run,
            seconds(one.duration_s),
            verification.factors(one.varied),
            Text("the reference") if is_reference else _coloured(one.verdict),
            _cut("timed out" if one.timed_out else first, 120),
        )
    _print(table)
    for line in verification.in_words(found):
        _print(line)
    _print(Text("verdict: ") + _coloured(verification.verdict(found)))


def show_collected(answer: Collected) -> None:
    """Print what was removed."""
    for name in answer.runs:
        _print(f"run {name}")
    for name in answer.leftovers:
        _print(name)
    count = len(answer.runs) + len(answer.leftovers)
    said = "would be removed" if answer.is_dry else "removed"
    _print(f"{count} {said}, {size(answer.freed_bytes)}" if count else "nothing to remove")


def _console(stream: IO[str]) -> Console:
    # rich itself heeds NO_COLOR.
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _print(said: str | Text | Table) -> None:
    _console(sys.stdout).print(said, soft_wrap=not isinstance(said, Table))


def _table(*names: str) -> Table:
    table = Table(box=None, show_header=bool(names), padding=(0, 2, 0, 0), header_style="dim")
    for name in names or ("", ""):
        table.add_column(name, overflow="fold", no_wrap=name == "run")
    return table


def _coloured(word: str) -> Text:
    return Text(word, style=COLOURS.get(word, "red"))


def _state(one: Listed) -> str:
    if one.state == "complete" and one.exit_status != 0:
        return f"status {_said(one.exit_status)}"
    return one.state


def _said(value: object) -> str:
    return value.reason if isinstance(value, Unavailable) else str(value)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _code(definition: Definition) -> str:
    code = definition.code
    if not isinstance(code, Code):
        return f"not kept: {code.reason}"
    dirty = ", with changes" if code.is_dirty else ""
    left_out = f"; left out: {', '.join(one.path for one in code.left_out)}"
    said = f"tree {code.tree[:12]}, commit {code.commit[:12] or 'none'}{dirty}"
    return said + (left_out if code.left_out else "")


def _image(definition: Definition) -> str:
    image = definition.image
    if not isinstance(image, Image):
        return image.reason
    return f"{image.stack}, lock {image.lock[:19]}, {_said(image.digest)[:40]}"


def _packages(definition: Definition) -> str:
    packages = definition.packages
    if not isinstance(packages, Packages):
        return packages.reason
    return f"{packages.count} of Python, digest {packages.digest[:12]}"


def _machine(host: Host) -> str:
    if isinstance(host.gpus, Unavailable):
        gpus = host.gpus.reason
    else:
        gpus = ", ".join(gpu.name for gpu in host.gpus) or "no GPU"
    return f"{_said(host.cpu_model)}, {host.cpus:g} CPUs, {gpus}"


def _files(outputs: Sequence[File]) -> list[tuple[str, str]]:
    rows = [
        ("output", f"{file.path}: {size(file.size_bytes)}, {file.sha256[:12]}")
        for file in outputs[:MOST_FILES]
    ]
    rest = len(outputs) - MOST_FILES
    return [*rows, ("output", f"and {rest} more")] if rest > 0 else rows


def _in_words(one: FileDifference) -> str:
    return ": ".join(filter(None, (one.path, one.part, one.text)))
