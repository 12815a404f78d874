"""The loss of every run over its steps, and how far it moves away from the reference's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from repro_env.pages.chart import Line, Mark, drawn, finite
from repro_env.pages.markup import Html, element
from repro_env.pages.spread import first_place
from repro_env.pages.subject import NOT_FOLLOWED, Subject, folded, section
from repro_env.pages.tracks import Track

OPEN = 3  # charts that are shown at once
MOST_CHARTS = 12
MOST_LINES = 8  # of one chart: more can't be told apart
Losses = Sequence["float | None"]


def curves(subject: Subject, tracks: Sequence[Track]) -> Html:
    """Return the section of loss curves."""
    charts = [found for track in tracks if (found := _charts(subject, track))]
    if not charts:
        return section("Loss", _why_none(subject))
    rest = charts[OPEN:MOST_CHARTS]
    more = folded(f"{len(rest)} more processes and sources of steps", *rest) if rest else None
    left_out = f"{len(charts) - MOST_CHARTS} more charts are left out."
    return section(
        "Loss",
        *charts[:OPEN],
        more,
        element("p", left_out) if len(charts) > MOST_CHARTS else None,
    )


def mark(track: Track) -> Mark | None:
    """Return the first place where any run parts from the first one."""
    first, *others = track.entries
    found = [at for run in others if (at := first_place(track, first, run)) is not None]
    if not found:
        return None
    place = min(found)
    return Mark(place, f"runs part at step {track.steps[place]:,}")


def _why_none(subject: Subject) -> Html:
    if subject.followed():
        return element("p", "The steps were followed, and none of them had a loss.")
    return NOT_FOLLOWED


def _charts(subject: Subject, track: Track) -> Html | None:
    losses = {
        run: [one.loss if one else None for one in found] for run, found in track.entries.items()
    }
    if not any(True for values in losses.values() for _ in finite(values)):
        return None
    groups = _groups(losses)
    said = _coincidence(subject, groups, len(losses)), _too_many(groups)
    groups = groups[:MOST_LINES]
    begins = mark(track)
    return element(
        "div",
        _curve(subject, track, groups, losses, begins),
        element("p", " ".join(filter(None, said))),
        (element("p", said) for said in _not_finite(subject, track, groups, losses)),
        _distance(subject, track, groups, losses, begins),
    )


def _groups(losses: dict[str, list[float | None]]) -> list[list[str]]:
    """Return the runs in groups whose losses are all the same to the last bit."""
    found: dict[tuple[str, ...], list[str]] = {}
    for run, values in losses.items():
        found.setdefault(tuple(map(repr, values)), []).append(run)
    return list(found.values())


def _curve(
    subject: Subject,
    track: Track,
    groups: Sequence[Sequence[str]],
    losses: dict[str, list[float | None]],
    begins: Mark | None,
) -> Html:
    lines = [
        Line(subject.names(group), losses[group[0]], look) for look, group in enumerate(groups)
    ]
    title = f"Loss by step: {track.place}, {track.source}"
    description = f"{len(groups)} different curves over {len(track.steps):,} steps."
    return drawn(title, description, track.steps, lines, begins)


def _coincidence(subject: Subject, groups: Sequence[Sequence[str]], runs: int) -> str:
    """Say which curves lie on each other: one could think that they are missing."""
    if runs == 1:
        return "One run alone: there is no other curve to compare this one with."
    if len(groups) == 1:
        return f"All {runs} curves lie on each other: every loss is the same to the last bit."
    said = [
        f"The curves of {subject.names(group)} lie on each other, the same to the last bit."
        for group in groups
        if len(group) > 1
    ]
    return " ".join(said) or "No two curves are the same to the last bit."


def _too_many(groups: Sequence[Sequence[str]]) -> str:
    rest = len(groups) - MOST_LINES
    return f"{rest} more curves are left out." if rest > 0 else ""


def _not_finite(
    subject: Subject,
    track: Track,
    groups: Sequence[Sequence[str]],
    losses: dict[str, list[float | None]],
) -> Iterator[str]:
    for group in groups:
        values = losses[group[0]]
        found = (at for at, one in enumerate(values) if one is not None and not math.isfinite(one))
        at = next(found, None)
        if at is not None:
            said = f"the loss is {values[at]} at step {track.steps[at]:,}, where its curve breaks"
            yield f"{subject.names(group)}: {said}."


def _distance(
    subject: Subject,
    track: Track,
    groups: Sequence[Sequence[str]],
    losses: dict[str, list[float | None]],
    begins: Mark | None,
) -> Html | None:
    """Draw how far losses are apart: what is too little to see in the curves shows here."""
    reference = losses[groups[0][0]]
    lines = [
        Line(subject.names(group), _apart(reference, losses[group[0]]), look)
        for look, group in enumerate(groups)
        if look > 0
    ]
    if not any(True for line in lines for _ in finite(line.values)):
        return None
    title = "Distance from the reference's loss"
    description = "Nothing is drawn where the losses are the same."
    figure = drawn(title, description, track.steps, lines, begins, is_logarithmic=True)
    return element("div", figure, element("p", description))


def _apart(was: Losses, now: Losses) -> list[float | None]:
    """Return distances; where there is none the line is broken, which a value of NaN does."""
    return [
        None if before is None or after is None else abs(before - after) or math.nan
        for before, after in zip(was, now)
    ]
