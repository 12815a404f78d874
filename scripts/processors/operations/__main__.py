"""Run the operations, and print a line of JSON for each: its names, and its digest or its error.

    python -m processors.operations --library NAME... [OPERATION...]

Operations are named as the lines name them, or by a part of that; without any, all are run. They
run in a fork, which nothing is imported before: one that ends its process is an error of its own,
and another fork goes on after it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processors.operations.table import Operation

LIBRARIES = {
    "numpy": ("numpy_operations",),
    "torch": ("torch_operations", "torch_layers", "torch_draws", "torch_halves"),
    "tensorflow": ("tensorflow_operations", "keras_operations"),
}
CACHE_SIZES = "TF_EIGEN_CACHE_SIZES"  # set where Eigen is to go by the profile's sizes without it
LONGEST_ERROR = 300  # characters


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for, and go on after an operation that raises or ends its process."""
    parser = argparse.ArgumentParser(prog="operations")
    parser.add_argument("--library", action="append", choices=list(LIBRARIES), required=True)
    parser.add_argument("operations", nargs="*")
    asked = parser.parse_args(arguments)
    done = 0
    while True:
        begun, status = _run_in_fork(asked.library, asked.operations, done)
        if status == 0:
            return 0
        if not begun:  # the libraries can't even be imported
            return 1
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(json.dumps({**begun[-1], "error": f"ended its process: {ended}"}), flush=True)
        done += len(begun)


def _run_in_fork(
    libraries: Sequence[str], parts: Sequence[str], done: int
) -> tuple[list[dict[str, str]], int]:
    """Run what is left, in a fork; return the names of what it has begun, and how it ended."""
    begun, begins = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(begun)
            _run(libraries, parts, done, begins)
            status = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(begins)
    with os.fdopen(begun) as lines:
        names = [json.loads(line) for line in lines]
    return names, os.waitpid(child, 0)[1]


def _run(libraries: Sequence[str], parts: Sequence[str], done: int, begins: int) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.simplefilter("ignore")
    for number, (names, operation) in enumerate(_asked(libraries, parts)):
        if number >= done:
            os.write(begins, json.dumps(names).encode() + b"\n")
            print(json.dumps({**names, **_result(operation)}), flush=True)


def _asked(
    libraries: Sequence[str], parts: Sequence[str]
) -> Iterator[tuple[dict[str, str], Operation]]:
    for library in libraries:
        for module in LIBRARIES[library] if _may_match(library, parts) else ():
            imported = importlib.import_module(f"{__package__}.{module}")
            if library == "tensorflow" and CACHE_SIZES in os.environ:
                from repro_env.libraries import eigen

                eigen.set_cache_sizes()
            for operation in imported.OPERATIONS:
                name = f"{library} {operation.name}"
                if not parts or any(part in name for part in parts):
                    yield {"operation": name, "group": f"{library}: {operation.group}"}, operation


def _may_match(library: str, parts: Sequence[str]) -> bool:
    """Return whether its operations can be among those asked for: imports are slow, emulated."""
    words = {part.partition(" ")[0] for part in parts}
    return not parts or library in words or not words <= set(LIBRARIES)


def _result(operation: Operation) -> dict[str, object]:
    from processors.operations.table import digest

    began = time.perf_counter()
    try:
        found = {"digest": digest(operation.run())}
    except Exception as error:
        found = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_ERROR]}
    return {**found, "seconds": round(time.perf_counter() - began, 3)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
