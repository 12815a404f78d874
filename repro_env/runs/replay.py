"""Run somebody's run again: its code, apart from the work tree, on the same inputs; and compare."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from repro_env import paths
from repro_env.errors import CommandError, RecordError
from repro_env.git import checkout
from repro_env.records import compare, environment
from repro_env.records.compare import Comparison
from repro_env.records.definition import Code, Definition, Unavailable
from repro_env.records.finding import NO, Finding
from repro_env.records.observation import File, Origin
from repro_env.records.record import Record
from repro_env.runs import pack, redaction, surroundings
from repro_env.runs.beginning import Progress, input_files
from repro_env.runs.request import Request
from repro_env.runs.runner import Finished, run, silent
from repro_env.runs.store import Store, state_of
from repro_env.runs.store import read as read_record

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


class Replayed(NamedTuple):
    """A replay that is over.

    Args:
        finished: The new run.
        comparison: Of the old run with the new one.
    """

    finished: Finished
    comparison: Comparison


@contextmanager
def source(name: str, runs: Store) -> Iterator[Source]:
    """Find a run by what `RUN` may be: an id, a prefix, `last`, a `run.json`, a `.repro.tar`.

    Raises:
        RecordError: There is none, or it was interrupted, so there is nothing to compare with.
    """
    if name.endswith(pack.SUFFIX):
        with pack.opened(Path(name)) as opened:
            yield Source(_complete(opened.record, opened.record.state), *opened[1:])
    else:
        file = runs.find(name)
        found = read_record(file)
        yield Source(_complete(found, state_of(file, found.state)))


def forecast(was: Record, environ: Mapping[str, str]) -> list[Finding]:
    """Return what differs here of all that decides bits and is known beforehand.

    Args:
        was: The run's record.
        environ: Our environment.

    Returns:
        The differences that can change bits, or of which that can't be told.
    """
    unknown = Unavailable("known when it has run")
    here = replace(
        was.definition, image=surroundings.image(environ), packages=unknown, knobs=unknown
    )
    found = environment.compare(was.definition, was.observation.host, here, surroundings.host())
    return [one for one in found if one.can_change_bits != NO]


def replay(
    source: Source,
    runs: Store,
    *,
    in_place: bool = False,
    command: Sequence[str] = (),
    progress: Progress = silent,
    outputs: tuple[int, int] = (1, 2),
) -> Replayed:
    """Run it again, and compare.

    Args:
        source: The run.
        runs: Where the new record goes.
        in_place: Whether to run in the project's own folder, with the code that is there.
        command: The command, where the recorded one misses secrets.
        progress: Shows how far the digests are.
        outputs: The descriptors that its standard output and error are passed on to.

    Raises:
        CommandError: A secret is missing, or the command can't be started.
        RecordError: The code or an input is missing or not what it was; nothing was run.
    """
    was = source.record
    words = _command(was.definition, command)
    if in_place:
        request = _request(was, runs.project, words)
        _check_inputs(was, request.folder, progress)
    else:
        _refuse_outside(was.definition)
        top = _check_out(source, runs)
        request = _request(was, top, words)._replace(top=top, code=_code(was))
        _place_inputs(source, runs, request.folder)
        _check_inputs(was, request.folder, progress)
    finished = run(request, runs, progress, outputs)
    return Replayed(finished, compare.runs(was, finished.record))


def _complete(found: Record, state: str) -> Record:
    if state != "complete":
        raise RecordError(
            f"run {found.id} is {state}: there is nothing to compare with",
            hint="name a run that is complete: see `repro list`",
        )
    return found


def _command(was: Definition, command: Sequence[str]) -> list[str]:
    """Return the command with its secrets."""
    if command:
        return list(command)
    words = [paths.from_text(word) for word in was.command]
    filled = redaction.fill_in(words, was.hidden, os.environ)
    for at in was.hidden:
        if redaction.HIDDEN in filled[at] or "${" in filled[at]:
            raise CommandError(
                f"argument {at} of the command held a secret, which is not in the record: "
                f"{was.command[at]}",
                hint="set that variable, or give the whole command again after --",
            )
    return filled


def _request(was: Record, top: Path, command: Sequence[str]) -> Request:
    old = was.definition
    origin = Origin(was.id, was.definition_digest, was.digest)
    return Request(
        command=command,
        folder=Path(os.path.normpath(top / paths.from_text(old.folder))),
        inputs=[paths.from_text(one.path) for one in old.inputs],
        outputs=[paths.from_text(path) for path in old.outputs],
        parameters={name: paths.from_text(text) for name, text in old.parameters.items()},
        reason=f"replay of {was.id}",
        variables={name: paths.from_text(text) for name, text in old.variables.items()},
        replays=[*was.observation.replays, origin],
    )


def _code(was: Record) -> Code | None:
    return None if isinstance(was.definition.code, Unavailable) else was.definition.code


def _refuse_outside(was: Definition) -> None:
    """Refuse outputs that a replay would overwrite, and inputs that its copy can't have."""
    inputs = [paths.from_text(one.path) for one in was.inputs]
    named = [*map(paths.from_text, was.outputs), *(p for p in inputs if not p.startswith("/"))]
    for path in (".", *named):
        inside = os.path.normpath(os.path.join("/top", paths.from_text(was.folder), path))  # noqa: PTH118
        if not f"{inside}/".startswith("/top/"):
            where = f"{was.folder}/{paths.to_text(path)}"
            raise RecordError(
                f"{where} lies outside of the project, where a copy of its code has nothing",
                hint="replay it in the project's own folder: --in-place",
            )


