"""The command, called by `scripts/bench`, which says what there is to measure.

Exit status: 0 done, 1 a target is missed, 2 a figure can't be had.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from images.errors import ImageError

from benchmark.build import measure_build
from benchmark.diagnoses import measure_doctor
from benchmark.engine import PROJECT, describe_machine
from benchmark.errors import BenchmarkError
from benchmark.install import measure_install
from benchmark.markdown import Report, replaced
from benchmark.portable import measure_knobs, measure_portable
from benchmark.records import measure_digest, measure_record
from benchmark.seeders import measure_seeding
from benchmark.size import measure_size
from benchmark.sizes import measure_sizes
from benchmark.stack import Stack
from benchmark.starts import measure_import, measure_start
from benchmark.streams import measure_stream
from benchmark.tracing import measure_steps
from benchmark.up import measure_up

PAGE = PROJECT / "docs/benchmarks.md"
OF_ONE: Mapping[str, Callable[[Stack], Report]] = {
    "start": measure_start,
    "import": measure_import,
    "stream": measure_stream,
    "doctor": measure_doctor,
    "record": measure_record,
    "digest": measure_digest,
    "steps": measure_steps,
    "up": measure_up,
    "size": measure_size,
    "portable": measure_portable,
    "knobs": measure_knobs,
    "install": measure_install,
    "build": measure_build,
}
TORCH = Stack("torch")  # the one that other packages to compare with are installed on
OF_TORCH: Mapping[str, Callable[[Stack], Report]] = {"seeding": measure_seeding}
OF_ALL: Mapping[str, Callable[[Sequence[Stack]], Report]] = {"sizes": measure_sizes}


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for; return 1 where a target is missed."""
    asked = _parser().parse_args(arguments)
    stacks = [Stack(name) for name in asked.stack]
    missed = False
    for name, run in [each for measure in asked.measures for each in runs(measure, stacks)]:
        report = _with_circumstances(run, stacks[0])
        print(f"## {name}\n\n{report.text}", flush=True)
        if asked.write:
            PAGE.write_text(replaced(PAGE.read_text(), name, report.text))
        missed |= report.missed
    return int(missed)


def runs(measure: str, stacks: Sequence[Stack]) -> list[tuple[str, Callable[[], Report]]]:
    """Return what a measure runs, each with the name of its table.

    Raises:
        BenchmarkError: it is measured in a stack that nobody asked for.
    """
    if measure in OF_ALL:
        return [(measure, partial(OF_ALL[measure], stacks))]
    if measure in OF_ONE:
        return [(f"{measure} {stack.name}", partial(OF_ONE[measure], stack)) for stack in stacks]
    if TORCH not in stacks:
        raise BenchmarkError(f"{measure} is for the {TORCH.name} stack", "add --stack both")
    return [(f"{measure} {TORCH.name}", partial(OF_TORCH[measure], TORCH))]


def _with_circumstances(run: Callable[[], Report], stack: Stack) -> Report:
    """Run a measure; put the machine above its table, and what else that did meanwhile."""
    before = os.getloadavg()[0]
    report = run()
    load = f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    return report._replace(text=f"{describe_machine(stack.image)}; {load}.\n\n{report.text}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--stack", action="append", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("measures", nargs="+", choices=[*OF_ONE, *OF_TORCH, *OF_ALL])
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchmarkError, ImageError) as error:
        sys.stderr.write(error.describe())
        sys.exit(2)
