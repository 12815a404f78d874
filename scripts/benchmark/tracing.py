"""What it costs a training to be followed step by step, and a program to be verified."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmark.engine import OUR_CODE, in_container
from benchmark.markdown import Report, compare, table
from benchmark.records import Pairs, beyond, row
from benchmark.stack import Stack
from benchmark.turns import Comparison

PAIRS = 20  # of processes: a minute of steps of 13 ms, and 40 imports of torch
BLOCKS = 5
STEPS = 20  # of a block
STEPS_TARGET = 1.10

VERIFY_RUNS = 5
ATTEMPTS = 3
TRAINING_STEPS = 220  # with the import of torch, some 5 s
RATIO_TARGET = 1.05
VERIFY_TARGET_S = 1.0

JOBS_ATTEMPTS = 4
JOBS_TARGET = 1.0


def measure_steps(stack: Stack) -> Report:
    """Compare a step that is followed with one that isn't, and a verify with others and without."""
    ours, plain = _timed(stack, f"time_steps({PAIRS}, {BLOCKS}, {STEPS})")
    name = "a step of some 0.8 M parameters"
    steps = compare("alone", "followed", Comparison(name, ours, plain, STEPS_TARGET))
    sides = _timed(stack, f"time_verify({ATTEMPTS}, {TRAINING_STEPS}, {VERIFY_RUNS})")
    verify = report_verify(list(zip(*sides)))
    jobs = report_jobs(
        *_timed(stack, f"time_jobs({JOBS_ATTEMPTS}, {TRAINING_STEPS}, {VERIFY_RUNS})")
    )
    reports = (steps, verify, jobs)
    return Report("\n".join(one.text for one in reports), any(one.missed for one in reports))


def report_verify(pairs: Pairs) -> Report:
    """Return the table of a verify beside as many plain runs: what it takes beyond their share."""
    head = ["", "runs", "beside it: median", "ours: median", "counts", "95 % interval"]
    name = f"`repro verify -n {ATTEMPTS}`, beyond {RATIO_TARGET} x plain runs"
    return table([*head, "target", "kept"], row(name, pairs, beyond_share, VERIFY_TARGET_S))


def report_jobs(ours: Sequence[float], plain: Sequence[float]) -> Report:
    """Return the table of attempts two at a time beside as many one after the other."""
    name = f"`repro verify -n {JOBS_ATTEMPTS}`"
    return compare("`--jobs 1`", "`--jobs 2`", Comparison(name, ours, plain, JOBS_TARGET))


def beyond_share(pairs: Pairs) -> float:
    """Return how many seconds the medians differ, where a share of the plain one is granted."""
    return beyond([(ours, plain * RATIO_TARGET) for ours, plain in pairs])


def _timed(stack: Stack, call: str) -> list[list[float]]:
    """Return the seconds of both sides, as a call of `inside_tracing` tells them."""
    code = f"from benchmark.inside_tracing import {call.partition('(')[0]}; {call}"
    told: list[list[float]] = json.loads(
        in_container(stack.image, "python", "-c", code, options=OUR_CODE)
    )
    return told
