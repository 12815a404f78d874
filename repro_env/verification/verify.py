"""Prove that a run repeats, or name the first thing that differs.

Attempts are made in fresh processes, each from the same files, and compared with a reference: the
first of them, or a recorded run. With factors to vary, the first attempt has none varied and the
others have all; where they part, the guilty factor is found by halving.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from repro_env import __version__
from repro_env.content.verdict import DIFFERENT, IDENTICAL_BYTES, IDENTICAL_CONTENT, Verdict
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
    recovery.check_none_is_interrupted(runs, subject.root)
    with runs.new(runs.verifications) as folder:
        with laboratory.opened(subject, runs, folder, progress) as made:
            inquiry = Inquiry(asked, subject, runs, made, say)
            found = _answer(inquiry, folder.name)
        folder.mkdir(exist_ok=True)
        outcome.write(folder, found)
    return found


def has_failed(found: Verification) -> bool:
    """Say whether the command failed alike in every attempt, which verifies nothing."""
    statuses = {one.exit_status for one in found.attempts}
    return len(statuses) == 1 and statuses != {0}


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
    if not is_same or has_failed(found) or not found.compared:
        return found
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
