"""BuildKit's plain log to the steps of a build, and the time they cover.

A step is a line with its number and name, its output, and a line with the seconds it took. Steps
run side by side, so that a step's name comes again each time the log returns to it. The name
has the target in front where `bake` builds several, and the platform where that is not ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

NAME = re.compile(r"#(\d+) \[(?:\S+ )*?(\S+) +\d+/\d+\] (.+)")
EXPORT_NAME = re.compile(r"#(\d+) (?:\[\S+\] )?((?:export|import)ing to .+)")
OTHER_NAME = re.compile(r"#(\d+) \[(\S+ )?(internal|auth)\] (.+)")
DONE = re.compile(r"#(\d+) DONE ([\d.]+)s")

EXPORT = "export"


class Step(NamedTuple):
    """A finished step: its stage, what it did, how long that took, and when its end was told."""

    stage: str
    code: str
    took_s: float
    ended_s: float

    @property
    def name(self) -> str:
        """The stage, and the first words of what it runs."""
        words = re.sub(r"--mount=\S+|set -eux;|^RUN ", " ", self.code).split()
        return f"{self.stage}: `{' '.join(words)[:60].strip()}`"


def read_steps(log: Iterable[tuple[float, str]]) -> list[Step]:
    """Return the finished steps in the order they ended; a cached one is none.

    Args:
        log: each line, after the seconds at which it came.
    """
    names: dict[str, tuple[str, str]] = {}
    steps = []
    for came_s, line in log:
        if found := NAME.match(line):
            names[found[1]] = (found[2], found[3])
        elif found := EXPORT_NAME.match(line):
            names[found[1]] = (EXPORT, found[2])
        elif found := OTHER_NAME.match(line):
            names[found[1]] = (found[3], found[4])
        elif (found := DONE.match(line)) and found[1] in names:
            steps.append(Step(*names[found[1]], float(found[2]), came_s))
    return steps


def seconds_of(steps: Iterable[Step], stage: str) -> float:
    """Return the seconds in which any step of a stage ran."""
    return covered_seconds(step for step in steps if step.stage == stage)


def covered_seconds(steps: Iterable[Step]) -> float:
    """Return the seconds in which any of the steps ran, those side by side counted once."""
    covered_s, reached_s = 0.0, float("-inf")
    for began_s, ended_s in sorted((step.ended_s - step.took_s, step.ended_s) for step in steps):
        covered_s += max(0.0, ended_s - max(began_s, reached_s))
        reached_s = max(reached_s, ended_s)
    return covered_s
