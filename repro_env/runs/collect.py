"""Remove runs that nobody needs, and what interrupted commands of ours have left."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from repro_env import paths
from repro_env.errors import RecordError
from repro_env.git import code
from repro_env.records.definition import Strict
from repro_env.runs import files
from repro_env.runs.store import FILE, Store, is_running, read
from repro_env.verification import outcome

SETTLED_S = 3600  # what is younger may be about to become a run


class Collected(Strict, frozen=True):
    """What was removed, or would be.

    Args:
        runs: Their ids.
        leftovers: What belonged to no run: folders below `.repro`, verifications whose runs are
            gone, and hidden refs of git.
        freed_bytes: The size of the files; what git frees with its next `git gc` not counted.
        is_dry: Whether nothing was removed.
    """

    runs: list[str]
    leftovers: list[str]
    freed_bytes: int
    is_dry: bool


def collect(
    runs: Store,
    names: Sequence[str] = (),
    *,
    keep: int | None = None,
    older_than_days: float | None = None,
    is_dry: bool = False,
) -> Collected:
    """Remove runs, and always what belongs to none; never a run that is under way.

    Args:
        runs: The project's.
        names: Runs to remove, each an id or a prefix.
        keep: All but that many of the newest go.
        older_than_days: All that began before that go.
        is_dry: Only say what would go.

    Raises:
        RecordError: There is no such run, or it is under way, or it can't be removed.
    """
    doomed = sorted({*_named(runs, names), *_surplus(runs, keep), *_old(runs, older_than_days)})
    folders = [runs.runs / name for name in doomed]
    folders += _work_of(runs, {*runs.ids()} - {*doomed})
    folders += _without_record(runs)
    folders += _without_runs(runs, {*runs.ids()} - {*doomed})
    size = sum(sum(one.size_bytes for one in files.scan(folder).values()) for folder in folders)
    refs = _refs_without_run(runs, doomed)
    leftovers = [paths.to_text(folder) for folder in folders[len(doomed) :]]
    if not is_dry:
        for name in doomed:
            runs.remove(name)
        for folder in folders[len(doomed) :]:
            shutil.rmtree(folder, ignore_errors=True)
        for name in refs:
            code.forget(runs.project, name)
    return Collected(doomed, leftovers + [code.ref_of(name) for name in refs], size, is_dry)


def _named(runs: Store, names: Iterable[str]) -> list[str]:
    files_found = [runs.find(name) for name in names]
    for file in files_found:
        if file.parent.parent.resolve() != runs.runs.resolve():
            raise RecordError(
                f"{paths.to_text(file)} is no run of this project", hint="go to its own project"
            )
    found = [file.parent.name for file in files_found]
    for name in found:
        if is_running(runs.runs / name):
            raise RecordError(f"run {name} is under way", hint="wait for it, or end it")
    return found


def _surplus(runs: Store, keep: int | None) -> list[str]:
    if keep is None:
        return []
    ids = runs.ids()
    return _idle(runs, ids[: max(0, len(ids) - keep)])


def _old(runs: Store, older_than_days: float | None) -> list[str]:
    if older_than_days is None:
        return []
    until = datetime.fromtimestamp(time.time() - older_than_days * 86400, timezone.utc)
    text = until.strftime("%Y%m%d-%H%M%S")  # as ids begin
    return _idle(runs, [name for name in runs.ids() if name < text])


def _idle(runs: Store, ids: Iterable[str]) -> list[str]:
    return [name for name in ids if not is_running(runs.runs / name)]


def _without_record(runs: Store) -> list[Path]:
    """Return folders of runs that were cut short before they began."""
    found = sorted(runs.runs.iterdir()) if runs.runs.is_dir() else []
    return [one for one in found if not (one / FILE).exists() and _is_left(one)]


def _without_runs(runs: Store, kept: set[str]) -> list[Path]:
    """Return the verifications of which no run is left; never one that keeps somebody's files.

    A copy of files that is not whole is nobody's: no attempt had begun.
    """
    folders = sorted(runs.verifications.iterdir()) if runs.verifications.is_dir() else []
    found = [one for one in folders if {*os.listdir(one)} == {outcome.KEPT} and _is_left(one)]  # noqa: PTH208
    for file in sorted(runs.verifications.glob(f"*/{outcome.FILE}")):
        with suppress(RecordError):
            named = {one.run for one in outcome.read(file).attempts}
            if not named & kept and set(os.listdir(file.parent)) == {outcome.FILE}:  # noqa: PTH208
                found.append(file.parent)
    return found


def _work_of(runs: Store, kept: set[str]) -> list[Path]:
    """Return the checked-out code that no kept run has been working in."""
    folders = sorted(runs.work.iterdir()) if runs.work.is_dir() else []
    if not folders:
        return []
    used = set()
    for name in kept:
        with suppress(RecordError):
            used.add(paths.from_text(read(runs.runs / name / FILE).observation.working_folder))
    return [
        one
        for one in folders
        if _is_left(one) and not any(Path(path).is_relative_to(one) for path in used)
    ]


def _is_left(folder: Path) -> bool:
    with suppress(OSError):
        return not is_running(folder) and time.time() - folder.stat().st_mtime > SETTLED_S
    return False


def _refs_without_run(runs: Store, doomed: Sequence[str]) -> list[str]:
    """Return hidden refs whose run is not here; none where it may be in another work tree."""
    git = runs.project / ".git"
    if not git.is_dir() or (git / "worktrees").exists():
        return []
    try:
        refs = code.refs(runs.project)
    except code.NoCodeError:
        return []
    here = {folder.name for folder in runs.runs.iterdir()} if runs.runs.is_dir() else set()
    return sorted(set(refs) - here - set(doomed))
