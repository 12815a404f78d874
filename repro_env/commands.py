"""What the commands around runs do: find what was named, ask, and print the answer."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from repro_env import display, paths
from repro_env.answers import (
    ArrayDifference,
    FileDifference,
    FilesCompared,
    Listed,
    Replay,
    RunsCompared,
    to_json,
)
from repro_env.content import differences
from repro_env.content.contents import Difference
from repro_env.content.verdict import DIFFERENT
from repro_env.errors import RecordError
from repro_env.git import code
from repro_env.records.compare import Comparison
from repro_env.records.compare import runs as compare_runs
from repro_env.records.definition import Code, Unavailable
from repro_env.records.finding import UNKNOWN, Finding
from repro_env.records.observation import File
from repro_env.records.record import Record
from repro_env.running import progress, say, say_finished
from repro_env.runs import collect as collecting
from repro_env.runs import files as files_of_runs
from repro_env.runs import pack, replay, store
from repro_env.runs.store import Store
from repro_env.words import size


def list_runs(asked: argparse.Namespace) -> int:
    """Print the project's runs."""
    runs = Store.of(Path.cwd())
    listed = [_listed(runs.runs / name / store.FILE) for name in runs.ids()]
    if asked.json:
        sys.stdout.write(to_json(listed))
    else:
        display.show_list(listed)
    return 0


def show(asked: argparse.Namespace) -> int:
    """Print one record."""
    if asked.run.endswith(pack.SUFFIX):
        with pack.opened(Path(asked.run)) as opened:
            return _show(asked.json, opened.record, opened.text, opened.record.state)
    file, found = _find(asked.run)
    return _show(asked.json, found, file.read_bytes(), store.state_of(file, found.state))


def _show(as_json: bool, found: Record, text: bytes, state: str) -> int:
    if as_json:
        sys.stdout.write(text.decode())
    else:
        display.show_record(found, state)
    return 0


def diff(asked: argparse.Namespace) -> int:
    """Compare two runs, two files or two folders."""
    names = (asked.a, asked.b)
    are_files = [_is_file_or_folder(name) for name in names]
    if are_files[0] != are_files[1]:
        other = names[are_files.index(False)]
        raise RecordError(
            f"{names[are_files.index(True)]!r} is a file or folder, and {other!r} is neither",
            hint="name two runs, two files or two folders",
        )
    if are_files[0]:
        compared = _files_compared(differences.of(Path(asked.a), Path(asked.b)))
        _answer(asked.json, compared, display.show_files_compared)
        return int(compared.verdict == DIFFERENT)
    runs = Store.of(Path.cwd())
    with replay.source(asked.a, runs) as first, replay.source(asked.b, runs) as second:
        answer = _runs_compared(first.record, second.record)
    _answer(asked.json, answer, display.show_runs_compared)
    return int(answer.comparison.verdict == DIFFERENT)


def replay_run(asked: argparse.Namespace) -> int:
    """Run a run again, and compare."""
    runs = Store.of(Path.cwd())
    with replay.source(asked.run, runs) as source:
        was = source.record
        forecast = replay.forecast(was, runs, os.environ, asked.in_place)
        _say_forecast(was, forecast)
        if asked.dry_run:
            return _forecast_only(asked, was, forecast)
        replayed = replay.replay(
            source,
            runs,
            in_place=asked.in_place,
            command=asked.command,
            progress=progress,
            outputs=(2, 2) if asked.json else (1, 2),
        )
    now = replayed.finished.record
    say_finished(now)
    compared = _runs_compared(was, now, replayed.comparison)
    answer = Replay(was.id, now.id, forecast, compared)
    _answer(asked.json, answer, lambda _: display.show_runs_compared(compared))
    return int(compared.comparison.verdict == DIFFERENT)


def pack_run(asked: argparse.Namespace) -> int:
    """Write a run into one file."""
    file, found = _find(asked.run)
    target = Path(asked.output or f"{found.id}{pack.SUFFIX}")
    if not target.name.endswith(pack.SUFFIX):
        raise RecordError(
            f"--output {str(target)!r} does not end with {pack.SUFFIX}",
            hint="so that others know what it is: name it so",
        )
    pack.write(found, file, Store.of(file.parent).project, target, asked.with_inputs)
    print(f"{paths.to_text(target)}: {size(target.stat().st_size)}")
    return 0


def collect(asked: argparse.Namespace) -> int:
    """Remove runs."""
    collected = collecting.collect(
        Store.of(Path.cwd()),
        asked.runs,
        keep=asked.keep,
        older_than_days=asked.older_than,
        is_dry=asked.dry_run,
    )
    _answer(asked.json, collected, display.show_collected)
    return 0


