"""Look into a command's Python processes, and say of every knob whether it took effect there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from repro_env import hook, notes, probe, readings, verdicts, watching
from repro_env.errors import DoctorError
from repro_env.notes import Note
from repro_env.verdicts import Row, Seen

# Without a command: what is installed of the frameworks, in a fresh process of this interpreter.
IMPORT_ALL = f"""
from importlib.util import find_spec
for name in {readings.FRAMEWORKS!r}:
    if find_spec(name):
        __import__(name)
"""
POLL_S = 0.02  # shorter than most Pythons' lives
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
        environ = {**os.environ, watching.VARIABLE: str(folder)}
        if not command:
            environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        command = command or (sys.executable, "-c", IMPORT_ALL)
        status, strangers = _run(command, environ, quiet, folder)
        reports = _reports(folder)
    return diagnose(_last_of_each(reports), status=status, strangers=strangers)


def diagnose(
    reports: Sequence[dict[str, Any]], status: int = 0, strangers: Sequence[str] = ()
) -> Diagnosis:
    """Judge what was seen.

    Args:
        reports: One for each process (`watching.Watch.look`).
        status: The command's exit status.
        strangers: Interpreters without the hook that it ran.
    """
    machine = probe.machine()
    has_gpu = None if machine.gpus is None else bool(machine.gpus)
    examined = [
        Examined(report, verdicts.judge(Seen(report, has_gpu, _hash_holds(report))))
        for report in reports
    ]
    unhooked = {python: hook.is_in(python) for python in strangers}
    said = notes.of(reports, machine, status, unhooked, _interpreters())
    rows = [row for one in examined for row in one.rows]
    complaints = [row.verdict for row in rows if row.advice]
    complaints += [note.verdict for note in said if note.advice]
    unknown = complaints.count(verdicts.UNKNOWN)
    return Diagnosis(examined, said, 1 if len(complaints) > unknown else 2 if unknown else 0)


def _reports(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="repro-doctor-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(
    command: Sequence[str], environ: dict[str, str], quiet: bool, folder: Path
) -> tuple[int, list[str]]:
    """Return the command's status, and the interpreters without the hook that it ran."""
    try:
        process = subprocess.Popen(command, env=environ, stdout=sys.stderr if quiet else None)
    except OSError as error:
        raise DoctorError(
            f"{command[0]!r} can't be started: {error.strerror}",
            hint="name a program after --, such as: repro doctor -- python train.py",
        ) from None
    poll = _Poll(process.pid)
    try:
        with _interrupts_left_to(process):
            status = process.wait()
            _wait_for_the_others(folder)
            return status, poll.stop(folder)
    finally:
        poll.stop(folder)


@contextmanager
def _interrupts_left_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Have Ctrl-C end the command, which says what it has seen, and SIGTERM passed on to it."""
    handlers = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _wait_for_the_others(folder: Path) -> None:
    """Wait for processes that end right after the command: servers of `multiprocessing`."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        running = [report["pid"] for report in _reports(folder) if not report["ended"]]
        if not any(Path("/proc", str(pid)).exists() for pid in running):
            return
        time.sleep(POLL_S)


class _Poll:
    """Looks for Python processes below a command, in `/proc`: without the hook they say nothing."""

    def __init__(self, pid: int) -> None:
        self._root = pid
        self._seen: dict[tuple[int, str], str] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def stop(self, folder: Path) -> list[str]:
        """Return the interpreters that ran without leaving a report."""
        self._is_over.set()
        self._thread.join()
        told = {int(file.stem.split("-")[1]) for file in folder.glob("*.json")}
        return sorted({python for (pid, _), python in self._seen.items() if pid not in told})

    def _poll(self) -> None:
        while not self._is_over.wait(POLL_S):
            self._look(self._root, "")

    def _look(self, pid: int, parents_command: str) -> None:
        here = Path("/proc", str(pid))
        with suppress(OSError, ValueError):  # it has ended
            command = (here / "cmdline").read_bytes().decode(errors="replace")
            executable = (here / "exe").readlink()
            # A child that is about to execute something else is still its parent's copy.
            if executable.name.startswith("python") and command != parents_command:
                self._seen[pid, command] = command.split("\0")[0]
            for task in (here / "task").iterdir():
                for child in (task / "children").read_text().split():
                    self._look(int(child), command)


def _last_of_each(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out programs that another has replaced in their process: they said so as they ended."""
    return [report for report in reports if report["ended"] != "exec"] or reports


def _hash_holds(report: dict[str, Any]) -> bool | None:
    """Say whether texts have the hashes of the process's own `PYTHONHASHSEED`: a child tells."""
    seed = report["at exec"].get("PYTHONHASHSEED")
    if seed is None:
        return None
    environ = {"PYTHONHASHSEED": seed, "REPRO_DISABLE": "1"}
    code = f"print(hash({readings.PROBED!r}))"
    try:
        said = subprocess.run(
            [report["executable"], "-S", "-c", code], env=environ, capture_output=True, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return int(said.stdout) == int(report["hash"])


def _interpreters() -> dict[str, bool]:
    """Return the interpreters at hand, and whether each has the hook."""
    names = ("python", "python3", ".venv/bin/python", "/usr/bin/python3")
    found = filter(None, map(shutil.which, names))
    by_path = {str(Path(python).parent.resolve() / Path(python).name): python for python in found}
    return {python: hook.is_in(python) for python in dict.fromkeys(by_path.values())}
