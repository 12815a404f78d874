"""Python's start, and the imports of NumPy and the frameworks, with the hook and without it."""

from __future__ import annotations

import json
import statistics

from benchmark.engine import OUR_CODE, in_container
from benchmark.markdown import Report, compare, duration, table
from benchmark.stack import Stack
from benchmark.turns import Comparison, verdict

START_RUNS = 300
START_TARGET = 1.15
OWN_WORK_RUNS = 10
FRAMEWORK_RUNS = 30
FRAMEWORK_TARGET = 1.02
NUMPY_RUNS = 100  # a tenth of a framework's time, and no less to tell apart
NUMPY_TARGET = 1.03

FULL = "/opt/venv"
EMPTY = "/tmp/empty"
MAKE_EMPTY = f"""
python3 -m venv --without-pip {EMPTY}
cp -rp "$VIRTUAL_ENV"/lib/python3*/site-packages/repro_env* {EMPTY}/lib/python3*/site-packages
"""

# At most: finding a library is counted where the hook asks the other finders for it.
OWN_WORK = """
import sys, time
from repro_env.seeding import Seeder as Hook

spent = 0
def timed(work):
    def run(*arguments):
        global spent
        began = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            spent += time.perf_counter() - began
    return run

Hook._prepare, Hook.find_spec = timed(Hook._prepare), timed(Hook.find_spec)
began = time.perf_counter()
__import__(sys.argv[1])
print(spent, time.perf_counter() - began)
"""


def measure_start(stack: Stack) -> Report:
    """Compare a bare Python with the hook and without it."""
    places = {"the image's environment": FULL, "an empty environment": EMPTY}
    return compare(
        "without the hook",
        "with it",
        *(_compare_start(stack, *item) for item in places.items()),
    )


def measure_import(stack: Stack) -> Report:
    """Compare the imports of NumPy and the frameworks, and time the hook's own work in them."""
    libraries = dict.fromkeys(stack.frameworks, FRAMEWORK_TARGET)
    targets = {"numpy": NUMPY_TARGET, **libraries}
    imports = (_compare_import(stack, *item) for item in targets.items())
    whole = compare("without the hook", "with it", *imports)
    medians = ["import: median", "the hook's work: median"]
    head = ["", "runs", *medians, "largest ratio", "target", "kept"]
    own = table(head, *(_own_work(stack, *item) for item in targets.items()))
    return Report(f"{whole.text}\n{own.text}", whole.missed or own.missed)


def time_starts(
    image: str, with_hook: str, without: str, runs: int, place: str = FULL
) -> tuple[list[float], list[float]]:
    """Return the seconds of Python's starts with the hook and without, in one container.

    Args:
        image: the container's.
        with_hook: the code that each Python with the hook runs.
        without: the code of those without it.
        runs: how many times each side is counted.
        place: the folder of their environment there.
    """
    script = f'{MAKE_EMPTY} exec /usr/bin/python3 -c "$0"'
    arguments = f"{place!r}, {with_hook!r}, {without!r}, {runs}"
    call = f"from benchmark.inside import time_starts; time_starts({arguments})"
    ours, plain = json.loads(in_container(image, "sh", "-euc", script, call, options=OUR_CODE))
    return ours, plain


def _compare_start(stack: Stack, name: str, place: str) -> Comparison:
    seconds = time_starts(stack.image, "pass", "pass", START_RUNS, place)
    return Comparison(name, *seconds, START_TARGET)


def _compare_import(stack: Stack, library: str, target: float) -> Comparison:
    code = f"import {library}"
    runs = NUMPY_RUNS if library == "numpy" else FRAMEWORK_RUNS
    return Comparison(f"`{code}`", *time_starts(stack.image, code, code, runs), target)


def _own_work(stack: Stack, library: str, target: float) -> list[str]:
    """Return the row on what the hook itself does while a library is imported."""
    once = f'python -c "$0" {library} 2>/tmp/log || {{ cat /tmp/log >&2; exit 1; }}'
    script = f"for i in $(seq {OWN_WORK_RUNS}); do {once}; done"
    measured = in_container(stack.image, "sh", "-euc", script, OWN_WORK)
    spent, whole = zip(*(map(float, line.split()) for line in measured.splitlines()))
    ratio = max(1 / (1 - part / all_of_it) for part, all_of_it in zip(spent, whole))
    return [
        f"`import {library}`",
        str(OWN_WORK_RUNS),
        *(duration(statistics.median(seconds)) for seconds in (whole, spent)),
        f"**{ratio:.4f}**",
        f"{target:.2f}",
        verdict(ratio, ratio, target),
    ]
