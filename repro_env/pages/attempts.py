"""The attempts and what was varied among them, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from repro_env.content.verdict import DIFFERENT
from repro_env.pages.markup import Html, code, element, joined
from repro_env.pages.subject import Subject, cut, folded, row, section, table
from repro_env.pages.verdict import values
from repro_env.verification.outcome import Attempt, Verification
from repro_env.words import seconds

HEADS = ("attempt", "run", "status", "took", "varied", "verdict", "first difference")
FACTOR_HEADS = ("factor", "varied", "result")
ALL_HEADS = ("attempt", "kind", "what differs")


def attempts(subject: Subject) -> Html | None:
    """Return the section of attempts, or None where there were none."""
    found = subject.verification
    if found is None:
        return None
    rows = [_row(at, one, found.reference) for at, one in enumerate(found.attempts, 1)]
    whole = table("Attempts", HEADS, list(cut(rows, len(HEADS))))
    return section("Attempts", _reference(found), whole, _all_differences(subject, found))


def factors(subject: Subject) -> Html | None:
    """Return the section of what was varied, or None where nothing was verified."""
    found = subject.verification
    if found is None:
        return None
    varied = list(dict.fromkeys(name for one in found.attempts for name in one.varied))
    if not varied and not found.not_varied:
        said = (
            "Nothing was varied: ",
            code("repro verify --vary all"),
            " varies what must not matter.",
        )
        return section("What was varied", element("p", said))
    rows = [row(FACTOR_HEADS, name, *_effect(found, name)) for name in varied]
    rows += [row(FACTOR_HEADS, one.factor, "not varied", one.reason) for one in found.not_varied]
    return section("What was varied", table("Factors", FACTOR_HEADS, rows))


def _reference(found: Verification) -> Html | None:
    if found.reference in (one.run for one in found.attempts):
        return None
    return element("p", "All are compared with the recorded run ", code(found.reference), ".")


def _row(number: int, one: Attempt, reference: str) -> Html:
    first = one.divergences[0] if one.divergences else None
    return row(
        HEADS,
        str(number),
        code(one.run),
        _status(one),
        seconds(one.duration_s),
        ", ".join(one.varied) or "nothing",
        _verdict(one) if one.run != reference else "the reference",
        first.text if first else "none",
    )


def _status(one: Attempt) -> str:
    return f"{one.exit_status}, timed out" if one.timed_out else str(one.exit_status)


def _verdict(one: Attempt) -> Html:
    look = "differ" if one.verdict == DIFFERENT else "agree"
    sign = "≠ " if one.verdict == DIFFERENT else "= "
    word = element("span", sign + one.verdict, class_=f"word {look}")
    return joined(word, f": {one.why}" if one.why else None)


def _all_differences(subject: Subject, found: Verification) -> Html | None:
    """Return a table of all that differs, where an attempt differs in more than one thing."""
    if all(len(one.divergences) < 2 and not _has_values(one) for one in found.attempts):
        return None
    rows = list(_differences(subject, found))
    whole = table("All that differs", ALL_HEADS, list(cut(rows, len(ALL_HEADS))))
    return folded(f"All that differs, first of each kind ({len(rows)})", whole)


def _has_values(attempt: Attempt) -> bool:
    return any(one.was or one.now for one in attempt.divergences)


def _differences(subject: Subject, found: Verification) -> Iterator[Html]:
    for attempt in found.attempts:
        for one in attempt.divergences:
            said = joined(one.text, values(one))
            yield row(ALL_HEADS, subject.name(attempt.run), one.kind, said)


def _effect(found: Verification, name: str) -> tuple[str, str]:
    times = sum(name in one.varied for one in found.attempts)
    said = f"in {times} of {len(found.attempts)} attempts"
    if name in found.guilty:
        return said, "guilty: varying it breaks the agreement"
    return said, "attempts agree" if name in found.robust_to else "not shown to be harmless"
