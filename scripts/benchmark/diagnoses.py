"""What `repro doctor` costs, beside importing the frameworks that it looks into."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

from benchmark.engine import OUR_CODE, in_container
from benchmark.markdown import Report, duration, table
from benchmark.stack import Stack
from benchmark.turns import verdict

DOCTOR_RUNS = 10
DOCTOR_TARGET_S = 0.5


def measure_doctor(stack: Stack) -> Report:
    """Time `repro doctor` and the imports alone, in turns."""
    call = f"from benchmark.inside import time_doctor; time_doctor({DOCTOR_RUNS})"
    return report(*json.loads(in_container(stack.image, "python", "-c", call, options=OUR_CODE)))


def report(ours: Sequence[float], imports: Sequence[float]) -> Report:
    """Return the table of both sides' seconds, and of what lies between them, pair by pair."""
    beyond = [doctor - alone for doctor, alone in zip(ours, imports)]
    kept = verdict(min(beyond), max(beyond), DOCTOR_TARGET_S)
    head = ["", "runs", "median", "least", "most", "target", "kept"]
    return table(
        head,
        ["the imports alone", *_figures(imports), "", ""],
        ["`repro doctor`", *_figures(ours), "", ""],
        ["beyond the imports", *_figures(beyond), duration(DOCTOR_TARGET_S), kept],
    )


def _figures(seconds: Sequence[float]) -> list[str]:
    figures = (statistics.median(seconds), min(seconds), max(seconds))
    return [str(len(seconds)), *map(duration, figures)]
