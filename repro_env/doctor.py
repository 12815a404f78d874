"""Look into a command's Python processes, and say of every knob whether it took effect there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from repro_env import hook, notes, probe, readings, verdicts, witness
from repro_env.descendants import Descendants, Python
from repro_env.errors import DoctorError
from repro_env.notes import Note
from repro_env.verdicts import Row, Seen

# Without a command: what is installed of the frameworks, in a fresh process of this interpreter.
IMPORT_ALL = f"""
import sys
sys.path[:] = [folder for folder in sys.path if folder]  # not what lies about here
from importlib.util import find_spec
for name in {readings.FRAMEWORKS!r}:
    if find_spec(name):
        __import__(name)
"""
PATIENCE_S = 5


class Examined(NamedTuple):
    """One process and its rows.

    Args:
        report: What was seen of it (`watching.Watch.look`).
        rows: One for each knob that matters to it.
    """

    report: dict[str, Any]
    rows: list[Row]


class Diagnosis(NamedTuple):
    """What `repro doctor` says.

    Args:
        processes: The command's Python processes, in the order in which they began.
        notes: What else decides bits, in words.
        status: 0 all is well, 1 something is not, 2 that can't be told.
    """

    processes: list[Examined]
    notes: list[Note]
    status: int


def examine(command: Sequence[str] = (), quiet: bool = False) -> Diagnosis:
    """Run a command, and look into its Python processes as they end.

    Args:
        command: The program and its arguments; empty for a process that imports the frameworks
            that are installed here.
        quiet: Whether its output goes to stderr, since stdout is for machines.

    Raises:
        DoctorError: It can't be started.
    """
    with _folder() as folder:
        environ = {**os.environ, witness.VARIABLE: str(folder)}
        if not command:
            environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
            command = (sys.executable, "-c", IMPORT_ALL)
        status, pythons = _run(command, environ, quiet)
        reports = _reports(folder)
    return diagnose(_without_replaced(reports), status, _without_hook(pythons, reports))


def diagnose(
    reports: Sequence[dict[str, Any]], status: int = 0, strangers: Sequence[Python] = ()
) -> Diagnosis:
    """Judge what was seen.

    Args:
        reports: One for each process (`watching.Watch.look`).
        status: The command's exit status.
        strangers: Python processes without the hook.
    """
    machine = probe.machine()
    has_gpu = None if machine.gpus is None else bool(machine.gpus)
    examined = [
        Examined(report, verdicts.judge(Seen(report, has_gpu, _hash_holds(report))))
        for report in reports
    ]
    unhooked = {one.path: hook.is_in(one.path) for one in strangers}
    said = notes.of(reports, machine, status, unhooked, _interpreters())
    rows = [row for one in examined for row in one.rows]
    complaints = [row.verdict for row in rows if row.advice]
    complaints += [note.verdict for note in said if note.advice]
    unknown = complaints.count(verdicts.UNKNOWN)
    return Diagnosis(examined, said, 1 if len(complaints) > unknown else 2 if unknown else 0)


def _reports(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))]


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="repro-doctor-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str], environ: dict[str, str], quiet: bool) -> tuple[int, list[Python]]:
    """Return the command's status, and the Python processes that were seen below it."""
    try:
        process = subprocess.Popen(command, env=environ, stdout=sys.stderr if quiet else None)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DoctorError(
            f"{command[0]!r} can't be started: {reason}",
            hint="name a program after --, such as: repro doctor -- python train.py",
        ) from None
    descendants = Descendants()
    with _interrupts_left_to(process):
        try:
            status = process.wait()
            descendants.wait(PATIENCE_S)
        finally:
            seen = descendants.stop()
    return status, seen


@contextmanager
def _interrupts_left_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Have Ctrl-C end the command, which says what it has seen, and SIGTERM passed on to it."""
    handlers = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
        signal.SIGHUP: signal.signal(signal.SIGHUP, lambda *_: process.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _without_replaced(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out programs that another Python program has replaced in their process."""
    last = {report["pid"]: number for number, report in enumerate(reports)}
    return [
        report
        for number, report in enumerate(reports)
        if report["ended"] != "exec" or number == last[report["pid"]]
    ]


def _without_hook(pythons: list[Python], reports: list[dict[str, Any]]) -> list[Python]:
    """Leave out those that have reported, by whatever name they go now."""
    said = {report["pid"] for report in reports if report["ended"] != "exec"}
    programs = {(report["pid"], tuple(report["command"])) for report in reports}
    silent = [one for one in pythons if one.pid not in said]
    return [one for one in silent if (one.pid, one.command) not in programs]


def _hash_holds(report: dict[str, Any]) -> bool | None:
    """Say whether texts have the hashes of the process's own `PYTHONHASHSEED`: a child tells."""
    seed = report.get("at exec", {}).get("PYTHONHASHSEED")
    if seed is None:
        return None
    told = _hash_under(str(report["executable"]), seed)
    return None if told is None else told == report["hash"]


@lru_cache
def _hash_under(python: str, seed: str) -> int | None:
    environ = {"PYTHONHASHSEED": seed, "REPRO_DISABLE": "1"}
    code = f"print(hash({readings.PROBED!r}))"
    try:
        said = subprocess.run(
            [python, "-S", "-c", code], env=environ, capture_output=True, check=True
        )
        return int(said.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _interpreters() -> dict[str, bool]:
    """Return the interpreters at hand, and whether each has the hook."""
    names = ("python", "python3", ".venv/bin/python", "/usr/bin/python3")
    found = filter(None, map(shutil.which, names))
    by_path = {str(Path(python).parent.resolve() / Path(python).name): python for python in found}
    return {python: hook.is_in(python) for python in dict.fromkeys(by_path.values())}
