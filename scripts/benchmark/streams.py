"""What a named stream costs, beside NumPy's own generator from a whole number."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence

from benchmark.engine import OUR_CODE, in_container
from benchmark.markdown import Report, duration, table
from benchmark.stack import Stack
from benchmark.turns import verdict

STREAM_PROCESSES = 10
STREAM_BLOCKS = 20
STREAM_TARGET_S = 20e-6

# Each kind of call by the name that `inside.time_streams` gives it.
KINDS = {
    "first": 'the first `stream("augment", 0)`',
    "stream": '`stream("augment", i)`',
    "seed_for": '`seed_for("augment", i)`',
    "default_rng": "`numpy.random.default_rng(i)`",
}


def measure_stream(stack: Stack) -> Report:
    """Time the making of streams, in processes of their own under the hook."""
    call = f"from benchmark.inside import time_streams; time_streams({STREAM_BLOCKS})"
    script = f'for i in $(seq {STREAM_PROCESSES}); do python -c "$0"; done'
    told = in_container(stack.image, "sh", "-euc", script, call, options=OUR_CODE)
    return report([json.loads(line) for line in told.splitlines()])


def report(processes: Sequence[Mapping[str, float]]) -> Report:
    """Return the table of what each process told: the seconds of a call, by its kind."""
    head = ["", "processes", "one call: median", "least", "most", "target", "kept"]
    rows = [_row(kind, [process[kind] for process in processes]) for kind in KINDS]
    return table(head, *rows)


def _row(kind: str, seconds: Sequence[float]) -> list[str]:
    figures = (statistics.median(seconds), min(seconds), max(seconds))
    kept = ["", ""]
    if kind == "stream":
        kept = [duration(STREAM_TARGET_S), verdict(min(seconds), max(seconds), STREAM_TARGET_S)]
    return [KINDS[kind], str(len(seconds)), *map(duration, figures), *kept]
