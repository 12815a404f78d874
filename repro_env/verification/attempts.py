"""Make one attempt: run the command in a site, move what it made aside, put the files back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from repro_env.descendants import below
from repro_env.formats import apart
from repro_env.records.definition import Code
from repro_env.records.record import Record
from repro_env.runs.beginning import Progress
from repro_env.runs.request import Request, Trial
from repro_env.runs.runner import run
from repro_env.runs.store import OUTPUTS, Store
from repro_env.verification import copying
from repro_env.verification.factors import busy
from repro_env.verification.starting import StartingFiles
from repro_env.verification.variations import Variation

GRACE_S = 2.0  # from the request to end until there is no choice
POLL_S = 0.02
REASON = "verify: "  # so the reasons of attempts begin
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Site(NamedTuple):
    """Where attempts run, one after the other.

    Args:
        files: Its files, which are put back after each.
        top: Of the copy of the code that it is; None where it is the project itself.
        is_searched: Whether outputs are looked for in all of it, and not in the command's folder
            alone, as those of recorded runs were.
        descriptors: What attempts inherit: the lock of the project's files.
    """

    files: StartingFiles
    top: Path | None
    is_searched: bool
    descriptors: Sequence[int]


class Wanted(NamedTuple):
    """One attempt that is to be made.

    Args:
        name: What its record says of it, such as `attempt 2 of 3`.
        varied: The factors that are not as in the reference.
        variation: What they are instead.
        plan: What its trace is to hold.
        timeout_s: After that it is ended; None never.
    """

    name: str
    varied: Sequence[str]
    variation: Variation
    plan: dict[str, object]
    timeout_s: float | None


class Attempted(NamedTuple):
    """An attempt that was made.

    Args:
        run: Its record's name.
        varied: The factors that were not as in the reference.
        signal: The number of a signal that came meanwhile and ends the verify; 0 if none.
        timed_out: Whether `--timeout` ended it.
        moved: What it had made or changed, by its path below the site.
        left_running: How many processes it had left, which were ended.
    """

    run: str
    varied: Sequence[str]
    signal: int
    timed_out: bool
    moved: Sequence[str]
    left_running: int


def make(
    wanted: Wanted,
    request: Request,
    site: Site,
    runs: Store,
    *,
    left: Path,
    outputs: tuple[int, int],
    progress: Progress,
) -> Attempted:
    """Make one attempt, and leave the site as it was found.

    Args:
        wanted: Which.
        request: The command, as it is to run in the site.
        site: Where.
        runs: The project's.
        left: Where to move what was made by an attempt that left no record.
        outputs: The descriptors that what it prints is passed on to.
        progress: Shows how far digests are.

    Raises:
        ReproError: As of `runner.run`, or the files can't be put back.
    """
    aside = left
    trial = Trial(
        variables=wanted.variation.variables,
        prepare=wanted.variation.prepare,
        timeout_s=wanted.timeout_s,
        plan={**wanted.plan, **wanted.variation.plan},
        descriptors=site.descriptors,
        root=site.files.folder if site.is_searched else None,
    )
    apart.end_all()  # it would wait for our own readers, too, and then end them
    others = {*below(os.getpid())}
    site.files.is_put_back = False
    try:
        with busy(wanted.variation.load):
            finished = run(
                request._replace(trial=trial, reason=REASON + wanted.name), runs, progress, outputs
            )
        aside = finished.file.parent / OUTPUTS
    finally:
        apart.end_all()
        with unhurried():
            left_running = _end_all_but(others)
            moved = site.files.put_back(aside)
    return Attempted(
        finished.record.id,
        wanted.varied,
        finished.signal,
        finished.timed_out,
        moved,
        left_running,
    )


def _end_all_but(others: set[int]) -> int:
    """End what an attempt has left running: it would write into the files of the next one.

    Returns:
        How many processes that were.
    """
    found = {*below(os.getpid())} - others
    until = time.monotonic() + GRACE_S
    number = signal.SIGTERM
    while left := {*below(os.getpid())} - others:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > until:
            number = signal.SIGKILL
        time.sleep(POLL_S)
    return len(found)


def in_site(request: Request, site: Site, code: Code | None, project: Path) -> Request:
    """Return the same request, to be made in a copy of the project.

    Args:
        request: The command, in the project.
        site: The copy.
        code: The project's code; None where it can't be kept.
        project: The project's folder.
    """
    if site.files.folder == project:
        return request
    folder = Path(os.path.normpath(site.files.folder / os.path.relpath(request.folder, project)))
    return request._replace(folder=folder, top=site.files.folder, code=code)


def share_outputs(runs: Store, was: Record, now: Record) -> None:
    """Have outputs of two attempts that have the same bytes take the room of one."""
    before = {file.path: file.sha256 for file in was.outputs if file.kind == "file"}
    for file in now.outputs:
        if file.kind == "file" and before.get(file.path) == file.sha256:
            mine, theirs = (runs.output(one, file.path) for one in (now, was))
            moved = [one for one in (mine, theirs) if one.is_relative_to(runs.runs)]
            if len(moved) == 2 and mine.is_file() and theirs.is_file():
                copying.share(mine, theirs)


@contextmanager
def unhurried() -> Iterator[None]:
    """Hold back what would end us until this is done."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
