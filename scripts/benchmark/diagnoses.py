"""What `repro doctor` costs, beside what it looks into."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Sequence

from benchmark.engine import OUR_CODE, in_container
from benchmark.markdown import Report, duration, table
from benchmark.stack import Stack
from benchmark.turns import DRAWS, verdict

# What is looked into, and how often: the imports vary by seconds, so they need many turns.
RUNS = {"the frameworks' imports": 30, "a bare Python": 30}
TARGET_S = 0.5


def measure_doctor(stack: Stack) -> Report:
    """Time `repro doctor`, and what it looks into without it, in turns."""
    call = f"from benchmark.inside import time_doctor; time_doctor({list(RUNS.values())})"
    told = json.loads(in_container(stack.image, "python", "-c", call, options=OUR_CODE))
    head = [
        "",
        "runs",
        "alone: median",
        "with the doctor",
        "more",
        "95 % interval",
        "target",
        "kept",
    ]
    return table(head, *(row(name, *sides) for name, sides in zip(RUNS, told)))


def row(name: str, ours: Sequence[float], alone: Sequence[float]) -> list[str]:
    """Return the table's row: the difference of the medians, and how sure it is."""
    pairs = list(zip(ours, alone))
    draw = random.Random(42)
    drawn = sorted(_more(draw.choices(pairs, k=len(pairs))) for _ in range(DRAWS))
    low, high = drawn[DRAWS // 40], drawn[-1 - DRAWS // 40]
    return [
        name,
        f"2 x {len(pairs)}",
        *(duration(statistics.median(side)) for side in (alone, ours)),
        f"**{_more(pairs):.3f} s**",
        f"{low:.3f} to {high:.3f}",
        f"{TARGET_S} s",
        verdict(low, high, TARGET_S),
    ]


def _more(pairs: Sequence[tuple[float, float]]) -> float:
    ours, alone = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    return ours - alone
