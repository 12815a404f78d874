"""What runs inside the container for `tracing`: trainings that are followed, and verified."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmark.inside import Loop, enter_repository, process_seconds
from benchmark.turns import take_turns


def time_steps(pairs: int, blocks: int, steps: int) -> None:
    """Print, as JSON, the seconds of a step of a training that is followed, and of one that isn't.

    Two processes train the same side by side, and take turns: one waits while the other works.
    Where its memory lies makes a process faster or slower for all of its life, so that many count.

    Args:
        pairs: of fresh processes, one after the other.
        blocks: of each process, whose median counts; one more before is to warm up.
        steps: of a block, whose mean counts.
    """
    training = ["benchmark.training"]
    told: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        with tempfile.TemporaryDirectory() as folder, Loop(training, {}) as plain:
            Path(folder, "plan.json").write_text('{"steps": true}')
            with Loop(training, {"REPRO_TRACE": folder}) as ours:
                turns = partial(ours.seconds, steps), partial(plain.seconds, steps)
                sides = take_turns(*turns, blocks, warm_up=1)
            check_followed(Path(folder), (blocks + 1) * steps)
        for medians, side in zip(told, sides):
            medians.append(statistics.median(side))
    print(json.dumps(told))


def check_followed(folder: Path, steps: int) -> None:
    """End with an error where a trace doesn't hold each step: then nothing was measured."""
    found = sum(file.read_text().count('"digests"') for file in folder.glob("*.steps.jsonl"))
    if found != steps:
        sys.exit(f"{found} of {steps} steps were followed")


def time_verify(attempts: int, steps: int, runs: int) -> None:
    """Print, as JSON, the seconds of a verify of a training, and of as many plain runs of it.

    Args:
        attempts: that the verify makes.
        steps: of the training.
        runs: how many times each side is counted.
    """
    command = enter_training(steps)
    ours = partial(process_seconds, ["repro", "verify", "-n", str(attempts), "--", *command])

    def plain() -> float:
        return sum(process_seconds(command) for _ in range(attempts))

    print(json.dumps(take_turns(ours, plain, runs, warm_up=1)))


def time_jobs(attempts: int, steps: int, runs: int) -> None:
    """Print, as JSON, the seconds of a verify with two jobs, and of one without.

    Args:
        attempts: that each makes.
        steps: of the training.
        runs: how many times each side is counted.
    """
    command = enter_training(steps)

    def seconds(jobs: str) -> float:
        verify = ["repro", "verify", "-n", str(attempts), "--jobs", jobs, "--"]
        return process_seconds([*verify, *command])

    print(json.dumps(take_turns(partial(seconds, "2"), partial(seconds, "1"), runs, warm_up=1)))


def enter_training(steps: int) -> list[str]:
    """Go into a new git repository with a training, and return its command."""
    enter_repository("training.py", Path(__file__).with_name("training.py").read_text())
    return [sys.executable, "training.py", str(steps)]
