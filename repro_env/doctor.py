"""Look into a command's Python processes, and say of every knob whether it took effect there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from repro_env import hook, notes, probe, readings, verdicts
from repro_env.descendants import Python
from repro_env.launch import launch
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
        CommandError: It can't be started.
    """
    environ = dict(os.environ)
    if not command:
        environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        command = (sys.executable, "-c", IMPORT_ALL)
    launched = launch(command, environ, stdout=sys.stderr if quiet else None)
    return diagnose(launched.reports, launched.status, launched.strangers)


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
    examined = [Examined(report, judge(report, has_gpu)) for report in _under_one_profile(reports)]
    unhooked = {one.path: hook.is_in(one.path) for one in strangers}
    said = notes.of(reports, machine, status, unhooked, _interpreters())
    rows = [row for one in examined for row in one.rows]
    complaints = [row.verdict for row in rows if row.advice]
    complaints += [note.verdict for note in said if note.advice]
    unknown = complaints.count(verdicts.UNKNOWN)
    return Diagnosis(examined, said, 1 if len(complaints) > unknown else 2 if unknown else 0)


def _under_one_profile(reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Have a process that has lost the profile of the first one be judged by that."""
    asked = next((one["profile"] for one in reports if one["ended"]), None)
    return [
        {**one, "profile": asked} if one["ended"] and asked and asked[1] else one for one in reports
    ]


def judge(report: dict[str, Any], has_gpu: bool | None = None) -> list[Row]:
    """Return one row for each knob that matters to a process.

    Args:
        report: What was seen of it.
        has_gpu: Whether there is a GPU that a framework could use; None where it can't be told.
    """
    return verdicts.judge(Seen(report, has_gpu, _hash_holds(report)))


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
