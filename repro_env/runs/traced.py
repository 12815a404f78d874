"""Where an attempt's processes leave what they saw step by step: beside its record."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path

from repro_env.errors import RecordError
from repro_env.runs.request import Request

FOLDER = "trace"
VARIABLE = "REPRO_TRACE"


def prepare(request: Request, folder: Path, environ: MutableMapping[str, str]) -> None:
    """Say to the processes of an attempt what is wanted of them, and to those of a run nothing.

    Args:
        request: What is about to be run.
        folder: The run's.
        environ: The environment that the command will have.

    Raises:
        RecordError: It can't be written.
    """
    environ.pop(VARIABLE, None)  # of a verify around us
    if request.trial is None:
        return
    trace = folder / FOLDER
    try:
        trace.mkdir(mode=0o700)
        (trace / "plan.json").write_text(json.dumps(dict(request.trial.plan)))
    except OSError as error:
        raise RecordError(
            f"{str(trace)!r} can't be written: {error.strerror}",
            hint="free space on the disk, or run where you can write",
        ) from None
    environ[VARIABLE] = str(trace)
