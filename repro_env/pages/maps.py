"""Maps of everything that was digested, by steps: where a divergence starts, how it spreads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from repro_env.pages.chart import label, labelled, percent, share
from repro_env.pages.markup import Html, code, element, joined
from repro_env.pages.spread import DIFFERS, MISSING, Row, Start, binned, kind, merged, rows, start
from repro_env.pages.subject import NOT_FOLLOWED, Subject, folded, section
from repro_env.pages.tracks import Track

OPEN = 3  # maps that are shown at once
MOST_MAPS = 12
MOST_BINS = 400
MOST_CELLS = 72_000  # of all maps together, so that a page stays small
LOOKS = {MISSING: "missing", DIFFERS: "differs"}
HOW_TO_READ = (
    "A row is one thing that was digested after each step, in the order in which a step computes "
    "them. It is filled where the digest is not that of the reference: from left to right one sees "
    "how long all was the same, from the first filled cell on how the difference spreads."
)


class _Map(NamedTuple):
    title: str
    steps: list[int]
    rows: list[Row]


def maps(subject: Subject, tracks: Sequence[Track]) -> Html:
    """Return the section of maps."""
    title = "What differs, step by step"
    if len(subject.followed()) < 2:
        return section(title, _why_none(subject))
    found = [one for track in tracks for one in _of_track(subject, track)]
    if not found:
        return section(title, element("p", _all_the_same(subject, tracks)))
    shown = [_drawn(one, _bins(found)) for one in found[:MOST_MAPS]]
    rest = shown[OPEN:]
    return section(
        title,
        element("p", HOW_TO_READ),
        _legend(),
        *shown[:OPEN],
        folded(f"{len(rest)} more maps", *rest) if rest else None,
        element("p", _left_out(len(found))) if len(found) > MOST_MAPS else None,
    )


def _why_none(subject: Subject) -> Html:
    if subject.followed():
        said = "The steps of one run alone were followed: there is nothing to compare them with."
        return element("p", said)
    return NOT_FOLLOWED


def _all_the_same(subject: Subject, tracks: Sequence[Track]) -> str:
    steps = sum(len(track.steps) for track in tracks)
    names = {name for track in tracks for run in track.entries for name in _columns(track, run)}
    return (
        f"Nothing differs: in all {len(subject.followed())} runs the digests of {len(names):,} "
        f"things are the same after each of {steps:,} steps."
    )


def _columns(track: Track, run: str) -> set[str]:
    lists = {entry.columns for entry in track.entries[run] if entry}
    return {name for columns in lists for name, _ in columns}


def _left_out(count: int) -> str:
    return f"{count - MOST_MAPS} more maps are left out: {MOST_MAPS} are enough for a page."


def _of_track(subject: Subject, track: Track) -> Iterator[_Map]:
    first, *others = track.entries
    for run in others:
        found = rows(track, first, run)
        if start(found):
            title = f"{subject.name(run)}: {track.place}, {track.source}"
            yield _Map(title, track.steps, merged(found))


def _bins(found: Sequence[_Map]) -> int:
    height = sum(len(one.rows) for one in found[:MOST_MAPS])
    return min(MOST_BINS, MOST_CELLS // height)


def _drawn(one: _Map, bins: int) -> Html:
    begin = start(one.rows)
    assert begin is not None, "only runs that differ have a map"
    width = -(-len(one.steps) // bins)
    x = _x(begin.place, width, len(one.steps))
    kinds = [kind(row) for row in one.rows]
    body = [
        _row(row, one.steps, width, x, row is begin.row, before not in (None, kinds[at]))
        for at, (row, before) in enumerate(zip(one.rows, [None, *kinds]))
    ]
    return element(
        "table",
        element("caption", element("h3", one.title), _caption(one, begin, width)),
        element("thead", _head(one.steps, width, begin.place)),
        element("tbody", body),
        class_="map",
    )


def _x(place: int, width: int, count: int) -> float:
    return share(place // width, -(-count // width))


def _caption(one: _Map, begin: Start, width: int) -> Html:
    step = element("b", f"{one.steps[begin.place]:,}")
    said = f" A cell stands for {width:,} steps." if width > 1 else ""
    return joined("Starts at step ", step, " in ", _names(begin.row), ".", said)


def _head(steps: Sequence[int], width: int, place: int) -> Html:
    return element(
        "tr",
        element("th", "digest of", scope="col"),
        element("th", "from step", scope="col", class_="from"),
        element("th", _axis(steps, width, place), scope="col"),
    )


def _axis(steps: Sequence[int], width: int, place: int) -> Html:
    said = f"steps {steps[0]:,} to {steps[-1]:,}, the first difference at {steps[place]:,}"
    labels = [
        label(steps[at], _x(at, width, len(steps)), 14, is_extra)
        for at, is_extra in labelled(steps, 6)
    ]
    mark = _mark(_x(place, width, len(steps)), "20", "28")
    title = element("title", said)
    return element("svg", title, labels, mark, class_="axis", width="100%", height=28, role="img")


def _mark(x: float, top: str, bottom: str) -> Html:
    return element("line", x1=percent(x), x2=percent(x), y1=top, y2=bottom, class_="mark")


def _row(
    row: Row, steps: Sequence[int], width: int, x: float, is_first: bool, is_new: bool
) -> Html:
    place = row.first()
    looks = [look for look, is_so in (("first", is_first), ("new", is_new)) if is_so]
    return element(
        "tr",
        element("th", _names(row), scope="row", title=", ".join(row.names)[:500]),
        element("td", "" if place is None else f"{steps[place]:,}", class_="from"),
        element("td", _cells(binned(row.cells, width), x)),
        class_=" ".join(looks) or None,
    )


def _cells(cells: bytes, x: float) -> Html:
    paths = [
        element("path", d=run, class_=look)
        for state, look in LOOKS.items()
        if (run := _runs(cells, state))
    ]
    drawing = element(
        "svg",
        paths,
        viewBox=f"0 0 {len(cells)} 1",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )
    mark = _mark(x, "0", "100%")
    return element("svg", drawing, mark, class_="cells", width="100%", aria_hidden="true")


def _runs(cells: bytes, state: int) -> str:
    """Return a path through the cells of one state, as wide as they are high."""
    parts, at, pen = [], 0, 0
    for found, group in groupby(cells):
        length = len(list(group))
        if found == state:
            parts.append(f"m{at - pen} 0h{length}")
            pen = at + length
        at += length
    return "M0 .5" + "".join(parts) if parts else ""


def _names(row: Row) -> Html:
    """Return a row's name, its kind apart from it; of several the first and the last."""
    word, _, rest = row.names[0].partition(" ")
    if len(row.names) == 1:
        return joined(word, " ", code(_short(rest, 42))) if rest else joined(_short(word, 42))
    last = row.names[-1].partition(" ")[2]
    ends = code(_short(rest, 18)), " to ", code(_short(last, 18))
    return joined(word, " ", ends, f" ({len(row.names)})")


def _short(name: str, length: int) -> str:
    """Return a long name without its middle: its end tells it from others."""
    if len(name) <= length:
        return name
    half = length // 2
    return f"{name[:half]}…{name[-half + 1 :]}"


def _legend() -> Html:
    return element(
        "ul",
        (
            element("li", element("span", class_=f"box {look}"), text)
            for look, text in (
                ("same", "the same"),
                ("differs", "differs"),
                ("missing", "there in one run alone"),
            )
        ),
        class_="legend",
    )
