"""What attempts have read: files outside of the project that an earlier attempt has left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from repro_env import paths
from repro_env.records.record import Record
from repro_env.runs.traced import FOLDER
from repro_env.verification.outcome import Divergence

CHANGED_AT = 2  # in a stamp: when anything of the file changed, in ns


class Reads(NamedTuple):
    """The files that Python opened for reading in one attempt.

    Args:
        started_ns: When the attempt began, in ns since 1970.
        files: The stamp of each as it was first seen, by its path; None where it was not there.
    """

    started_ns: int
    files: dict[str, list[int] | None]


def of(record: Record, folder: Path) -> Reads:
    """Return what an attempt has read.

    Args:
        record: Its record.
        folder: Its run's folder.
    """
    started = datetime.fromisoformat(record.observation.started.replace("Z", "+00:00"))
    found: dict[str, list[int] | None] = {}
    for file in sorted((folder / FOLDER).glob("*.reads.json")):
        try:
            read = json.loads(file.read_bytes())["files"]
        except (OSError, ValueError, LookupError):  # of a process that was killed
            continue
        found.update({path: stamp for path, stamp in read.items() if path not in found})
    return Reads(int(started.timestamp() * 1e9), found)


def left_behind(was: Reads, now: Reads, root: Path) -> Iterator[Divergence]:
    """Yield files that one attempt read and that were written between its start and the other's.

    Args:
        was: Of the reference.
        now: Of the attempt, which began later.
        root: The folder that is put back after each attempt, so nothing is left in it.
    """
    for path, stamp in sorted(now.files.items()):
        if stamp is None or Path(path).is_relative_to(root):
            continue
        if was.started_ns <= stamp[CHANGED_AT] < now.started_ns:
            name = paths.to_text(path)
            text = (
                f"it reads {name}, which was written after the reference had begun and before "
                "this attempt did: an attempt leaves it, outside of the project"
            )
            yield Divergence("inputs", name, text)
