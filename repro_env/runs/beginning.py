"""What can be said of a run before its command starts: most of what decides its outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from repro_env import __version__, paths, settings
from repro_env.errors import RecordError
from repro_env.git import code
from repro_env.knobs import variables
from repro_env.records import record
from repro_env.records.definition import Code, Definition, LeftOut, Submodule, Unavailable
from repro_env.records.observation import File, Observation
from repro_env.records.record import Record
from repro_env.runs import files, redaction, surroundings
from repro_env.runs.request import Request

CODE_LIMIT_BYTES = 10 * 2**20
NOT_YET = Unavailable("the run was not over")

# Called before files are digested, with what is being done and their bytes; what it returns is
# called with the bytes done since.
Progress = Callable[[str, int], Callable[[int], None]]


def begin(
    request: Request, run_id: str, top: Path, environ: Mapping[str, str], progress: Progress
) -> Record:
    """Keep the code, digest the inputs, and return the record of a run that is about to start.

    Args:
        request: What is to be run.
        run_id: The run's name.
        top: The project's folder.
        environ: The environment that the command will have.
        progress: Shows how far the digests are.

    Raises:
        RecordError: An input can't be read.
        SettingError: `REPRO_IMAGE_DIGEST` is no digest.
    """
    found = {path: input_files(path, request.folder, progress) for path in request.inputs}
    definition = _definition(request, run_id, top, environ, found)
    return Record(
        format=record.FORMAT,
        digest=record.NO_DIGEST,
        id=run_id,
        state="running",
        written_by=__version__,
        definition=definition,
        definition_digest=record.digest_of(definition),
        observation=_observation(request, environ),
        inputs=[file for each in found.values() for file in each],
        outputs=[],
        deleted=[],
        missing=[],
    )


def now() -> str:
    """Return the time in UTC, to the millisecond, as RFC 3339 writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _definition(
    request: Request,
    run_id: str,
    top: Path,
    environ: Mapping[str, str],
    found: Mapping[str, list[File]],
) -> Definition:
    command, hidden = redaction.redact(request.command, environ)
    names = {knob.name for knob in variables()}
    profile, threads = settings.read_profile(environ)
    return Definition(
        command=[paths.to_text(word) for word in command],
        hidden=hidden,
        folder=paths.to_text(os.path.relpath(request.folder, request.top or top)),
        seed=int(environ["REPRO_SEED"]),
        profile=profile,
        threads=threads,
        parameters={name: paths.to_text(text) for name, text in request.parameters.items()},
        variables={
            name: paths.to_text(text) for name, text in sorted(environ.items()) if name in names
        },
        knobs=NOT_YET,
        code=_code(request, run_id, top),
        image=surroundings.image(environ),
        packages=NOT_YET,
        inputs=[files.summary(path, each) for path, each in found.items()],
        outputs=[paths.to_text(path) for path in request.outputs],
    )


def _observation(request: Request, environ: Mapping[str, str]) -> Observation:
    return Observation(
        reason=paths.to_text(redaction.redact([request.reason], environ)[0][0]),
        replays=list(request.replays),
        started=now(),
        ended=NOT_YET,
        duration_s=NOT_YET,
        exit_status=NOT_YET,
        working_folder=paths.to_text(request.folder),
        host=surroundings.host(),
        processes=[],
        logs=[],
        notes=[],
    )


def input_files(path: str, folder: Path, progress: Progress) -> list[File]:
    """Return the files of an input, with their digests; links count as what they lead to.

    Args:
        path: What `--in` named: relative to the folder, or absolute.
        folder: Where the run is.
        progress: Shows how far the digests are.

    Raises:
        RecordError: It does not exist, or a file of it can't be read.
    """
    if not os.path.lexists(folder / path):
        raise RecordError(f"--in {path!r} does not exist", hint="name a file or a folder")
    names = files.below(path, folder, follow=True)
    done = progress("digesting inputs", files.size(names, folder))
    found = files.describe(names, folder, done, follow=True)
    for file in found:
        if file.kind in ("unreadable", "special") and isinstance(file.content, Unavailable):
            raise RecordError(
                f"--in {path!r}: {file.path!r} can't be read: {file.content.reason}",
                hint="mend that, or leave it out",
            )
    return found


def look_at_code(folder: Path) -> Code | Unavailable:
    """Return the code that is in a folder now, as `begin` would keep it, and keep it not."""
    run_id = f"look-{os.urandom(8).hex()}"
    found = _kept(folder, run_id)
    if not isinstance(found, Unavailable):
        code.forget(folder, run_id)
    return found


def _code(request: Request, run_id: str, top: Path) -> Code | Unavailable:
    if request.code is None:
        return _kept(request.folder, run_id)
    code.adopt(top, run_id, request.code.tree)  # where it is not here, its bundle is
    return request.code


def _kept(folder: Path, run_id: str) -> Code | Unavailable:
    try:
        kept = code.keep(folder, run_id, CODE_LIMIT_BYTES)
    except code.NoCodeError as error:
        return Unavailable(paths.to_text(error.args[0]))
    return Code(
        tree=kept.tree,
        commit=kept.commit,
        branch=paths.to_text(kept.branch),
        is_dirty=kept.is_dirty,
        pushed=kept.pushed,
        remote=paths.printable(kept.remote),
        left_out=[
            LeftOut(paths.to_text(one.path), one.size_bytes, paths.printable(one.reason))
            for one in kept.left_out
        ],
        submodules=[
            Submodule(paths.to_text(one.path), one.commit, one.is_dirty) for one in kept.submodules
        ],
    )
