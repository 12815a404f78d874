"""`repro verify`: what it says on the way, and its answer."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repro_env import display, paths
from repro_env.answers import to_json
from repro_env.content.verdict import DIFFERENT
from repro_env.errors import CommandError
from repro_env.running import progress, request_of, say
from repro_env.runs import replay, workplace
from repro_env.runs.store import Store
from repro_env.verification import bound, factors, recovery
from repro_env.verification.inquiry import Asked
from repro_env.verification.laboratory import Subject
from repro_env.verification.outcome import Verification
from repro_env.verification.verify import verify as verify_subject

ATTEMPTS = 3


def verify(asked: argparse.Namespace) -> int:
    """Make attempts, and print what they show."""
    runs = Store.of(Path.cwd())
    if asked.restore:
        if asked.command or asked.run:
            raise CommandError("--restore only puts files back", hint="give it alone")
        return _restore(runs)
    wanted = _asked(asked)
    with _subject(asked, runs) as subject:
        _check_count(wanted, subject)
        found = verify_subject(wanted, subject, runs, progress, say)
    if asked.json:
        sys.stdout.write(to_json(found))
    else:
        display.show_verification(found)
    return _status(found)


def _status(found: Verification) -> int:
    if not found.problem:
        return int(found.verdict == DIFFERENT)
    sys.stdout.flush()
    hint = f".repro/runs/{found.attempts[0].run}/stderr.log has what it said"
    if not found.attempts[0].exit_status:
        hint = "name what it makes: --out PATH"
    sys.stderr.write(f"error: {found.problem}\n  what to do: {hint}\n")
    return 2


def _asked(asked: argparse.Namespace) -> Asked:
    if asked.attempts is not None and asked.until is not None:
        raise CommandError("-n and --until are both given", hint="give one of them")
    if bool(asked.command) == bool(asked.run):
        what = "both a run and a command are given" if asked.run else "there is nothing to verify"
        raise CommandError(what, hint="repro verify -- python train.py, or: repro verify last")
    count = asked.attempts if asked.until is None else bound.attempts_for(asked.until)
    return Asked(
        attempts=ATTEMPTS if count is None else count,
        stops_early=asked.until is not None,
        vary=[] if asked.vary is None else factors.names(asked.vary),
        steps=asked.steps,
        jobs=asked.jobs,
        timeout_s=asked.timeout,
    )


def _check_count(asked: Asked, subject: Subject) -> None:
    if asked.attempts == 1 and (subject.reference is None or asked.vary):
        raise CommandError(
            "-n 1 is one attempt alone, with nothing to compare it to", hint="-n 2, or more"
        )


@contextmanager
def _subject(asked: argparse.Namespace, runs: Store) -> Iterator[Subject]:
    if asked.command:
        request = request_of(asked, Path.cwd())
        _check_inside(request.outputs, runs)
        yield Subject(request, runs.project)
        return
    if asked.inputs or asked.outputs or asked.parameters or asked.profile or asked.threads:
        raise CommandError(
            "a run has its own inputs, outputs, parameters, profile and threads",
            hint="leave those options out, or give the command after --",
        )
    with replay.source(asked.run, runs) as source, workplace.made(source, runs) as top:
        request = replay.request_of(source, runs, top, progress)
        if asked.seed is not None:  # to see that the check notices
            variables = {**(request.variables or {}), "REPRO_SEED": asked.seed}
            request = request._replace(variables=variables)
        yield Subject(request, top, source.record)
        workplace.remove(top)


def _check_inside(outputs: object, runs: Store) -> None:
    """Refuse outputs that lie where nothing is put back: attempts would see each other's."""
    assert isinstance(outputs, list)
    for path in outputs:
        there = os.path.realpath(path)
        if not Path(there).is_relative_to(os.path.realpath(runs.project)):
            raise CommandError(
                f"--out {path!r} lies outside of {paths.to_text(runs.project)}, where no attempt's "
                "files are moved aside",
                hint="have the command write below the project",
            )


def _restore(runs: Store) -> int:
    done = recovery.restore(runs)
    for folder, aside in done:
        more = f"; what was there is in {paths.to_text(aside)}" if aside.exists() else ""
        print(f"{paths.to_text(folder)} is as it was{more}")
    if not done:
        print("nothing to put back")
    return 0
