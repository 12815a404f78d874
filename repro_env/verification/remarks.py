"""What the reader of a verify should know of its attempts, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro_env import paths
from repro_env.runs.store import Store
from repro_env.verification import agreement
from repro_env.verification.agreement import Evidence

MOST_NAMED = 3
UNREADABLE = "unreadable"  # so the kind of a column says that nothing of it was digested


def of(attempts: Sequence[Evidence], runs: Store) -> list[str]:
    """Return what is to be known of attempts, the first of which the others are held against."""
    return [
        *_of_leftovers(attempts),
        *_of_files(attempts, runs),
        *_of_printed(attempts, runs),
        *_of_generators(attempts),
        *_of_steps(attempts[0]),
    ]


def _of_leftovers(attempts: Sequence[Evidence]) -> Iterator[str]:
    count = max(one.left_running for one in attempts)
    if count:
        yield f"{count} processes that the command had left running were ended after each attempt"


def _of_files(attempts: Sequence[Evidence], runs: Store) -> Iterator[str]:
    """Name files that one attempt alone made or changed: somebody else may have, meanwhile."""
    if len(attempts) < 2:
        return
    for number, one in enumerate(attempts, 1):
        others = {path for other in attempts if other is not one for path in other.moved}
        alone = sorted(set(one.moved) - others)
        if alone:
            named = ", ".join(map(paths.to_text, alone[:MOST_NAMED]))
            more = f" and {len(alone) - MOST_NAMED} more" if len(alone) > MOST_NAMED else ""
            place = paths.to_text(runs.moved(one.record.id))
            yield (
                f"{named}{more} was made or changed during attempt {number} alone, perhaps not by "
                f"it: it lies in {place} now"
            )


def _of_printed(attempts: Sequence[Evidence], runs: Store) -> Iterator[str]:
    first, *others = attempts
    for one in others:
        if first.record.outputs and not one.varied:
            text = agreement.printed(first.record, one.record, runs)
            if text:
                yield f"what they printed differs, which does not count beside outputs: {text}"
                return


def _of_generators(attempts: Sequence[Evidence]) -> Iterator[str]:
    first, *others = (agreement.killed(one.record) for one in attempts)
    numbers = [str(number) for number, count in enumerate(others, 2) if count != first]
    if numbers:
        yield (
            f"the final states of generators were not compared in attempt {', '.join(numbers)}: "
            "there, or in the first, a program was killed before it had ended"
        )
    numbers = [str(number) for number, count in enumerate(others, 2) if count == first > 0]
    if numbers:
        yield (
            "the final states of generators of a program that was killed before it had ended, "
            f"there and in the first, were not compared in attempt {', '.join(numbers)}"
        )


def _of_steps(one: Evidence) -> Iterator[str]:
    """Name what could not be compared in the steps."""
    for stream in one.streams.values():
        yield from stream.notes
        columns = dict(column for entry in stream.entries for column in entry.columns)
        yield from (
            f"{name} could not be compared: {kind}"
            for name, kind in columns.items()
            if UNREADABLE in kind
        )
