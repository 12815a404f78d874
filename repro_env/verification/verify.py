"""Prove that a run repeats, or name the first thing that differs.

Attempts are made in fresh processes, each from the same files, and compared with a reference: the
first of them, or a recorded run. With factors to vary, the first attempt has none varied and the
others have all; where they part, the guilty factor is found by halving.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from repro_env import __version__, paths
from repro_env.content.verdict import DIFFERENT, IDENTICAL_BYTES, IDENTICAL_CONTENT, Verdict
from repro_env.errors import RecordError
from repro_env.runs.beginning import Progress, now
from repro_env.runs.store import Store
from repro_env.verification import agreement, bound, laboratory, outcome, recovery
from repro_env.verification.inquiry import Asked, Inquiry, Judged, Say
from repro_env.verification.laboratory import Subject
from repro_env.verification.outcome import Attempt, Cause, Verification


def verify(
    asked: Asked, subject: Subject, runs: Store, progress: Progress, say: Say
) -> Verification:
    """Make attempts, compare them, and keep what was found.

    Args:
        asked: What somebody wants to know.
        subject: Of which command.
        runs: The project's.
        progress: Shows how far copies and digests are.
        say: Says in a line what is being done.

    Raises:
        CommandError: The command can't be started.
        RecordError: Files can't be kept or put back.
    """
    with runs.verifying() as lock, runs.new(runs.verifications) as folder:
        _check(subject, runs, folder)
        with laboratory.opened(subject, runs, folder, progress, lock, asked.jobs) as made:
            inquiry = Inquiry(asked, subject, runs, made, say)
            found = _answer(inquiry, folder.name)
        folder.mkdir(exist_ok=True)
        outcome.write(folder, found)
    return found


def _check(subject: Subject, runs: Store, folder: Path) -> None:
    """Refuse where somebody else's files would be moved, or are still to be put back.

    Raises:
        RecordError: A killed verify has left the folder as its attempt had it; a run is under way
            in it; or it is a home, where all kinds of programs write.
    """
    try:
        recovery.check_none_is_interrupted(runs, subject.root)
        running = sorted(runs.running())
        if running and subject.root == runs.project:
            raise RecordError(
                f"run {running[0]} is under way in this project: its files would be moved",
                hint="wait for it, or end it",
            )
        if Path(os.path.expanduser("~")).is_relative_to(subject.root):  # noqa: PTH111  # never fails
            raise RecordError(
                f"{paths.to_text(subject.root)} is a home, or around one: what other programs "
                "write there meanwhile would be moved",
                hint="verify in a folder of the project's own, or in a git repository",
            )
    except RecordError:
        folder.rmdir()
        raise


def _problem(found: Verification) -> str:
    """Say why a verdict would say nothing; empty if it does."""
    statuses = {one.exit_status for one in found.attempts}
    if len(statuses) == 1 and statuses != {0}:
        return (
            f"the command failed in every attempt, with status {found.attempts[0].exit_status}: "
            "that it fails alike is all this shows"
        )
    if not found.compared and found.verdict != DIFFERENT:
        return (
            "there was nothing to compare: the command made no files below the project and printed "
            "nothing"
        )
    return ""


def _answer(inquiry: Inquiry, name: str) -> Verification:
    started = now()
    inquiry.make_attempts()
    guilty = inquiry.find_guilty()
    return _summed(inquiry, name, started, guilty, inquiry.look_closer())


def _summed(
    inquiry: Inquiry, name: str, started: str, guilty: list[str], cause: Cause | None
) -> Verification:
    judged = inquiry.judged
    agreeing = len(judged) - len(inquiry.differing())
    is_same = agreeing == len(judged)
    reference = inquiry.reference(judged[0].evidence).record
    found = Verification(
        format=outcome.FORMAT,
        id=name,
        written_by=__version__,
        started=started,
        ended=now(),
        command=reference.definition.command,
        reference=reference.id,
        attempts=[_attempt(one) for one in judged],
        verdict=_worst([one.agreement.verdict for one in judged]),
        agreeing=agreeing,
        shown_rate=bound.shown_rate(len(judged)) if is_same else None,
        confidence=bound.CONFIDENCE,
        grade="none",
        robust_to=inquiry.varied if is_same else [],
        not_varied=inquiry.not_varied,
        guilty=guilty,
        cause=cause,
        notes=inquiry.all_notes(),
        compared=agreement.compared(judged[0].evidence),
    )
    problem = _problem(found)
    if problem or not is_same:
        return replace(found, problem=problem, shown_rate=None, robust_to=[])
    return replace(found, grade="robust" if inquiry.varied else "repeatable")


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    order: list[Verdict] = [IDENTICAL_BYTES, IDENTICAL_CONTENT, DIFFERENT]
    return max(verdicts, key=order.index)


def _attempt(one: Judged) -> Attempt:
    seen = one.evidence.record.observation
    assert isinstance(seen.exit_status, int)  # it is over
    assert isinstance(seen.duration_s, (int, float))
    return Attempt(
        run=one.evidence.record.id,
        exit_status=seen.exit_status,
        timed_out=one.evidence.timed_out,
        duration_s=seen.duration_s,
        varied=list(one.evidence.varied),
        verdict=one.agreement.verdict,
        why=one.agreement.why,
        divergences=one.agreement.divergences,
    )
