"""What a verify has found, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro_env.content.verdict import IDENTICAL_CONTENT
from repro_env.verification import bound
from repro_env.verification.outcome import Attempt, Verification

MOST_NAMED = 3


def in_words(found: Verification) -> Iterator[str]:
    """Yield what stands between the table of attempts and the verdict."""
    yield from divergences(found)
    if found.cause is not None:
        yield f"cause: {found.cause.text}"
        yield from (f"  {detail}" for detail in found.cause.details)
    if found.guilty:
        yield f"guilty: {guilty(found.guilty)}"
    if found.verdict == IDENTICAL_CONTENT:
        why = next((one.why for one in found.attempts if one.why), "")
        yield f"other bytes, which is harmless: {why}"
    yield f"compared: {', '.join(['exit status', *found.compared])}"
    yield shown(found)
    yield f"grade: {grade(found)}"
    yield from (f"not varied: {one.factor}: {one.reason}" for one in found.not_varied)
    yield from (f"note: {note}" for note in found.notes)


def divergences(found: Verification) -> Iterator[str]:
    """Yield the first difference of the first attempt that differs, and what follows from it."""
    one = first_differing(found)
    if one is None:
        return
    for number, divergence in enumerate(one.divergences):
        yield f"{'then' if number else 'first difference'}: {divergence.text}"


def first_differing(found: Verification) -> Attempt | None:
    """Return the first attempt that differs from the reference; None if all agree."""
    return next((one for one in found.attempts if one.divergences), None)


def shown(found: Verification) -> str:
    """Return what the number of attempts shows, in a sentence."""
    return bound.in_words(found.agreeing, len(found.attempts), found.shown_rate)


def grade(found: Verification) -> str:
    """Return the grade, and of `robust`: to what."""
    if found.grade == "robust":
        return f"robust to {', '.join(found.robust_to)}"
    return found.grade


def verdict(found: Verification) -> str:
    """Return the verdict; none where it would say nothing."""
    return "none" if found.problem else found.verdict


def factors(names: Sequence[str]) -> str:
    """Return factors for a cell of a table: many by their number."""
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} factors"


def guilty(names: Sequence[str]) -> str:
    """Return what breaks the agreement, in a sentence."""
    if len(names) == 1:
        return f"{names[0]}: varied alone, it breaks the agreement"
    return f"{', '.join(names)}: varied together, they break the agreement"
