"""What the reader of a record should know of its run, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repro_env import doctor, hook, paths
from repro_env.launch import Launched
from repro_env.records.definition import Code, Unavailable
from repro_env.records.observation import Process, main_of
from repro_env.runs import seen
from repro_env.runs.request import Request

PACKAGES = ("/site-packages", "/dist-packages")


def of_code(code: Code | Unavailable) -> list[str]:
    """Say what of the code was not kept: a replay will miss it."""
    if isinstance(code, Unavailable):
        return [f"the code is not kept: {code.reason}"]
    notes = [f"{one.path} is not kept: {one.reason}" for one in code.left_out]
    dirty = [one.path for one in code.submodules if one.is_dirty]
    return notes + [f"the changes in the submodule {path} are not kept" for path in dirty]


def of_processes(launched: Launched) -> list[str]:
    """Say which knobs did not take effect, and which Pythons have no hook."""
    notes: dict[str, None] = {}
    for report in launched.reports:
        for row in doctor.judge(report):
            if row.advice:
                notes[f"{row.knob}: {row.verdict}: {row.why}; {row.advice}"] = None
    for python in dict.fromkeys(one.path for one in launched.strangers):
        if not hook.is_in(python):
            notes[f"{python} has no hook, so it was not seeded: repro hook install {python}"] = None
    if len(launched.reports) > seen.MOST:
        notes[f"of {len(launched.reports)} Python processes the record has {seen.MOST}"] = None
    return [paths.to_text(note) for note in notes]


def of_path(request: Request, project: Path, processes: Sequence[Process]) -> list[str]:
    """Say where a replay imports the project's own code instead of its copy."""
    main = main_of(processes)
    if request.top is None or main is None:
        return []
    folders = [Path(paths.from_text(path)) for path in main.path if not path.endswith(PACKAGES)]
    return [
        f"modules were looked for in {paths.to_text(folder)}, which is not the recorded code"
        for folder in folders
        if folder.is_relative_to(project) and not folder.is_relative_to(request.top)
    ]


def of_others(request: Request, others: set[str]) -> list[str]:
    """Say which runs may have made some of the outputs."""
    if request.outputs or request.top is not None:  # in a copy it is alone
        return []
    return [
        f"run {other} was under way in this project: files of its may be among the outputs (--out)"
        for other in sorted(others)
    ]
