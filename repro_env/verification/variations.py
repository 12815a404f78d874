"""What one factor is instead in an attempt: one function for each, of the attempt's number.

The same number gives the same, so an attempt can be made again; other numbers give other values
where there are many. None of them is what the environment has now.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from repro_env.cpu_knobs import CPU_KNOBS
from repro_env.verification import kernel

DAY_S = 24 * 60 * 60
SHIFT_S = 31 * DAY_S + 3 * 60 * 60 + 7 * 60 + 11  # another month, weekday, hour, minute and second
# Each is a name of the time zone database, and a text of POSIX that means the same without it.
TIME_ZONES = ("PST8PDT", "EST5EDT", "CST6CDT", "MST7MDT")
# Turkish, whose i is another letter; then those that write a decimal comma.
LOCALES = tuple(f"{name}.UTF-8" for name in ("tr_TR", "de_DE", "fr_FR", "es_ES", "pl_PL", "ru_RU"))
LC_ALL_MASK = 0x1FBF  # glibc's locale.h
FOLDERS = ("another folder ü", "ö 2", "a folder with a much longer name than the others é")
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
PROCESSOR = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "NPY_DISABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "MKL_CBWR",
    "MKL_VML_DEBUG_CPU_TYPE",
)
WIDE = next(one.portable for one in CPU_KNOBS if one.name == "NPY_DISABLE_CPU_FEATURES")
# What a CPU must have, and what makes the libraries do without it.
LEVELS: tuple[tuple[str, dict[str, str]], ...] = (
    ("avx512f", {one.name: one.portable or "" for one in CPU_KNOBS if one.name in PROCESSOR}),
    (
        "avx2",
        {
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "NPY_DISABLE_CPU_FEATURES": f"{WIDE} X86_V3 AVX2 FMA3",
            "OPENBLAS_CORETYPE": "Nehalem",
            "MKL_CBWR": "COMPATIBLE",
            "MKL_VML_DEBUG_CPU_TYPE": "0",
        },
    ),
)
CPU = Path("/proc/cpuinfo")
HOSTS = Path("/etc/hosts")
RANDOM_LAYOUT = Path("/proc/sys/kernel/randomize_va_space")

Environ = Mapping[str, str]
_LIBC = ctypes.CDLL(None)


class Variation(NamedTuple):
    """What an attempt gets; nothing is changed by default.

    Args:
        variables: Variables that are other ones.
        plan: What its processes change themselves, by the keys of plan.json
            (`trace.surroundings`).
        prepare: Called in the forked child before the command is executed; None where there is
            nothing to do. What it raises is an OSError.
        load: How many CPUs are kept busy beside it (`factors.busy`).
        copy: The name of another folder to run in, in a copy of the files; empty for none.
    """

    variables: Mapping[str, str] = {}
    plan: Mapping[str, Any] = {}
    prepare: Callable[[], None] | None = None
    load: int = 0
    copy: str = ""


def hash_seed(number: int, environ: Environ) -> Variation:
    """Return another seed of hashes."""
    now = environ.get("PYTHONHASHSEED", "")
    seed = (int(now) if now.isdecimal() else 0) + 1 + number
    return Variation({"PYTHONHASHSEED": str(seed % 2**32)})


def folder(number: int, environ: Environ) -> Variation:
    """Return another folder, of another length, with a space and a letter beyond ASCII."""
    del environ
    return Variation(copy=FOLDERS[number % len(FOLDERS)])


def host_name(number: int, environ: Environ) -> Variation:
    """Return another host name; one that can be looked up, or programs wait for an answer."""
    del environ
    names = [one for one in _names_of_this_host() if one != os.uname().nodename]
    name = names[number % len(names)] if names else f"attempt-{number + 1}"
    return Variation({"HOSTNAME": name}, prepare=functools.partial(kernel.rename_host, name))


def time_zone(number: int, environ: Environ) -> Variation:
    """Return another time zone."""
    zones = [one for one in TIME_ZONES if one != environ.get("TZ")]
    return Variation({"TZ": zones[number % len(zones)]})


def locale(number: int, environ: Environ) -> Variation:
    """Return another locale."""
    names = locales(environ)
    return Variation({"LC_ALL": names[number % len(names)]} if names else {})


def listing_order(number: int, environ: Environ) -> Variation:
    """Return another order of listings."""
    del environ
    return Variation(plan={"listing": ("reversed", "shuffled")[number % 2]})


def addresses(number: int, environ: Environ) -> Variation:
    """Return another layout of the address space."""
    del number, environ
    return Variation(prepare=kernel.turn_layout)


def load(number: int, environ: Environ) -> Variation:
    """Return one busy thread for each CPU, two in every second attempt."""
    del environ
    return Variation(load=cpus() * (1 + number % 2))


def start_time(number: int, environ: Environ) -> Variation:
    """Return a later start."""
    del environ
    return Variation(plan={"clock_shift_s": SHIFT_S * (1 + number)})


def threads(number: int, environ: Environ) -> Variation:
    """Return another number of threads; not more than CPUs, or libraries take fewer."""
    now = environ.get("OMP_NUM_THREADS") or str(cpus())
    others = [str(count) for count in range(1, max(cpus(), 2) + 1) if str(count) != now]
    return Variation(dict.fromkeys(THREADS, others[number % len(others)]))


def processor(number: int, environ: Environ) -> Variation:
    """Return libraries that do without the CPU's best instructions."""
    found = levels(environ)
    return Variation(dict(found[number % len(found)]) if found else {})


