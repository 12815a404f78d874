"""One stage of a Dockerfile: its settings as shell, and its steps with what they mount."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmark.errors import BenchmarkError

INSTRUCTION = re.compile(r"^([A-Z]+) ((?:.*\\\n)*.*)", re.MULTILINE)
MOUNT = re.compile(r"--mount=(\S+)\s+(?:\\\n\s*)?")


class Step(NamedTuple):
    """A RUN: its shell code, and the bind mounts that it needs, option by option."""

    code: str
    binds: Sequence[Mapping[str, str]]


class Stage(NamedTuple):
    """What a stage does: its ENV as shell code, then its steps."""

    settings: str
    steps: Sequence[Step]


def read_stage(dockerfile: str, name: str) -> Stage:
    """Return the stage of that name.

    Raises:
        BenchmarkError: there is none, or it does more than ENV and RUN.
    """
    found = re.search(rf"^FROM .* AS {name}\n(.*?)(?=^FROM |\Z)", dockerfile, re.M | re.S)
    if not found:
        raise BenchmarkError(f"the Dockerfile has no stage {name}", "name one that it has")
    settings, steps = [], []
    for instruction, body in INSTRUCTION.findall(found[1]):
        if instruction == "ENV":
            settings.append(f"export {body}")
        elif instruction == "RUN":
            steps.append(_step(body))
        else:
            raise BenchmarkError(
                f"the stage {name} has {instruction}, which can't be run by a shell",
                "measure it otherwise, or teach scripts/benchmark/dockerfile.py what it does",
            )
    return Stage("\n".join(settings), steps)


def _step(body: str) -> Step:
    mounts = [
        dict(option.partition("=")[::2] for option in mount.split(","))
        for mount in MOUNT.findall(body)
    ]
    binds = [mount for mount in mounts if mount.get("type", "bind") == "bind"]
    return Step(MOUNT.sub("", body).strip(), binds)
