"""What the profile `portable` costs beside `repeatable`: all of it, and knob by knob.

None of the ratios has a target.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmark.engine import OUR_CODE, PROJECT, in_container
from benchmark.markdown import Report, duration, table
from benchmark.operations import CACHE_SIZES, OPERATIONS
from benchmark.records import CORES
from benchmark.stack import Stack
from benchmark.turns import Comparison
from repro_env.knobs import knob
from repro_env.libraries.eigen import SIZES
from repro_env.profile import variables

PROCESSES = 6
BLOCKS = 3
EXAMPLE_RUNS = 4
EPOCHS = 5
KNOB_PROCESSES = 4  # as few as can tell: of 70 ways to order 4 and 4, 2 have all of a side first
KNOB_BLOCKS = 2

LIBRARIES = {"numpy": "NumPy", "torch": "PyTorch", "tensorflow": "TensorFlow"}
EXAMPLES = {"torch": "digits_torch.py", "tensorflow": "digits_tf.py"}
WITH_EXAMPLES = (*OUR_CODE, "--volume", f"{PROJECT}/examples:/examples:ro")
# Else TensorFlow says on stderr what the CPU has, and NumPy warns of what it does not have.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"}

# What a reader may want to know beside what the profile sets.
NARROWER = {
    "torch": (
        {"MKL_CBWR": "AVX2"},
        {"MKL_CBWR": "AVX2,STRICT"},
        {"ATEN_CPU_CAPABILITY": "default"},
    ),
}
AVX512 = "avx512bw"  # as Linux names it; with ATEN_CPU_CAPABILITY=avx512 others' processes die
WIDER = {
    "OPENBLAS_CORETYPE": "SkylakeX",
    "NPY_DISABLE_CPU_FEATURES": "AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    "ATEN_CPU_CAPABILITY": "avx512",
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
}

Variables = Mapping[str, str]
Seconds = Sequence[Sequence[float]]  # by side and process, or run


def measure_portable(stack: Stack) -> Report:
    """Compare operations, a training's step and the examples under both profiles."""
    threads = _threads(stack)
    sides = profiles(threads)
    head = ["", "runs", "`repeatable`: median"]
    for count in ("1 thread", f"{threads} threads"):
        head += [f"`portable`, {count}", "ratio", "95 % interval"]
    return table(head, *(profile_row(*timed) for timed in _timed_profiles(stack, sides)))


def profiles(threads: int) -> list[Variables]:
    """Return the sides: `repeatable`, `portable` as it is, and with as many threads."""
    portable = {"REPRO_PROFILE": "portable"}
    return [
        {"REPRO_PROFILE": "repeatable"},
        portable,
        {**portable, "REPRO_THREADS": str(threads)},
    ]


def profile_row(name: str, seconds: Seconds) -> list[str]:
    """Return the row of one operation: each further side beside the first."""
    plain, *others = seconds
    cells = [name, f"{len(seconds)} x {len(plain)}", duration(statistics.median(plain))]
    for side in others:
        measured = Comparison(name, side, plain, math.inf)
        low, high = measured.interval()
        cells.append(duration(statistics.median(side)))
        cells += [f"**{measured.ratio():.2f}**", f"{low:.2f} to {high:.2f}"]
    return cells


def measure_knobs(stack: Stack) -> Report:
    """Compare operations with single knobs of `portable` set, and with none."""
    threads = _threads(stack)
    wide = AVX512 in in_container(stack.image, "cat", "/proc/cpuinfo").split()
    columns = max(OPERATIONS.values(), key=len)
    rows: list[list[str]] = []
    for library in _libraries(stack):
        sets = knob_sets(library, threads, wide)
        timed = _timed(stack, library, list(sets.values()), KNOB_PROCESSES, KNOB_BLOCKS)
        rows += knob_rows(library, list(sets), timed, columns)
    return table(["", f"set, {threads} threads", *columns], *rows)


def knob_sets(library: str, threads: int, wide: bool) -> dict[str, Variables]:
    """Return what to set, by a name for it: nothing, each knob, all of them, and others.

    Args:
        library: that reads the knobs.
        threads: as many as there are without a knob.
        wide: whether the CPU has AVX-512.
    """
    wanted = {**variables(threads), CACHE_SIZES: " ".join(map(str, SIZES))}
    knobs = {name: value for name, value in wanted.items() if library in knob(name).modules}
    wider = {name: value for name, value in WIDER.items() if wide and name in knobs}
    alone = [*_one_by_one(knobs), *NARROWER.get(library, ()), *_one_by_one(wider)]
    sets: dict[str, Variables] = {"nothing": {}}
    sets |= {", ".join(f"`{name}={text}`" for name, text in one.items()): one for one in alone}
    sets["all of `portable`"] = knobs
    if wider:
        sets["all, but AVX-512"] = {**knobs, **wider}
    return sets


def knob_rows(
    library: str, names: Sequence[str], timed: Mapping[str, Seconds], columns: Sequence[str]
) -> Iterator[list[str]]:
    """Yield the rows of one library: seconds with nothing set, then ratios to them.

    Args:
        library: whose operations.
        names: what is set on each side; on the first nothing.
        timed: the seconds by operation.
        columns: the operations of the table; a library may not have all.
    """
    for side, name in enumerate(names):
        cells = [LIBRARIES[library], name]
        for operation in columns:
            cells.append(knob_cell(timed[operation], side) if operation in timed else "")
        yield cells


def knob_cell(seconds: Seconds, side: int) -> str:
    """Return one side's ratio to the first: bold where all its processes are slower, or faster."""
    plain, ours = seconds[0], seconds[side]
    if not side:
        return duration(statistics.median(plain))
    ratio = f"{Comparison('', ours, plain, math.inf).ratio():.2f}"
    apart = min(ours) > max(plain) or max(ours) < min(plain)
    return f"**{ratio}**" if apart else ratio


def _one_by_one(variables: Variables) -> list[Variables]:
    return [{name: value} for name, value in variables.items()]


def _libraries(stack: Stack) -> list[str]:
    return ["numpy", *stack.frameworks]


def _threads(stack: Stack) -> int:
    return int(in_container(stack.image, "python", "-c", CORES))


def _timed_profiles(stack: Stack, sides: Sequence[Variables]) -> Iterator[tuple[str, Seconds]]:
    for library in _libraries(stack):
        for operation, seconds in _timed(stack, library, sides, PROCESSES, BLOCKS).items():
            yield f"{LIBRARIES[library]}: {operation}", seconds
    for library in stack.frameworks:
        words = [f"/examples/{EXAMPLES[library]}", "--epochs", str(EPOCHS)]
        told = _told(stack, f"time_program({words!r}, {_quiet(sides)!r}, {EXAMPLE_RUNS})")
        yield f"`examples/{EXAMPLES[library]} --epochs {EPOCHS}`", told


def _timed(
    stack: Stack, library: str, sides: Sequence[Variables], processes: int, blocks: int
) -> Mapping[str, Seconds]:
    call = f"time_operations({library!r}, {_quiet(sides)!r}, {processes}, {blocks})"
    timed: Mapping[str, Seconds] = _told(stack, call)
    return timed


def _quiet(sides: Sequence[Variables]) -> list[Variables]:
    return [{**QUIET, **side} for side in sides]


def _told(stack: Stack, call: str) -> Any:
    """Return what a call of `operations` tells."""
    code = f"from benchmark.operations import {call.partition('(')[0]}; {call}"
    return json.loads(in_container(stack.image, "python", "-c", code, options=WITH_EXAMPLES))
