"""A chart of lines over steps, as SVG that stretches while its words keep their size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import NamedTuple

from repro_env.pages import scale
from repro_env.pages.markup import Html, element, joined

MOST_POINTS = 1600
WIDTH = 1000  # of the drawing, in its own units
HEIGHT = 260  # of the drawing, in pixels
TOP = 22  # pixels above it, for the mark's words
BOTTOM = 26  # pixels below it, for the steps
LEFT = 64  # pixels beside it, for the values
LOOKS = 8  # how many lines look different: page.css has a colour and dashes for each


class Line(NamedTuple):
    """One line.

    Args:
        label: What it shows.
        values: At each place; None where there is none.
        look: Its number among the lines of the same section: it has one look in all charts.
    """

    label: str
    values: Sequence[float | None]
    look: int


class Mark(NamedTuple):
    """A place to point at.

    Args:
        place: Which.
        text: Why.
    """

    place: int
    text: str


def drawn(
    title: str,
    description: str,
    steps: Sequence[int],
    lines: Sequence[Line],
    mark: Mark | None,
    is_logarithmic: bool = False,
) -> Html:
    """Return a figure: a chart and its legend.

    Args:
        title: What it shows.
        description: The same in a sentence, for those who can't see it.
        steps: The number of each place.
        lines: At least one of them has a finite value.
        mark: Where to point at.
        is_logarithmic: Whether values are drawn by their logarithms in any case.
    """
    values = chain.from_iterable(finite(line.values) for line in lines)
    axis = scale.scale(values, is_logarithmic)
    plot = element(
        "svg",
        element("title", title),
        element("desc", description),
        _grid(axis),
        _steps(steps),
        _mark(mark, len(steps)),
        _lines(lines, axis, mark, len(steps)),
        class_="plot",
        width="100%",
        height=TOP + HEIGHT + BOTTOM,
        role="img",
    )
    chart = element("div", _values(axis), plot, class_="chart")
    return element("figure", element("figcaption", title), chart, _legend(lines))


def finite(values: Iterable[float | None]) -> Iterator[float]:
    """Return the values that can be drawn."""
    return (value for value in values if value is not None and math.isfinite(value))


def share(place: int, count: int) -> float:
    """Return where a place lies, as a share of the axis: in the middle of its part."""
    return (place + 0.5) / count


def percent(part: float) -> str:
    """Return a share as SVG writes it."""
    return f"{100 * part:.2f}".rstrip("0").rstrip(".") + "%"


def labelled(steps: Sequence[int], most: int = 8) -> list[tuple[int, bool]]:
    """Return the places that bear their steps' numbers, and whether narrow windows do without."""
    places = scale.places(steps, most)
    return [(place, (len(places) - at) % 2 == 0) for at, place in enumerate(places)]


def label(step: int, part: float, y: float, is_extra: bool) -> Html:
    """Return a step's number at its place."""
    return element(
        "text",
        f"{step:,}",
        x=percent(part),
        y=y,
        text_anchor=_anchor(part),
        class_="extra" if is_extra else None,
    )


def _anchor(part: float) -> str:
    """Return which end of a text stands at its place: none may leave the drawing."""
    if part < 0.06:
        return "start"
    return "end" if part > 0.94 else "middle"


def _grid(axis: scale.Scale) -> Iterator[Html]:
    for part, _ in axis.ticks:
        y = _height(part)
        yield element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid")


def _values(axis: scale.Scale) -> Html:
    labels = (
        element("text", text, x=LEFT - 8, y=_height(part), dy=4, text_anchor="end")
        for part, text in axis.ticks
    )
    name = element("text", "step", x=LEFT - 8, y=TOP + HEIGHT + 20, text_anchor="end")
    return element(
        "svg",
        labels,
        name,
        class_="values",
        width=LEFT,
        height=TOP + HEIGHT + BOTTOM,
        aria_hidden="true",
    )


def _steps(steps: Sequence[int]) -> Iterator[Html]:
    for place, is_extra in labelled(steps):
        part = share(place, len(steps))
        x, y = percent(part), TOP + HEIGHT
        yield element("line", x1=x, x2=x, y1=y, y2=y + 5, class_="tick")
        yield label(steps[place], part, y + 20, is_extra)


def _mark(mark: Mark | None, count: int) -> Html | None:
    if mark is None:
        return None
    part = share(mark.place, count)
    x = percent(part)
    return joined(
        element("line", x1=x, x2=x, y1=TOP - 6, y2=TOP + HEIGHT, class_="mark"),
        element(
            "text",
            mark.text,
            x=x,
            y=TOP - 10,
            text_anchor="start" if part < 0.5 else "end",
            class_="marked",
        ),
    )


def _lines(lines: Sequence[Line], axis: scale.Scale, mark: Mark | None, count: int) -> Html:
    """Return the lines in a drawing of their own, which alone is stretched; the last on top."""
    at = mark.place if mark else None
    paths = [
        element("path", d=_path(line.values, axis, count, at), class_=_look(line)) for line in lines
    ]
    return element(
        "svg",
        paths,
        y=TOP,
        width="100%",
        height=HEIGHT,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        overflow="visible",
    )


def _path(values: Sequence[float | None], axis: scale.Scale, count: int, kept: int | None) -> str:
    """Return a line's points; it is broken where a value is not finite."""
    parts = []
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    for is_drawn, group in groupby(known, key=lambda point: math.isfinite(point[1])):
        if is_drawn:
            points = thinned(list(group), kept)
            parts.append("M" + "L".join(_point(*point, axis, count) for point in points))
            parts.append("h0" if len(points) == 1 else "")  # a point shows by its round ends
    return "".join(parts)


def _point(place: int, value: float, axis: scale.Scale, count: int) -> str:
    y = HEIGHT * (1 - axis.share(value))
    return f"{WIDTH * share(place, count):.1f} {y:.1f}".replace(".0", "")


def thinned(
    points: Sequence[tuple[int, float]], kept: int | None = None
) -> list[tuple[int, float]]:
    """Return fewer points that look the same: of each short stretch its ends and extremes.

    Args:
        points: Places and values.
        kept: A place that stays.

    Source:
        Jugel et al., M4: A Visualization-Oriented Time Series Data Aggregation, VLDB 2014
    """
    if len(points) <= MOST_POINTS:
        return list(points)
    bins = MOST_POINTS // 4
    edges = [at * len(points) // bins for at in range(bins + 1)]
    found = {at: None for low, high in zip(edges, edges[1:]) for at in _telling(points, low, high)}
    return [points[at] for at in sorted({*found, *_at(points, kept)})]


def _telling(points: Sequence[tuple[int, float]], low: int, high: int) -> Iterable[int]:
    stretch = range(low, high)
    return (
        low,
        min(stretch, key=lambda at: points[at][1]),
        max(stretch, key=lambda at: points[at][1]),
        high - 1,
    )


def _at(points: Sequence[tuple[int, float]], place: int | None) -> Iterator[int]:
    return (at for at, point in enumerate(points) if point[0] == place)


def _height(part: float) -> str:
    return f"{TOP + HEIGHT * (1 - part):.1f}"


def _legend(lines: Sequence[Line]) -> Html:
    return element("ul", map(_entry, lines), class_="legend")


def _look(line: Line) -> str:
    return f"line look{line.look % LOOKS}"


def _entry(line: Line) -> Html:
    sample = element("path", d="M1 6h30", class_=_look(line))
    return element(
        "li", element("svg", sample, width=32, height=12, aria_hidden="true"), line.label
    )
