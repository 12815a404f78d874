"""From `docker compose up` to both services healthy."""

from __future__ import annotations

import os
import statistics
import time

from benchmark.engine import BENCH, output
from benchmark.markdown import Report, duration, table
from benchmark.stack import Stack
from benchmark.turns import verdict

UP_RUNS = 3
UP_TARGET_S = 10
COMPOSE = ("docker", "compose", "--progress", "quiet")


def measure_up(stack: Stack) -> Report:
    """Time `docker compose up` of a project of our own until both services are healthy."""
    seconds = [_up_seconds(stack) for _ in range(UP_RUNS)]
    figures = (statistics.median(seconds), min(seconds), max(seconds))
    kept = verdict(min(seconds), max(seconds), UP_TARGET_S)
    return table(
        ["runs", "median", "least", "most", "target", "kept"],
        [str(UP_RUNS), *map(duration, figures), f"{UP_TARGET_S} s", kept],
    )


def _up_seconds(stack: Stack) -> float:
    ours = {"COMPOSE_PROJECT_NAME": BENCH, "JUPYTER_PORT": "18888", "SSH_PORT": "12222"}
    env = {**os.environ, **ours, "STACK": stack.name}
    output(*COMPOSE, "down", "--volumes", env=env)
    try:
        began = time.perf_counter()
        output(*COMPOSE, "up", "--detach", "--no-build", "--wait", env=env)
        return time.perf_counter() - began
    finally:
        output(*COMPOSE, "down", "--volumes", env=env)
