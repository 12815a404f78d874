"""Where a replay works: a copy of the recorded code, with its inputs, apart from the work tree.

Nothing in it leads back into the project: inputs are copies, and git ends at its door. Absolute
inputs alone are taken where they are.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from repro_env import paths
from repro_env.errors import RecordError
from repro_env.git import checkout
from repro_env.records.definition import Definition, Unavailable
from repro_env.records.record import Record
from repro_env.runs.beginning import Progress, input_files
from repro_env.runs.store import Store

MOST_NAMED = 3  # inputs, in a sentence


class Source(NamedTuple):
    """A run that can be replayed.

    Args:
        record: Its record.
        bundle: Its code, where it came in an archive.
        inputs: The folder of its inputs by digest, where it came in an archive.
    """

    record: Record
    bundle: Path | None = None
    inputs: Path | None = None


@contextmanager
def made(source: Source, runs: Store) -> Iterator[Path]:
    """Check the recorded code out, and remove the copy again unless all went well.

    Yields:
        The top of the copy. It has a folder of its own around it, for inputs and outputs that
        stand beside the project.

    Raises:
        RecordError: The code was not kept or is not here, or the run leads out of the copy.
    """
    was = source.record
    if isinstance(was.definition.code, Unavailable):
        raise RecordError(
            f"run {was.id} kept no code: {was.definition.code.reason}",
            hint="replay it where its code is: --in-place",
        )
    _refuse_outside(was.definition)
    runs.prepare()
    root = Path(tempfile.mkdtemp(prefix=f"{was.id}-", dir=runs.work))
    try:
        top = root / "project"
        _check_out(source, was.definition.code.tree, runs, top)
        _refuse_links_out(was.definition, top, root)
        (top / paths.from_text(was.definition.folder)).mkdir(parents=True, exist_ok=True)
        yield top
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise


def remove(top: Path) -> None:
    """Remove a copy that nobody needs any more."""
    shutil.rmtree(top.parent, ignore_errors=True)


def place_inputs(source: Source, folder: Path, home: Path | None = None) -> None:
    """Put inputs that are not part of the code where the command looks for them.

    Args:
        source: The run.
        folder: Where its command will run.
        home: Where it ran in the project, to copy them from; None in the project itself.
    """
    for file in source.record.inputs:
        path = paths.from_text(file.path)
        packed = None if source.inputs is None else source.inputs / file.sha256
        if Path(path).is_absolute() or os.path.lexists(folder / path):
            continue
        if packed is not None and packed.exists():
            _copy(packed, folder / path)
        elif home is not None and (home / path).is_file():
            _copy(home / path, folder / path)


def check_inputs(was: Record, folder: Path, progress: Progress) -> None:
    """Refuse other data: all that differs is named at once.

    Raises:
        RecordError: An input is missing, or not what it was.
    """
    before = {file.path: file.sha256 for file in was.inputs}
    now: dict[str, str] = {}
    missing = []
    for one in was.definition.inputs:
        path = paths.from_text(one.path)
        if (folder / path).exists():
            now.update({file.path: file.sha256 for file in input_files(path, folder, progress)})
        else:
            missing.append(one.path)
    wrong = sorted(path for path in {*before, *now} if before.get(path) != now.get(path))
    if missing or wrong:
        named = ", ".join((missing or wrong)[:MOST_NAMED])
        more = len(missing or wrong) - MOST_NAMED
        said = f"{named} and {more} more" if more > 0 else named
        what = "is not here" if missing else "is not what it was"
        raise RecordError(
            f"the input {said} {what}, so nothing was run",
            hint="put it there as it was; `repro pack --with-inputs` takes along those that are "
            "named relative to the project",
        )


def _check_out(source: Source, tree: str, runs: Store, top: Path) -> None:
    if source.bundle is not None:
        written = checkout.read_bundle(source.bundle, tree, top)
    else:
        written = checkout.check_out(runs.project, tree, top)
    if written.missing:
        missing = paths.to_text(written.missing[0].path)
        raise RecordError(
            f"the submodule {missing!r} is not here at the commit of run {source.record.id}",
            hint="git submodule update --init, or replay it in its own folder: --in-place",
        )


def _refuse_outside(was: Definition) -> None:
    """Refuse outputs that a replay would overwrite, and inputs that its copy can't have."""
    inputs = [paths.from_text(one.path) for one in was.inputs]
    named = [*map(paths.from_text, was.outputs), *(one for one in inputs if one[:1] != "/")]
    folder = os.path.normpath(os.path.join("/top/project", paths.from_text(was.folder)))  # noqa: PTH118
    if not f"{folder}/".startswith("/top/project/"):
        raise _outside(was.folder)
    for path in named:
        there = os.path.normpath(os.path.join(folder, path))  # noqa: PTH118
        if not there.startswith("/top/"):
            raise _outside(paths.to_text(path))


def _refuse_links_out(was: Definition, top: Path, root: Path) -> None:
    """Refuse outputs that a link in the code leads out of the copy: they are the user's."""
    for path in (".", *was.outputs):
        there = top / paths.from_text(was.folder) / paths.from_text(path)
        if not Path(os.path.realpath(there)).is_relative_to(os.path.realpath(root)):
            raise _outside(path)


def _outside(path: str) -> RecordError:
    return RecordError(
        f"{path} lies outside of the project, where a copy of its code has nothing",
        hint="replay it in the project's own folder: --in-place",
    )


def _copy(source: Path, target: Path) -> None:
    root = next(one for one in target.parents if one.is_dir())
    if os.path.realpath(root) != os.path.abspath(root):  # noqa: PTH100  # a link of the code's
        raise _outside(paths.to_text(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
