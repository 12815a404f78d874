"""What a recorded run costs beside the command alone, and digests of files beside `sha256sum`."""

from __future__ import annotations

import json
import math
import random
import re
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmark.engine import OUR_CODE, in_container
from benchmark.markdown import Report, compare, duration, table
from benchmark.stack import Stack
from benchmark.turns import DRAWS, Comparison, verdict

RECORD_RUNS = 50
RUN_TARGET_S = 0.35
HELP_TARGET_S = 0.15

DIGEST_RUNS = 10
ONE_TARGET = 1.0
MANY_TARGET = 1.25  # of what the number of cores leaves

CORES = "import os; print(len(os.sched_getaffinity(0)))"
LIBRARIES = 'ldd "$(command -v sha256sum)"'
SHA = r"\b(sha_ni|sha2)\b"  # as Linux names the CPU's instructions on x86 and on ARM

# The seconds of a command and of the one beside it, pair by pair.
Pairs = Sequence[tuple[float, float]]


class Files(NamedTuple):
    """Files to digest, and the command that does the same."""

    name: str
    how_many: int
    size_bytes: int
    suffix: str = ".bin"
    beside: str = "sha256sum"


ONE = Files("one file of 512 MiB", 1, 2**29)
MANY = Files("128 files of 4 MiB", 128, 2**22)
OPENSSL = "openssl dgst -sha256"
SHOWN = (
    ONE._replace(beside=OPENSSL),
    MANY._replace(beside=OPENSSL),
    Files("20,000 files of 100 bytes", 20_000, 100),
    Files("one `.npy` of 512 MiB, its content too", 1, 2**29, ".npy"),
)


def measure_record(stack: Stack) -> Report:
    """Time a recorded run of a command that does nothing, and the command's own help."""
    call = f"from benchmark.inside import time_commands; time_commands({RECORD_RUNS})"
    told = json.loads(in_container(stack.image, "python", "-c", call, options=OUR_CODE))
    run, shown_help = (list(zip(*sides)) for sides in told)
    return report_record(run, shown_help)


def report_record(run: Pairs, shown_help: Pairs) -> Report:
    """Return the table of `repro run -- true`, beyond `true`, and of `repro --help`, all of it."""
    head = ["", "runs", "beside it: median", "ours: median", "counts", "95 % interval"]
    return table(
        [*head, "target", "kept"],
        row("`repro run -- true`, beyond `true`", run, beyond, RUN_TARGET_S),
        row("`repro --help`, beside a bare Python", shown_help, whole, HELP_TARGET_S),
    )


def row(name: str, pairs: Pairs, figure: Callable[[Pairs], float], target_s: float) -> list[str]:
    """Return the table's row: the figure that counts, and how sure it is."""
    draw = random.Random(42)
    drawn = sorted(figure(draw.choices(pairs, k=len(pairs))) for _ in range(DRAWS))
    low, high = drawn[DRAWS // 40], drawn[-1 - DRAWS // 40]
    return [
        name,
        f"2 x {len(pairs)}",
        *(duration(statistics.median(pair[side] for pair in pairs)) for side in (1, 0)),
        f"**{figure(pairs):.3f} s**",
        f"{low:.3f} to {high:.3f}",
        f"{target_s} s",
        verdict(low, high, target_s),
    ]


def whole(pairs: Pairs) -> float:
    """Return the median of our side."""
    return statistics.median(ours for ours, _ in pairs)


def beyond(pairs: Pairs) -> float:
    """Return the difference of the medians."""
    return whole(pairs) - statistics.median(plain for _, plain in pairs)


def measure_digest(stack: Stack) -> Report:
    """Compare our digests of files with those of other commands, the files in the page cache."""
    image = stack.image
    targets = targets_of(int(in_container(image, "python", "-c", CORES)))
    kept = compare(
        "`sha256sum`",
        "ours",
        *(_compare(image, files, target) for files, target in targets.items()),
    )
    head = ["", "runs", "beside it: median", "ours: median", "ratio", "95 % interval"]
    shown = table(head, *(shown_row(files, _compare(image, files)) for files in SHOWN))
    cpu = in_container(image, "cat", "/proc/cpuinfo")
    libraries = in_container(image, "sh", "-euc", LIBRARIES)
    return Report(f"{kept.text}\n{shown.text}\n{circumstances(cpu, libraries)}", kept.missed)


def targets_of(cores: int) -> dict[Files, float]:
    """Return what our time may be at most, as a part of `sha256sum`'s, on so many cores."""
    return {ONE: ONE_TARGET, MANY: MANY_TARGET / cores}


def shown_row(files: Files, measured: Comparison) -> list[str]:
    """Return the row of a comparison that has no target."""
    low, high = measured.interval()
    return [
        f"{files.name}, beside `{files.beside}`",
        f"2 x {len(measured.ours)}",
        *(duration(statistics.median(side)) for side in (measured.plain, measured.ours)),
        f"**{measured.ratio():.3f}**",
        f"{low:.3f} to {high:.3f}",
    ]


def circumstances(cpu: str, libraries: str) -> str:
    """Return in a sentence what decides how fast each side can be.

    Args:
        cpu: what Linux says of it.
        libraries: what `ldd` says of `sha256sum`.
    """
    has = "has" if re.search(SHA, cpu) else "lacks"
    linked = "is linked" if "libcrypto" in libraries else "is not linked"
    return f"The CPU {has} instructions for SHA-256; `sha256sum` {linked} to OpenSSL's libcrypto.\n"


def _compare(image: str, files: Files, target: float = math.inf) -> Comparison:
    call = f"from benchmark.inside import time_digests; time_digests(*{[*files[1:], DIGEST_RUNS]})"
    ours, plain = json.loads(in_container(image, "python", "-c", call, options=OUR_CODE))
    return Comparison(files.name, ours, plain, target)
