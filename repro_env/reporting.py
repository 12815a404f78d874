"""`repro report`: find what a page is to be about, and write it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from repro_env import paths
from repro_env.errors import RecordError
from repro_env.pages import report as pages
from repro_env.records.record import Record
from repro_env.runs import store
from repro_env.runs.store import Store
from repro_env.runs.traced import FOLDER
from repro_env.steps import stream
from repro_env.verification import outcome
from repro_env.verification.attempts import REASON
from repro_env.verification.outcome import Verification
from repro_env.words import size

SUFFIX = ".html"


def report(asked: argparse.Namespace) -> int:
    """Write the page, and say where."""
    runs = Store.of(Path.cwd())
    found = _verification(asked.run, runs)
    names = _runs_of(found) if found else [runs.find(asked.run).parent.name]
    records = _records(names, runs)
    if found is None:
        records = {runs.read(asked.run).id: runs.read(asked.run)}
    target = Path(asked.output or f"{found.id if found else next(iter(records))}{SUFFIX}")
    streams = {name: list(stream.read(runs.runs / name / FOLDER).values()) for name in records}
    text = pages.page(found, records, streams)
    _write(target, text)
    print(f"{paths.to_text(target)}: {size(target.stat().st_size)}")
    return 0


def _verification(name: str, runs: Store) -> Verification | None:
    """Return the newest verification of that name, or that has that run among its attempts."""
    files = sorted(runs.verifications.glob(f"*/{outcome.FILE}"), reverse=True)
    if name == "last" and files and runs.read(name).observation.reason.startswith(REASON):
        return next(_readable(files), None)
    by_name = [file for file in files if name and file.parent.name.startswith(name)]
    if len(by_name) == 1:
        return outcome.read(by_name[0])
    run = _run(name, runs)
    return next((one for one in _readable(files) if run in _runs_of(one)), None)


def _readable(files: Sequence[Path]) -> Iterator[Verification]:
    for file in files:
        with suppress(RecordError):
            yield outcome.read(file)


def _run(name: str, runs: Store) -> str:
    return runs.find(name).parent.name


def _runs_of(found: Verification) -> list[str]:
    cause = [] if found.cause is None else found.cause.runs
    return list(dict.fromkeys([found.reference, *(one.run for one in found.attempts), *cause]))


def _records(names: Sequence[str], runs: Store) -> dict[str, Record]:
    """Return the records that are still here."""
    here = {*runs.ids()}
    return {name: store.read(runs.runs / name / store.FILE) for name in names if name in here}


def _write(target: Path, text: str) -> None:
    target = target.resolve()  # a link stays one
    if target.exists() and not target.is_file():
        raise RecordError(
            f"{paths.to_text(target)} is no file", hint="name a file: --output report.html"
        )
    temporary = target.with_name(f".{target.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        raise RecordError(
            f"{paths.to_text(target)} can't be written: {error.strerror}",
            hint="name another file: --output FILE",
        ) from None
