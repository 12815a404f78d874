"""Python's start, and the frameworks' imports, with the hook and without it."""

from __future__ import annotations

import json
import statistics

from benchmark.engine import PROJECT, in_container
from benchmark.markdown import Report, compare, duration, table
from benchmark.stack import Stack
from benchmark.turns import Comparison, verdict

START_RUNS = 300
START_TARGET = 1.15
IMPORT_RUNS = 30
IMPORT_TARGET = 1.02
OWN_WORK_RUNS = 10

FULL = "/opt/venv"
EMPTY = "/tmp/empty"
MAKE_EMPTY = f"""
python3 -m venv --without-pip {EMPTY}
cp -rp "$VIRTUAL_ENV"/lib/python3*/site-packages/repro_env* {EMPTY}/lib/python3*/site-packages
"""

# At most: finding a library is counted where the hook asks the other finders for it.
OWN_WORK = """
import sys, time
from repro_env.seeding import SeedAfterImport as Hook

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

Hook.prepare, Hook.find_spec = timed(Hook.prepare), timed(Hook.find_spec)
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
        *(
            Comparison(name, *_time(stack, place, "pass", START_RUNS), START_TARGET)
            for name, place in places.items()
        ),
    )


def measure_import(stack: Stack) -> Report:
    """Compare the frameworks' imports, and time the hook's own work in them."""
    codes = [f"import {library}" for library in stack.frameworks]
    whole = compare(
        "without the hook",
        "with it",
        *(
            Comparison(f"`{code}`", *_time(stack, FULL, code, IMPORT_RUNS), IMPORT_TARGET)
            for code in codes
        ),
    )
    medians = ["import: median", "the hook's work: median"]
    head = ["", "runs", *medians, "largest ratio", "target", "kept"]
    own = table(head, *(_own_work(stack, library) for library in stack.frameworks))
    return Report(f"{whole.text}\n{own.text}", whole.missed or own.missed)


def _time(stack: Stack, place: str, code: str, runs: int) -> tuple[list[float], list[float]]:
    """Time starts in one container, in the environment of that folder there."""
    script = f'{MAKE_EMPTY} exec /usr/bin/python3 -c "$0"'
    call = f"from benchmark.inside import time_starts; time_starts({place!r}, {code!r}, {runs})"
    folder = ("--volume", f"{PROJECT}/scripts:/bench:ro", "--workdir", "/bench")
    ours, plain = json.loads(in_container(stack.image, "sh", "-euc", script, call, options=folder))
    return ours, plain


def _own_work(stack: Stack, library: str) -> list[str]:
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
        f"{IMPORT_TARGET:.2f}",
        verdict(ratio, ratio, IMPORT_TARGET),
    ]
