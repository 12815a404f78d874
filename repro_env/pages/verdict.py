"""What was found, in sentences: the top of the page."""

from __future__ import annotations

import shlex

from repro_env.content.verdict import DIFFERENT, IDENTICAL_BYTES
from repro_env.pages.markup import Html, code, element, joined
from repro_env.pages.subject import Subject
from repro_env.verification import words
from repro_env.verification.outcome import Cause, Divergence, Verification

UNVERIFIED = "not verified"
SIGNS = {  # drawn, so that they show in any font; told apart by shape, not by colour alone
    "agree": "M14 25l8 8 14-17",
    "differ": "M16 16l18 18m0-18l-18 18",
    "unknown": "M18 19a7 7 0 1 1 9 7q-2 1-2 4m0 6v.1",
}


def sentence(found: Verification) -> str:
    """Return the verdict in a sentence."""
    if found.problem:
        return f"no verdict: {found.problem}"
    if found.verdict != DIFFERENT:
        return f"{found.verdict}: {found.agreeing} of {len(found.attempts)} agree"
    differing = sum(one.verdict == DIFFERENT for one in found.attempts)
    first = any(one.run == found.reference for one in found.attempts)
    verb = "differs" if differing == 1 else "differ"
    other = "the first" if first else "the recorded run"
    return f"different: {differing} of {len(found.attempts)} attempts {verb} from {other}"


def banner(subject: Subject) -> Html:
    """Return the verdict and what belongs to it."""
    found = subject.verification
    if found is None:
        return _banner("unknown", UNVERIFIED, *_unverified(subject))
    look = "differ" if found.verdict == DIFFERENT else "agree"
    if found.problem:
        look = "unknown"
    return _banner(look, sentence(found), *_facts(subject, found))


def _banner(look: str, title: str, *rows: tuple[str, str | Html | None]) -> Html:
    ring = element("path", d="M25 3a22 22 0 1 0 .1 0z", class_="ring")
    sign = element("path", d=SIGNS[look], class_="sign")
    drawing = element("svg", ring, sign, viewBox="0 0 50 50", class_="badge", aria_hidden="true")
    facts = [
        joined(element("dt", name), element("dd", value))
        for name, value in rows
        if value is not None
    ]
    head = element("div", drawing, element("h1", title), class_="verdict")
    return element("header", head, element("dl", facts), class_=f"banner {look}")


def _unverified(subject: Subject) -> list[tuple[str, str | Html | None]]:
    runs = subject.runs()
    if not runs:
        return [("run", "there is none")]
    said = "Whether it repeats is not known. This finds out: "
    command = code(f"repro verify {runs[0]}")
    return [("run", code(runs[0])), ("what is known", joined(said, command))]


def _facts(subject: Subject, found: Verification) -> list[tuple[str, str | Html | None]]:
    return [
        ("grade", words.grade(found)),
        ("what this shows", words.shown(found)),
        ("other bytes", _harmless(found)),
        ("first difference", _difference(subject, found)),
        ("cause", _cause(found.cause) if found.cause else None),
        ("guilty", words.guilty(found.guilty) if found.guilty else None),
        ("compared", ", ".join(["exit status", *found.compared])),
        ("command", code(shlex.join(found.command))),
    ]


def _harmless(found: Verification) -> str | None:
    """Say why other bytes are harmless."""
    if found.verdict in (DIFFERENT, IDENTICAL_BYTES):
        return None
    return "; ".join(dict.fromkeys(one.why for one in found.attempts if one.why)) or None


def _difference(subject: Subject, found: Verification) -> Html | None:
    attempt = words.first_differing(found)
    if attempt is None:
        return None
    one = attempt.divergences[0]
    return element(
        "div", joined(element("b", subject.name(attempt.run)), ": ", one.text), values(one)
    )


def values(one: Divergence) -> Html | None:
    """Return both values of what differs, or None where there is no short way to say them."""
    if not one.was and not one.now:
        return None
    return element("p", "was ", code(one.was or "nothing"), ", now ", code(one.now or "nothing"))


def _cause(cause: Cause) -> Html:
    module = element("p", "first module whose output differs: ", code(cause.module))
    return element(
        "div",
        element("p", cause.text),
        module if cause.module else None,
        element("ul", (element("li", one) for one in cause.details)) if cause.details else None,
    )