def _check_out(source: Source, runs: Store) -> Path:
    """Check the recorded code out into a folder of its own, and return that."""
    was = source.record
    if isinstance(was.definition.code, Unavailable):
        raise RecordError(
            f"run {was.id} kept no code: {was.definition.code.reason}",
            hint="replay it where its code is: --in-place",
        )
    runs.prepare()
    top = Path(tempfile.mkdtemp(prefix=f"{was.id}-", dir=runs.work))
    try:
        tree = was.definition.code.tree
        if source.bundle is not None:
            written = checkout.read_bundle(source.bundle, tree, top)
        else:
            written = checkout.check_out(runs.project, tree, top)
        if written.missing:
            missing = paths.to_text(written.missing[0].path)
            raise RecordError(
                f"the submodule {missing!r} is not here at the commit of run {was.id}",
                hint="git submodule update --init, or replay it in its own folder: --in-place",
            )
    except BaseException:
        shutil.rmtree(top, ignore_errors=True)
        raise
    (top / paths.from_text(was.definition.folder)).mkdir(parents=True, exist_ok=True)
    return top


def _place_inputs(source: Source, runs: Store, folder: Path) -> None:
    """Put the inputs that are not part of the code where the command looks for them."""
    was = source.record
    if source.inputs is not None:
        for file in was.inputs:
            _unpack_input(file, source.inputs, folder)
    home = Path(os.path.normpath(runs.project / paths.from_text(was.definition.folder)))
    # A folder of which the code holds nothing as a whole, any other file by file.
    named = [one.path for one in was.definition.inputs] + [file.path for file in was.inputs]
    for path in map(paths.from_text, named):
        if not os.path.lexists(folder / path) and os.path.lexists(home / path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).symlink_to((home / path).resolve())


def _unpack_input(file: File, packed: Path, folder: Path) -> None:
    there, held = folder / paths.from_text(file.path), packed / file.sha256
    if held.exists() and not there.exists() and _is_inside(there, folder):
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(held, there)


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _check_inputs(was: Record, folder: Path, progress: Progress) -> None:
    """Refuse to run on other data: all that differs is named at once."""
    before = {file.path: file.sha256 for file in was.inputs}
    now: dict[str, str] = {}
    missing = []
    for one in was.definition.inputs:
        path = paths.from_text(one.path)
        if os.path.lexists(folder / path):
            now.update({file.path: file.sha256 for file in input_files(path, folder, progress)})
        else:
            missing.append(one.path)
    wrong = sorted(path for path in {*before, *now} if before.get(path) != now.get(path))
    if missing or wrong:
        named = ", ".join(missing or wrong[:MOST_NAMED])
        more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        what = "is not here" if missing else "is not what it was"
        raise RecordError(
            f"the input {named}{'' if missing else more} {what}, so nothing was run",
            hint="put it there as it was; `repro pack --with-inputs` takes inputs along",
        )
