"""A whole build without cached layers, step by step; there is nothing to compare it with."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from benchmark.engine import BENCH, PROJECT, failed, output
from benchmark.markdown import Report, table
from benchmark.stack import Stack
from benchmark.steps import EXPORT, Step, covered_seconds, read_steps, seconds_of

SHOWN_FROM_S = 1.0


class Build(NamedTuple):
    """What a build took, and its steps in the order they ended."""

    took_s: float
    steps: Sequence[Step]


@cache  # two measures ask for it
def time_build(stack: Stack) -> Build:
    """Build a stack's image without cached layers, and remove it."""
    tag = f"{BENCH}:{stack.name}"
    command = stack.bake(tag, "--no-cache", "--progress=plain")
    settings = stack.settings()
    log: list[tuple[float, str]] = []
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=PROJECT, env=settings, stderr=subprocess.PIPE, text=True
    ) as build:
        assert build.stderr is not None  # it is a pipe
        for line in build.stderr:
            log.append((time.perf_counter() - began, line))
    took_s = time.perf_counter() - began
    if build.returncode:
        sys.stderr.writelines(line for _, line in log)
        raise failed(command, build.returncode)
    output("docker", "image", "rm", tag)
    return Build(took_s, read_steps(log))


def measure_build(stack: Stack) -> Report:
    """Time each step of a build without cached layers."""
    took_s, steps = time_build(stack)
    shown = [(step.name, step.took_s) for step in steps if step.stage != EXPORT]
    between_s = took_s - covered_seconds(steps)
    rows = [
        *((name, seconds) for name, seconds in shown if seconds >= SHOWN_FROM_S),
        ("between them, where Docker keeps each layer", between_s),
        ("the export: the layers become an image", seconds_of(steps, EXPORT)),
        ("**the whole**", took_s),
    ]
    return table(["step", "took"], *([name, f"{seconds:.1f} s"] for name, seconds in rows))
