"""Where attempts are made: one after the other in the project's folder, or side by side in copies.

Each attempt finds the same files. Copies lie below `.repro/work`, and go when all is done.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from repro_env.errors import RecordError
from repro_env.records.definition import Unavailable
from repro_env.records.record import Record
from repro_env.runs import beginning, store
from repro_env.runs.beginning import Progress
from repro_env.runs.request import Request
from repro_env.runs.store import Store
from repro_env.runs.traced import FOLDER
from repro_env.steps import stream
from repro_env.verification import attempts, reading, starting
from repro_env.verification.agreement import Evidence
from repro_env.verification.attempts import Attempted, Site, Wanted
from repro_env.verification.starting import StartingFiles

PRINTED_BY_ONE = (2, 2)  # results alone go to standard output
HOW_THREADS_WAIT = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}  # the user's own word goes
FIRST = "1"  # of the copies in which attempts are made side by side
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PATIENCE_S = 5.0
LEFT = "left"  # what attempts without a record have made


class Subject(NamedTuple):
    """What is verified.

    Args:
        request: The command.
        root: The folder that is put back after each attempt.
        reference: The recorded run that attempts are compared with; None for the first attempt.
    """

    request: Request
    root: Path
    reference: Record | None = None


class Laboratory:
    """Makes attempts at one command.

    Args:
        subject: What is verified.
        runs: The project's.
        folder: The verification's.
        progress: Shows how far copies and digests are.
        lock: The descriptor of the lock of the project's files.
        jobs: How many attempts are made side by side, each in a copy of its own.
    """

    def __init__(
        self,
        subject: Subject,
        runs: Store,
        folder: Path,
        progress: Progress,
        lock: int,
        jobs: int = 1,
    ) -> None:
        self._subject = subject
        self._lock = lock
        self._jobs = jobs
        self._runs = runs
        self._folder = folder
        self._progress = progress
        self._files = StartingFiles(subject.root, folder)
        self._copies: dict[str, Site] = {}
        self._code = subject.request.code

    def make(self, wanted: Sequence[Wanted]) -> Iterator[Evidence]:
        """Yield what each attempt has left, in their order.

        Args:
            wanted: The attempts.

        Raises:
            KeyboardInterrupt: Ctrl-C ended one.
            ReproError: One can't be made, or the files can't be put back.
        """
        is_single = min(self._jobs, len(wanted)) == 1
        made = map(self._make, wanted) if is_single else self._side_by_side(wanted, self._jobs)
        for one in made:
            if one.signal == signal.SIGINT:
                raise KeyboardInterrupt
            if one.signal:
                raise SystemExit(128 + one.signal)
            yield self._evidence(one)

    def share(self, was: Evidence, now: Evidence) -> None:
        """Have outputs with the same bytes take the room of one."""
        attempts.share_outputs(self._runs, was.record, now.record)

    def _make(self, wanted: Wanted) -> Attempted:
        name = wanted.variation.copy or (FIRST if self._jobs > 1 else "")
        site = self._copy(name) if name else self._site(self._files, self._subject.request.top)
        return self._make_in(site, wanted, PRINTED_BY_ONE)

    def _make_in(self, site: Site, wanted: Wanted, outputs: tuple[int, int]) -> Attempted:
        request = attempts.in_site(self._subject.request, site, self._code, self._subject.root)
        return attempts.make(
            self._beside_others(wanted),
            request,
            site,
            self._runs,
            left=self._folder / LEFT,
            outputs=outputs,
            progress=self._progress,
        )

    def _beside_others(self, wanted: Wanted) -> Wanted:
        """Have threads sleep while they wait: those that spin keep a core from other attempts.

        Also where one attempt is made alone, or its environment would not be the others'.
        """
        if self._jobs == 1 or HOW_THREADS_WAIT & os.environ.keys():
            return wanted
        variation = wanted.variation
        variables = {"OMP_WAIT_POLICY": "passive", **variation.variables}
        return wanted._replace(variation=variation._replace(variables=variables))

    def _evidence(self, made: Attempted) -> Evidence:
        folder = self._runs.runs / made.run
        record = store.read(folder / store.FILE)
        return Evidence(
            record,
            stream.read(folder / FOLDER),
            reading.of(record, folder),
            made.varied,
            made.timed_out,
            made.moved,
            made.left_running,
        )

    def _site(self, files: StartingFiles, top: Path | None) -> Site:
        is_searched = self._subject.reference is None and not self._subject.request.outputs
        return Site(files, top, is_searched, [self._lock])

    def _copy(self, name: str) -> Site:
        """Return a copy of the files in another folder, made where it isn't there yet."""
        if name not in self._copies:
            if self._code is None:
                found = beginning.look_at_code(self._subject.root)
                self._code = None if isinstance(found, Unavailable) else found
            folder = self._work / name / "project"
            files = self._files.copy_to(folder)
            self._copies[name] = self._site(files, folder)
        return self._copies[name]

    @property
    def _work(self) -> Path:
        return self._runs.work / self._folder.name

    def _side_by_side(self, wanted: Sequence[Wanted], jobs: int) -> Iterator[Attempted]:
        """Have each of several processes make every `jobs`-th attempt, in a copy of its own."""
        context: Any = multiprocessing.get_context("fork")
        ends: list[Connection] = []
        workers = []
        for number in range(min(jobs, len(wanted))):
            site = self._copy(f"{number + 1}")
            end, theirs = context.Pipe(duplex=False)
            work = context.Process(
                target=self._work_off,
                args=(site, wanted[number::jobs], f"-{number + 1}", theirs),
                daemon=True,
            )
            work.start()
            theirs.close()
            ends.append(end)
            workers.append(work)
        try:
            for number in range(len(wanted)):
                yield _received(ends[number % len(ends)])
        finally:
            for work in workers:
                work.terminate()  # what runs there is told, too
            for work in workers:
                while work.exitcode is None:  # it may have been in the midst of another signal
                    work.join(PATIENCE_S)
                    work.terminate()

    def _work_off(self, site: Site, wanted: Sequence[Wanted], mark: str, end: Connection) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # their logs have it, each its own
        signal.signal(signal.SIGTERM, _stop)
        with suppress(OSError, AttributeError):  # so that none outlives us; Linux alone can
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        try:
            for one in wanted:
                name = one.variation.copy
                place = self._copy(name + mark) if name else site
                made = self._make_in(place, one, (nowhere, nowhere))
                end.send(made)
                if made.signal:
                    return
        except Exception as error:
            end.send(error)
        except (KeyboardInterrupt, SystemExit):
            return

    def keep(self) -> None:
        """Keep the files as they are."""
        self._files.keep(partial(self._progress, "keeping the files as they are"))

    def leave(self) -> None:
        """Leave nothing but the files as they were."""
        if not self._files.is_put_back:
            self._files.put_back(self._folder / LEFT)
        starting.forget(self._folder)
        shutil.rmtree(self._work, ignore_errors=True)
        for empty in (self._folder / LEFT, self._folder):
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()


@contextmanager
def opened(
    subject: Subject, runs: Store, folder: Path, progress: Progress, lock: int, jobs: int
) -> Iterator[Laboratory]:
    """Keep the files, and leave nothing but them when all is done, whatever has happened.

    Raises:
        RecordError: The files can't be kept.
    """
    laboratory = Laboratory(subject, runs, folder, progress, lock, jobs)
    handlers = {
        number: signal.signal(number, _stop)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) == signal.SIG_DFL
    }
    try:
        laboratory.keep()
        yield laboratory
    finally:
        with attempts.unhurried():
            laboratory.leave()
        for number, before in handlers.items():
            signal.signal(number, before)


def _received(end: Connection) -> Attempted:
    try:
        found = end.recv()
    except EOFError:
        raise RecordError(
            "a process that made attempts was ended from outside",
            hint="see whether there was enough memory, and take fewer --jobs",
        ) from None
    if isinstance(found, Exception):
        raise found
    made: Attempted = found
    return made


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)
