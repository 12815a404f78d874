"""Figures as Markdown tables, and those tables' places in a page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from benchmark.errors import BenchmarkError
from benchmark.turns import Comparison, verdict


class Report(NamedTuple):
    """What one measure found: Markdown, and whether it misses a target for sure."""

    text: str
    missed: bool


def table(head: Sequence[str], *body: Sequence[str]) -> Report:
    """Return a Markdown table; a last cell "no" is a miss."""
    lines = [f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *body]]
    return Report("".join(lines), any(row[-1] == "no" for row in body))


def compare(plain: str, ours: str, *comparisons: Comparison) -> Report:
    """Return the table of comparisons; `plain` and `ours` say what the two sides are."""
    sides = [f"{side}: median (least)" for side in (plain, ours)]
    head = ["", "runs", *sides, "ratio", "95 % interval", "target", "kept"]
    return table(head, *map(_row, comparisons))


def _row(comparison: Comparison) -> list[str]:
    low, high = comparison.interval()
    return [
        comparison.name,
        f"2 x {len(comparison.ours)}",
        *map(_median_and_least, (comparison.plain, comparison.ours)),
        f"**{comparison.ratio():.3f}**",
        f"{low:.3f} to {high:.3f}",
        f"{comparison.target:.2f}",
        verdict(low, high, comparison.target),
    ]


def _median_and_least(seconds: Sequence[float]) -> str:
    return f"{duration(statistics.median(seconds))} ({duration(min(seconds))})"


def duration(seconds: float) -> str:
    """Return seconds with a unit that fits."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} µs"


def megabytes(size_bytes: int) -> str:
    """Return a size in the decimal units that Docker counts in."""
    return f"{size_bytes / 1e6:,.1f} MB"


def replaced(page: str, name: str, text: str) -> str:
    """Return a page with another text between the marks of that name.

    Raises:
        BenchmarkError: the page does not hold both marks once each, in their order.
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended or begin in rest or end in before + after:
        raise BenchmarkError(
            f"the page has no one place for {name}",
            f"give it these two lines, once: {begin.strip()} and {end.strip()}",
        )
    return before + begin + text + end + after
