"""Sides that take turns, and how sure the ratio of two is."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

UNKNOWN = "can't tell"
DRAWS = 2000


class Comparison(NamedTuple):
    """The seconds of two sides that took turns, and what their ratio may be at most."""

    name: str
    ours: Sequence[float]
    plain: Sequence[float]
    target: float

    def ratio(self) -> float:
        """Return the ratio of the medians."""
        return _ratio(list(zip(self.ours, self.plain)))

    def interval(self) -> tuple[float, float]:
        """Return where 95 % of the ratios lie when the pairs are drawn anew (bootstrap)."""
        pairs = list(zip(self.ours, self.plain))
        draw = random.Random(42)
        ratios = sorted(_ratio(draw.choices(pairs, k=len(pairs))) for _ in range(DRAWS))
        beyond = DRAWS // 40
        return ratios[beyond], ratios[-1 - beyond]


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    ours = statistics.median(pair[0] for pair in pairs)
    return ours / statistics.median(pair[1] for pair in pairs)


def verdict(low: float, high: float, target: float) -> str:
    """Say whether a target is kept, as far as an interval tells."""
    if high <= target:
        return "yes"
    return "no" if low > target else UNKNOWN


def take_turns(
    ours: Callable[[], float], plain: Callable[[], float], runs: int, warm_up: int = 0
) -> tuple[list[float], list[float]]:
    """Return the seconds of both sides; which of them goes first changes each time.

    Args:
        ours: runs our side once and returns its seconds.
        plain: the same for the other side.
        runs: how many times each side is counted.
        warm_up: how many times each runs before that, uncounted.
    """
    ours_s, plain_s = in_turns([ours, plain], runs, warm_up)
    return ours_s, plain_s


def in_turns(
    sides: Sequence[Callable[[], float]], runs: int, warm_up: int = 0
) -> list[list[float]]:
    """Return the seconds of any number of sides; their order is turned round each time.

    Args:
        sides: each runs once and returns its seconds.
        runs: how many times each side is counted.
        warm_up: how many times each runs before that, uncounted.
    """
    seconds: list[list[float]] = [[] for _ in sides]
    order = range(len(sides))
    for run in range(-warm_up, runs):
        for side in order if run % 2 else reversed(order):
            took = sides[side]()
            if run >= 0:
                seconds[side].append(took)
    return seconds
