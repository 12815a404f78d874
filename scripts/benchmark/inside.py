"""What runs inside the container.

Starts are timed in Debian's own Python, which has no hook; calls in the image's, which has it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmark.turns import take_turns

BLOCK = 1000
BARE = ["--", sys.executable, "-c", "pass"]
NOTHING: Mapping[str, str] = {}


def time_starts(environment: str, with_hook: str, without: str, runs: int) -> None:
    """Print, as JSON, the seconds of Python's starts with the hook and without.

    It is one interpreter, with one set of variables: all that comes and goes is the `.pth` file.

    Args:
        environment: a virtual environment's folder.
        with_hook: the code that each Python with the hook runs.
        without: the code of those without it.
        runs: how many times each side is counted.
    """
    (hook,) = Path(environment).glob("lib/python3*/site-packages/repro_env.pth")
    away = hook.with_suffix(".away")
    python = f"{environment}/bin/python"

    def ours() -> float:
        return start_seconds(python, with_hook)

    def plain() -> float:
        hook.rename(away)
        try:
            return start_seconds(python, without)
        finally:
            away.rename(hook)

    print(json.dumps(take_turns(ours, plain, runs, warm_up=2)))


def time_doctor(runs: list[int]) -> None:
    """Print, as JSON, the seconds of `repro doctor` and of what it looks into without it.

    Args:
        runs: how many times each side is counted: with the frameworks' imports, with nothing.
    """
    from repro_env.doctor import IMPORT_ALL

    told = []
    for code, arguments, count in zip((IMPORT_ALL, "pass"), ([], BARE), runs):
        doctor = f"from repro_env.cli import main; main({['doctor', *arguments]!r})"
        ours = partial(start_seconds, sys.executable, doctor)
        told.append(take_turns(ours, partial(start_seconds, sys.executable, code), count, 1))
    print(json.dumps(told))


def time_commands(runs: int) -> None:
    """Print, as JSON, the seconds of two commands of `repro`, each beside another command.

    They are `repro run -- true` beside `true`, in a new git repository with one committed file,
    and `repro --help` beside a Python that does nothing.

    Args:
        runs: how many times each side is counted.
    """
    enter_repository("a.txt", "a\n")
    told = []
    for command, beside in (
        (["repro", "run", "--", "true"], ["true"]),
        (["repro", "--help"], [sys.executable, "-c", "pass"]),
    ):
        ours, plain = partial(process_seconds, command), partial(process_seconds, beside)
        told.append(take_turns(ours, plain, runs, warm_up=2))
    print(json.dumps(told))


class Loop:
    """A process that works on demand: it reads what to do, and prints the seconds one took.

    Args:
        words: its module, and that one's arguments.
        variables: what its environment has beyond ours.
    """

    def __init__(self, words: Sequence[str], variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *words],
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Loop:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def seconds(self, asked: object) -> float:
        """Return how long one took of what is asked for."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{asked}\n")
        return float(self._process.stdout.readline())


def enter_repository(name: str, text: str) -> None:
    """Go into a new git repository with one committed file."""
    os.chdir(tempfile.mkdtemp())
    Path(name).write_text(text)
    for words in ("init", f"add {name}", "-c user.name=a -c user.email=a@b commit -m a"):
        subprocess.run(["git", *words.split()], check=True, capture_output=True)


def time_digests(how_many: int, size_bytes: int, suffix: str, beside: str, runs: int) -> None:
    """Print, as JSON, the seconds of our digests of new files, and of a command over the same.

    The files have been written out to the disk and read once when the counting begins.

    Args:
        how_many: how many files there are.
        size_bytes: how many random bytes each holds; a `.npy` holds them as an array.
        suffix: how their names end.
        beside: the command, which gets all their names.
        runs: how many times each side is counted.
    """
    os.chdir(tempfile.mkdtemp())
    names = [f"{number}{suffix}" for number in range(how_many)]
    for name in names:
        write_random(Path(name), size_bytes)
    os.sync()
    ours = partial(digest_seconds, names)
    plain = partial(process_seconds, [*beside.split(), *names])
    print(json.dumps(take_turns(ours, plain, runs, warm_up=1)))


def write_random(path: Path, size_bytes: int) -> None:
    """Write a file of random bytes: an array of them where its name ends in `.npy`."""
    drawn = os.urandom(size_bytes)
    if path.suffix == ".npy":
        import numpy

        numpy.save(path, numpy.frombuffer(drawn, dtype="float32"))
    else:
        path.write_bytes(drawn)


def digest_seconds(names: Sequence[str]) -> float:
    """Return how long our digests of these files took, in this process."""
    from repro_env.digest import of_files

    began = time.perf_counter()
    found = of_files(names)
    seconds = time.perf_counter() - began
    for name, one in zip(names, found):
        if isinstance(one, OSError) or (one.content is None) == name.endswith(".npy"):
            sys.exit(f"{name} has another digest than was to be timed: {one}")
    return seconds


def start_seconds(python: str, code: str) -> float:
    """Return how long one Python took, from its spawning to its end; it says nothing."""
    return process_seconds([python, "-c", code])


def process_seconds(command: Sequence[str], variables: Mapping[str, str] = NOTHING) -> float:
    """Return how long one process took, from its spawning to its end; it says nothing.

    Args:
        command: its words.
        variables: what its environment has beyond ours.
    """
    silent = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    environment = {**os.environ, **variables}
    began = time.perf_counter()
    process = os.posix_spawnp(command[0], [*command], environment, file_actions=silent)
    _, status = os.waitpid(process, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(command)[:100]!r} ended with wait status {status}")
    return seconds


def time_streams(blocks: int) -> None:
    """Print, as JSON, the seconds that one call of each kind takes, by the kind's name.

    The kinds take turns, a block of calls each; what counts is the median of its blocks.
    """
    import numpy

    import repro_env

    began = time.perf_counter()
    repro_env.stream("augment", 0)
    first_s = time.perf_counter() - began
    calls: dict[str, Callable[[int], object]] = {
        "stream": partial(repro_env.stream, "augment"),
        "seed_for": partial(repro_env.seed_for, "augment"),
        "default_rng": numpy.random.default_rng,
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in calls}
    for _ in range(blocks):
        for kind, call in calls.items():
            seconds[kind].append(call_seconds(call))
    medians = {kind: statistics.median(took) for kind, took in seconds.items()}
    print(json.dumps({"first": first_s, **medians}))


def call_seconds(call: Callable[[int], object], calls: int = BLOCK) -> float:
    """Return how long one call took, in the mean over a block of them, each with another number."""
    numbers = range(1, calls + 1)
    began = time.perf_counter()
    for number in numbers:
        call(number)
    return (time.perf_counter() - began) / calls
