"""Axes: which values are written beside them, and where a value lies."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

HUGE = 1e300  # sums and differences of what is not larger are still finite
TICKS = 5
DECADES = 1000.0  # what spans more than this factor is drawn by its logarithm


class Scale(NamedTuple):
    """The values of an axis.

    Args:
        low: At its beginning: a value, or its logarithm.
        high: At its end.
        is_logarithmic: Whether it counts decades.
        ticks: What is written beside it: where, as a share of its length, and the text.
    """

    low: float
    high: float
    is_logarithmic: bool
    ticks: list[tuple[float, str]]

    def share(self, value: float) -> float:
        """Return where a value lies, as a share of the axis's length."""
        at = math.log10(value) if self.is_logarithmic else _bounded(value)
        return (at - self.low) / (self.high - self.low)


def scale(values: Iterable[float], is_logarithmic: bool = False) -> Scale:
    """Return an axis that holds some finite values, at least one.

    Args:
        values: All above 0 where the axis is to be logarithmic.
        is_logarithmic: Whether it is in any case, and not only where values span decades.
    """
    found = sorted(map(_bounded, values))
    low, high = found[0], found[-1]
    if is_logarithmic or (low > 0 and high / low > DECADES):
        return _logarithmic(low, high)
    return _linear(low, high)


def places(steps: Sequence[int], most: int = 8) -> list[int]:
    """Return the places of an axis of steps that bear a number: round ones, where steps rise."""
    interval = _round_interval(max(steps) - min(steps), most)
    found = [at for at, step in enumerate(steps) if step % interval == 0]
    if 1 < len(found) <= most + 1:
        return found
    count = min(len(steps), most)
    return sorted({at * (len(steps) - 1) // max(1, count - 1) for at in range(count)})


def _round_interval(span: int, most: int) -> int:
    interval = int("1".ljust(len(str(span // most)), "0"))
    return next(
        (interval * factor for factor in (1, 2, 5) if span // (interval * factor) <= most),
        interval * 10,
    )


def _bounded(value: float) -> float:
    return min(max(value, -HUGE), HUGE)


def _linear(low: float, high: float) -> Scale:
    if low == high:
        around = abs(low) * 0.1 or 1.0
        low, high = low - around, high + around
    unit: float = 10.0 ** math.floor(math.log10((high - low) / TICKS))
    interval = next(unit * by for by in (1, 2, 5, 10) if (high - low) / (unit * by) <= TICKS)
    first, last = math.floor(low / interval), math.ceil(high / interval)
    low, high = first * interval, last * interval
    digits = _digits(max(abs(low), abs(high)), interval)
    ticks = [
        ((at - first) / (last - first), _text(at * interval, digits))
        for at in range(first, last + 1)
    ]
    return Scale(low, high, False, ticks)


def _text(value: float, digits: int) -> str:
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.{digits}g}")


def _digits(largest: float, interval: float) -> int:
    """Return how many significant digits tell neighbouring ticks apart."""
    digits = math.floor(math.log10(largest)) - math.floor(math.log10(interval)) + 1
    return min(max(1, digits), 17)


def _logarithmic(low: float, high: float) -> Scale:
    first = math.floor(math.log10(low))
    last = max(first + 1, math.ceil(math.log10(high)))
    interval = -(-(last - first) // TICKS)
    ticks = [((at - first) / (last - first), f"1e{at}") for at in range(first, last + 1, interval)]
    return Scale(first, last, True, ticks)
