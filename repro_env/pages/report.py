"""The page of `repro report`: what a verify has found, or what is known of a single run.

One file that needs nothing from outside and holds no script; the same inputs give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from repro_env.pages import attempts, curves, facts, maps, verdict
from repro_env.pages.markup import Html, code, element, joined
from repro_env.pages.subject import Subject
from repro_env.records.record import Record
from repro_env.steps.stream import Stream
from repro_env.verification.outcome import Verification

STYLE = Path(__file__).with_name("page.css")


def page(
    verification: Verification | None,
    records: Mapping[str, Record],
    streams: Mapping[str, Sequence[Stream]],
) -> str:
    """Return the page's HTML.

    Args:
        verification: None for a run that was never verified.
        records: By run: the reference's and the attempts', as far as they are kept.
        streams: By run: what was followed step by step.
    """
    subject = Subject(verification, records, streams)
    style = Html(STYLE.read_text(encoding="utf-8"))
    document = element("html", _head(subject, style), element("body", _body(subject)), lang="en")
    return f"<!doctype html>\n{document}\n"


def _head(subject: Subject, style: Html) -> Html:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", _title(subject)),
        element("style", style),
    )


def _policy(style: Html) -> str:
    """Return a policy that allows this style and nothing else.

    Source:
        https://www.w3.org/TR/CSP3/
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _title(subject: Subject) -> str:
    found = subject.verification
    if found is None:
        return f"{verdict.UNVERIFIED}: {', '.join(subject.runs())}"
    return f"{verdict.sentence(found)} ({found.id})"


def _body(subject: Subject) -> Html:
    tracks = subject.tracks()
    sections = (
        attempts.attempts(subject),
        curves.curves(subject, tracks),
        maps.maps(subject, tracks),
        attempts.factors(subject),
        facts.environment(subject),
        facts.outputs(subject),
        facts.notes(subject),
    )
    return joined(element("main", verdict.banner(subject), sections), _foot(subject))


def _foot(subject: Subject) -> Html | None:
    found = subject.verification
    if found is None:
        return None
    said = f", {found.started} to {found.ended}, by repro-env {found.written_by}."
    return element("footer", "Verification ", code(found.id), said)
