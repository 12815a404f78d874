"""Run somebody's run again: its code, apart from the work tree, on the same inputs; and compare."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from repro_env import paths
from repro_env.errors import CommandError, RecordError
from repro_env.records import compare, environment
from repro_env.records.compare import Comparison
from repro_env.records.definition import Code, Definition, Unavailable
from repro_env.records.environment import PORTABLE
from repro_env.records.finding import NO, UNKNOWN, Finding
from repro_env.records.observation import Origin
from repro_env.records.record import Record
from repro_env.runs import beginning, pack, redaction, surroundings, workplace
from repro_env.runs.beginning import Progress
from repro_env.runs.request import Request
from repro_env.runs.runner import Finished, run, silent
from repro_env.runs.store import Store, state_of
from repro_env.runs.store import read as read_record
from repro_env.runs.workplace import Source


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
            found = _complete(opened.record, opened.record.state)
            yield Source(found, opened.bundle, opened.inputs)
    else:
        file = runs.find(name)
        found = read_record(file)
        bundle = file.parent / pack.BUNDLE  # of a run that came in an archive
        kept = bundle if bundle.exists() else None
        yield Source(_complete(found, state_of(file, found.state)), kept)


def forecast(
    was: Record, runs: Store, environ: Mapping[str, str], in_place: bool = False
) -> list[Finding]:
    """Return what differs here of all that decides bits and is known beforehand.

    Args:
        was: The run's record.
        runs: Those of the project where it is to be replayed.
        environ: Our environment.
        in_place: Whether with the code that is in the project's folder.

    Returns:
        The differences that can change bits, or of which that can't be told; and those between the
        CPUs that can't, since the profile has libraries compute alike on both.
    """
    unknown = Unavailable("known when it has run")
    here = replace(
        was.definition, image=surroundings.image(environ), packages=unknown, knobs=unknown
    )
    observed = was.observation
    found = environment.compare(
        was.definition, observed.host, here, surroundings.host(), [observed.processes]
    )
    code_found = _code_in_place(was, runs) if in_place else _code_not_kept(was)
    everything = (*code_found, *found)
    return [one for one in everything if one.can_change_bits != NO or one.why.startswith(PORTABLE)]


def is_other(forecast: Sequence[Finding]) -> bool:
    """Say whether something in a forecast can change bits, or nobody can tell."""
    return any(one.can_change_bits != NO for one in forecast)


def _code_in_place(was: Record, runs: Store) -> Iterator[Finding]:
    now = beginning.look_at_code(runs.project)
    return compare.code(was.definition, replace(was.definition, code=now))


def _code_not_kept(was: Record) -> Iterator[Finding]:
    """Name what a copy of the code does not hold."""
    if isinstance(was.definition.code, Unavailable):
        return
    for one in was.definition.code.left_out:
        yield Finding("code", one.path, "there", "not in the copy", UNKNOWN, one.reason)
    for module in was.definition.code.submodules:
        if module.is_dirty:
            why = "its changes were not kept"
            yield Finding("code", module.path, "changed", module.commit, UNKNOWN, why)


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
    if in_place:
        request = _request(was, runs.project, _command(was.definition, command))
        workplace.place_inputs(source, request.folder)
        workplace.check_inputs(was, request.folder, progress)
        finished = run(request, runs, progress, outputs)
    else:
        with workplace.made(source, runs) as top:
            request = request_of(source, runs, top, progress, command)
            finished = run(request, runs, progress, outputs)
            if source.bundle is not None:
                shutil.copyfile(source.bundle, finished.file.with_name(pack.BUNDLE))
    return Replayed(finished, compare.runs(was, finished.record))


def request_of(
    source: Source, runs: Store, top: Path, progress: Progress, command: Sequence[str] = ()
) -> Request:
    """Return what is to run in a copy of the code, once its inputs are there and as they were.

    Args:
        source: The run.
        runs: The project's.
        top: The top of the copy.
        progress: Shows how far the digests are.
        command: The command, where the recorded one misses secrets.

    Raises:
        CommandError: A secret is missing.
        RecordError: An input is missing, or not what it was.
    """
    was = source.record
    words = _command(was.definition, command)
    request = _request(was, top, words)._replace(top=top, code=_code(was))
    home = Path(os.path.normpath(runs.project / paths.from_text(was.definition.folder)))
    workplace.place_inputs(source, request.folder, home)
    workplace.check_inputs(was, request.folder, progress)
    return request


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