def workers(number: int, environ: Environ) -> Variation:
    """Return one more worker for each DataLoader."""
    del number, environ
    return Variation(plan={"workers": 1})


def cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def locales(environ: Environ) -> list[str]:
    """Return the installed locales that are not the one in use, the most telling first.

    Encodings stay UTF-8: in another one even the names of files would be other ones.
    """
    now = _plain(environ.get("LC_ALL", ""))
    wanted = {_plain(name): name for name in LOCALES}
    listed = {_plain(name): name for name in sorted(_listed())}
    foreign = {**wanted, **{plain: name for plain, name in listed.items() if plain not in wanted}}
    others = [name for plain, name in foreign.items() if plain not in (now, "c.utf8")]
    found = [name for name in others if _plain(name).endswith(".utf8") and _is_installed(name)]
    if found or now not in ("c", "posix"):
        return found or ["C"]
    return ["C.UTF-8"] if _is_installed("C.UTF-8") else []


def levels(environ: Environ) -> list[dict[str, str]]:
    """Return what can be set to have the libraries do without what the CPU has."""
    try:
        flags = set(CPU.read_text().split())
    except OSError:
        return []
    known = [variables for flag, variables in LEVELS if flag in flags]
    return [one for one in known if any(environ.get(name) != one[name] for name in one)]


def has_random_layout() -> bool:
    """Say whether the kernel lays out programs at random, unless it is asked not to."""
    try:
        return RANDOM_LAYOUT.read_text().strip() != "0"
    except OSError:
        return True


def _names_of_this_host() -> list[str]:
    try:
        lines = [line.partition("#")[0].split() for line in HOSTS.read_text().splitlines()]
    except OSError:
        return []
    return [name for words in lines if words and words[0].startswith("127.") for name in words[1:]]


def _is_installed(name: str) -> bool:
    """Say whether the C library has a locale, by having it loaded beside the one in use."""
    load = getattr(_LIBC, "newlocale", None)
    if load is None:
        return False
    load.restype = ctypes.c_void_p
    loaded = load(LC_ALL_MASK, name.encode(), None)
    if loaded:
        _LIBC.freelocale(ctypes.c_void_p(loaded))
    return bool(loaded)


@functools.cache
def _listed() -> tuple[str, ...]:
    program = shutil.which("locale")
    if program is None:  # no glibc
        return ()
    listed = subprocess.run([program, "-a"], capture_output=True, check=False).stdout
    return tuple(listed.decode(errors="replace").split())


def _plain(name: str) -> str:
    """Return a locale's name as the C library compares it."""
    return name.lower().replace("utf-8", "utf8")
