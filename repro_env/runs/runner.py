"""Run a command under the settings, and leave a record of all that decided its outputs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from repro_env import paths
from repro_env.errors import CommandError
from repro_env.launch import Launched, launch
from repro_env.records import record
from repro_env.records.observation import File, Log, Process, main_of
from repro_env.records.record import Record
from repro_env.runs import files, remarks, seen, store, surroundings, traced
from repro_env.runs.beginning import Progress, begin, now
from repro_env.runs.files import Stamp
from repro_env.runs.relay import Kept, Relay
from repro_env.runs.request import Request, Trial, environ_of, program
from repro_env.runs.store import Store

MANIFEST = "outputs.sha256"


class Finished(NamedTuple):
    """A run that is over.

    Args:
        record: Its record.
        file: Where that is.
        signal: The number of a signal that came to us meanwhile; 0 if none.
        timed_out: Whether it was ended because its time was over.
    """

    record: Record
    file: Path
    signal: int = 0
    timed_out: bool = False


class _Before(NamedTuple):
    """How things stood before the command began: the record, its folder, the other runs."""

    record: Record
    stamps: dict[str, Stamp]
    inputs: dict[str, Stamp]
    running: set[str]


class _Ran(NamedTuple):
    """What the command did, apart from its outputs."""

    launched: Launched
    logs: list[Kept]
    duration_s: float
    signal: int
    timed_out: bool


class _After(NamedTuple):
    """What the command left."""

    outputs: list[File]
    deleted: list[str]
    missing: list[str]
    unseen: list[str]


def silent(what: str, total_bytes: int) -> Callable[[int], None]:
    """Show no progress."""
    del what, total_bytes
    return lambda _: None


def run(
    request: Request,
    runs: Store,
    progress: Progress = silent,
    outputs: tuple[int, int] = (1, 2),
) -> Finished:
    """Run a command, pass on what it prints, and record it.

    Args:
        request: What is to be run.
        runs: Where its record goes.
        progress: Shows how far the digests are.
        outputs: The descriptors that its standard output and error are passed on to.

    Raises:
        CommandError: The command can't be started, and there is no record.
        RecordError: An input can't be read, and nothing was run; or the record can't be
            completed, and the run counts as interrupted.
        SettingError: A knob has an illegal value, and nothing was run.
    """
    environ = environ_of(request, os.environ)
    with runs.new() as folder:
        traced.prepare(request, folder, environ)
        before = _prepare(request, runs, folder, environ, progress)
        ran = _run(request, runs, folder, environ, outputs)
        after = _outputs(request, before, progress)
        running = before.running | runs.running()
        notes = [
            *remarks.of_code(before.record.definition.code),
            *remarks.of_processes(ran.launched),
            *_notes_of_files(request, before, after, ran),
            *remarks.of_others(request, running - {folder.name}),
        ]
        processes = seen.processes(ran.launched.reports, environ)
        notes += remarks.of_path(request, runs.project, processes)
        ended = _end(before.record, ran, after, notes, processes)
        store.write(folder, ended)
        with suppress(OSError):  # a convenience: the record has it all
            (folder / MANIFEST).write_bytes(files.manifest(ended.outputs))
    return Finished(ended, folder / store.FILE, ran.signal, ran.timed_out)


def _prepare(
    request: Request, runs: Store, folder: Path, environ: Mapping[str, str], progress: Progress
) -> _Before:
    try:
        begun = begin(request, folder.name, runs.project, environ, progress)
        store.write(folder, begun)
        return _Before(
            record=begun,
            stamps=_stamps_of_outputs(request),
            inputs=_input_stamps(request, begun),
            running=runs.running(),
        )
    except BaseException:  # Ctrl-C too: nothing was run, so there is nothing to record
        runs.discard(folder.name)
        raise


def _run(
    request: Request,
    runs: Store,
    folder: Path,
    environ: Mapping[str, str],
    outputs: tuple[int, int],
) -> _Ran:
    streams = Relay(folder, outputs)
    trial = request.trial or Trial()
    started = time.monotonic()
    try:
        launched = launch(
            program(request.command),
            environ,
            folder=request.folder,
            reports=folder / "processes",
            stdin=subprocess.DEVNULL if request.trial else None,
            stdout=streams.stdout.target,
            stderr=streams.stderr.target,
            prepare=trial.prepare,
            descriptors=trial.descriptors,
            wait=partial(streams.wait, timeout_s=trial.timeout_s),
        )
    except CommandError:
        streams.close()
        runs.discard(folder.name)
        raise
    duration_s = round(time.monotonic() - started, 3)
    number = launched.signal or streams.signal
    return _Ran(launched, streams.close(), duration_s, number, streams.timed_out)


def _stamps_of_outputs(request: Request) -> dict[str, Stamp]:
    """Return how everything stands that may be an output."""
    if not request.outputs:
        return _scan(request, _skip)
    names = [name for path in request.outputs for name in files.below(path, request.folder)]
    return {name: files.stamp(request.folder / name) for name in names}


def _scan(request: Request, on_error: Callable[[OSError], None]) -> dict[str, Stamp]:
    """Return all that may be an output, by its path relative to the folder."""
    root = (request.trial and request.trial.root) or request.folder
    found = files.scan(root, on_error)
    if root == request.folder:
        return found
    below = os.path.relpath(root, request.folder)
    return {os.path.normpath(os.path.join(below, path)): one for path, one in found.items()}  # noqa: PTH118


def _outputs(request: Request, before: _Before, progress: Progress) -> _After:
    """Digest what `--out` named, or what the command made or changed below its folder."""
    unseen: list[str] = []
    deleted: list[str] = []
    missing: list[str] = []
    names: list[str] = []
    if request.outputs:
        for path in request.outputs:
            there = os.path.lexists(request.folder / path)
            names += files.below(path, request.folder) if there else []
            missing += [] if there else [paths.to_text(path)]
    else:
        stamps = _scan(request, lambda error: unseen.append(str(error.filename)))
        names, deleted = files.changed(before.stamps, stamps)
    names = list(dict.fromkeys(names))
    done = progress("digesting outputs", files.size(names, request.folder))
    return _After(
        outputs=files.describe(names, request.folder, done),
        deleted=[paths.to_text(path) for path in deleted],
        missing=missing,
        unseen=[paths.to_text(path) for path in unseen],
    )


def _end(
    begun: Record, ran: _Ran, after: _After, notes: list[str], processes: list[Process]
) -> Record:
    main = main_of(processes)
    folders = [path for path in main.path if path.endswith(remarks.PACKAGES)] if main else []
    definition = replace(
        begun.definition,
        knobs=seen.knobs_of(processes),
        packages=surroundings.packages(map(paths.from_text, folders)),
    )
    status = ran.launched.status
    observation = replace(
        begun.observation,
        ended=now(),
        duration_s=ran.duration_s,
        exit_status=status if status >= 0 else 128 - status,
        processes=processes,
        logs=[_log(kept) for kept in ran.logs],
        notes=notes,
    )
    return replace(
        begun,
        state="complete",
        definition=definition,
        definition_digest=record.digest_of(definition),
        observation=observation,
        outputs=after.outputs,
        deleted=after.deleted,
        missing=after.missing,
    )


def _notes_of_files(request: Request, before: _Before, after: _After, ran: _Ran) -> list[str]:
    stamps = _input_stamps(request, before.record)
    changed, _ = files.changed(before.inputs, stamps)
    notes = [f"the input {paths.to_text(path)} was changed during the run" for path in changed]
    notes += [f"--out {path}: the command did not make it" for path in after.missing]
    if request.outputs:
        written = {name: files.stamp(request.folder / name) for name in before.stamps}
        stale = [name for name, was in before.stamps.items() if was.inode and written[name] == was]
        notes += [f"--out {paths.to_text(name)}: the command did not touch it" for name in stale]
    notes += [f"{path} can't be read, so outputs in it are not known" for path in after.unseen]
    notes += [
        f"the output {file.path} can't be read" for file in after.outputs if not _is_read(file)
    ]
    notes += [
        f"{kept.path.name} does not hold all: the disk was full"
        for kept in ran.logs
        if not kept.is_complete
    ]
    return notes


def _is_read(file: File) -> bool:
    return file.kind != "unreadable"


def _input_stamps(request: Request, begun: Record) -> dict[str, Stamp]:
    names = [paths.from_text(file.path) for file in begun.inputs]
    return {name: files.stamp(request.folder / name) for name in names}


def _log(kept: Kept) -> Log:
    digest = hashlib.sha256()
    with kept.path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
        size = file.tell()
    return Log(kept.path.name, size, digest.hexdigest(), kept.is_complete)


def _skip(error: OSError) -> None:
    """Go on: what is in there afterwards is named."""