def _answer(as_json: bool, answer: Any, show_it: Callable[[Any], None]) -> None:
    if as_json:
        sys.stdout.write(to_json(answer))
    else:
        show_it(answer)


def _find(name: str) -> tuple[Path, Record]:
    file = Store.of(Path.cwd()).find(name)
    return file, store.read(file)


def _listed(file: Path) -> Listed:
    unknown = Unavailable("the record can't be read")
    try:
        found = store.read(file)
    except RecordError as error:
        why = error.args[0]
        return Listed(file.parent.name, "unreadable", unknown, "", unknown, [], 0, why, "")
    seen = found.observation
    return Listed(
        id=found.id,
        state=store.state_of(file, found.state),
        exit_status=seen.exit_status,
        started=seen.started,
        duration_s=seen.duration_s,
        command=found.definition.command,
        outputs=len(found.outputs),
        reason=seen.reason,
        replays=seen.replays[-1].id if seen.replays else "",
    )


def _is_file_or_folder(name: str) -> bool:
    path = Path(name)
    is_run = path.name == store.FILE or name.endswith(pack.SUFFIX) or (path / store.FILE).is_file()
    return path.exists() and not is_run


def _files_compared(found: differences.Compared) -> FilesCompared:
    return FilesCompared(found.verdict, found.why, [_difference(one) for one in found.differences])


def _difference(one: Difference, path: str = "") -> FileDifference:
    array = one.array and ArrayDifference(
        elements=one.array.elements,
        differing=one.array.differing,
        largest_ulps=one.array.largest_ulps,
        first_index=list(one.array.first_index),
        was=one.array.was,
        now=one.array.now,
    )
    return FileDifference(path or one.path, one.part, one.kind, one.text, array)


def _runs_compared(was: Record, now: Record, comparison: Comparison | None = None) -> RunsCompared:
    compared = comparison or compare_runs(was, now)
    compared, files = _with_files_of_code(was, now, compared)
    return RunsCompared(compared, [*files, *_details(was, now, compared)])


def _with_files_of_code(
    was: Record, now: Record, compared: Comparison
) -> tuple[Comparison, list[FileDifference]]:
    """Name the files of the code that differ; what a run made may lie about, and be no code."""
    trees = [
        one.definition.code.tree for one in (was, now) if isinstance(one.definition.code, Code)
    ]
    found = code.changed(Store.of(Path.cwd()).project, *trees) if len(trees) == 2 else None
    if not found:
        return compared, []
    files = [FileDifference(paths.to_text(path), "", "code", kind) for path, kind in found.items()]
    made = {
        os.path.normpath(f"{run.definition.folder}/{file.path}")
        for run in (was, now)
        for file in run.outputs
    }
    if not {file.path for file in files} <= made:
        return compared, files
    return replace(
        compared, differences=[_only_outputs(one) for one in compared.differences]
    ), files


def _only_outputs(one: Finding) -> Finding:
    if one.what != "git tree":
        return one
    why = "only files that these runs made: other code if they are read"
    return replace(one, can_change_bits=UNKNOWN, why=why)


def _details(was: Record, now: Record, compared: Comparison) -> Iterator[FileDifference]:
    """Look into outputs that differ, where both files are still as their records say."""
    before = {file.path: file for file in was.outputs}
    after = {file.path: file for file in now.outputs}
    for one in compared.differences:
        if one.group == "outputs" and one.what in before and one.what in after:
            pair = _still(was, before[one.what]), _still(now, after[one.what])
            if pair[0] and pair[1]:
                for found in differences.of_files(pair[0], pair[1]).differences:
                    yield _difference(found, one.what)


def _still(record: Record, file: File) -> Path | None:
    path = Store.of(Path.cwd()).output(record, file.path)
    return path if files_of_runs.is_still(path, file) else None


def _say_forecast(was: Record, found: Sequence[Finding]) -> None:
    command = shlex.join(was.definition.command)
    said = "all that is known to decide bits is the same here"
    if found:
        said = "bits may differ:" if replay.is_other(found) else f"{said}, or alike:"
    say(f"run {was.id}: {command}")
    say(said)
    for one in found:
        say(f"  {one.what}: {one.was} there, {one.now} here: {one.why}")


def _forecast_only(asked: argparse.Namespace, was: Record, found: list[Finding]) -> int:
    if asked.json:
        sys.stdout.write(to_json(Replay(was.id, "", found, None)))
    return int(replay.is_other(found))
