"""A closer look: two more runs, watched around the first step that differs."""

from __future__ import annotations

from typing import Any

from repro_env.runs.store import Store
from repro_env.runs.traced import FOLDER
from repro_env.steps import deep
from repro_env.verification.agreement import Evidence
from repro_env.verification.outcome import Cause, Divergence


def plan(reference: Evidence, where: Divergence) -> dict[str, Any] | None:
    """Return what a trace is to watch closely; None where the reference has no such step.

    Args:
        reference: The run whose stream the divergence counts in.
        where: The first step that differs.
    """
    for place, stream in sorted(reference.streams.items()):
        if where.entry is not None and where.entry < len(stream.entries):
            entry = stream.entries[where.entry]
            before = [(one.source, one.step) for one in stream.entries[: where.entry]]
            return {
                "place": place,
                "source": entry.source,
                "step": entry.step,
                "number": before.count((entry.source, entry.step)),
            }
    return None


def cause(runs: Store, was: Evidence, now: Evidence, where: Divergence) -> Cause | None:
    """Return where two runs that were watched closely part; None where they agree.

    Args:
        runs: The project's.
        was: The first of the two.
        now: The second.
        where: What was watched.
    """
    folders = [runs.runs / one.record.id / FOLDER for one in (was, now)]
    found = deep.cause(folders[0], folders[1])
    if found is None:
        return None
    return Cause(
        text=found.text,
        step=where.step or 0,
        module=found.module,
        details=list(found.details),
        runs=[was.record.id, now.record.id],
    )
