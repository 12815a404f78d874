"""What runs inside the container, in Debian's own Python, which has no hook: timing starts."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from benchmark.turns import take_turns


def time_starts(environment: str, code: str, runs: int) -> None:
    """Print, as JSON, the seconds of Python's starts with the hook and without.

    It is one interpreter, with one set of variables: all that comes and goes is the `.pth` file.

    Args:
        environment: a virtual environment's folder.
        code: what each Python runs.
        runs: how many times each side is counted.
    """
    (hook,) = Path(environment).glob("lib/python3*/site-packages/repro_env.pth")
    away = hook.with_suffix(".away")

    def ours() -> float:
        return start_seconds(f"{environment}/bin/python", code)

    def plain() -> float:
        hook.rename(away)
        try:
            return ours()
        finally:
            away.rename(hook)

    print(json.dumps(take_turns(ours, plain, runs, warm_up=2)))


def start_seconds(python: str, code: str) -> float:
    """Return how long one process took, from its spawning to its end."""
    silent = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    began = time.perf_counter()
    process = os.posix_spawn(python, [python, "-c", code], os.environ, file_actions=silent)
    _, status = os.waitpid(process, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"python -c {code!r} ended with wait status {status}")
    return seconds
