"""What is below a folder, and how each thing there stands."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from repro_env import paths
from repro_env.errors import RecordError
from repro_env.runs.files import OTHERS

REPOSITORIES = (".git", ".repro")  # inner ones: they may be moved with the folder around them
ENVIRONMENT = "pyvenv.cfg"  # whose folder is a virtual environment


class Entry(NamedTuple):
    """How a file, link or folder stands: other numbers, and something has happened to it.

    Args:
        mode: Its kind and permissions.
        size_bytes: Its size.
        modified_ns: When its bytes changed.
        changed_ns: When anything of it changed: no program can set that back.
        inode: Another one if it was replaced.
    """

    mode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int
    inode: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_special(self) -> bool:
        """Whether it is a pipe, a socket or a device, of which nothing can be kept."""
        return not (self.is_folder or stat.S_ISREG(self.mode) or stat.S_ISLNK(self.mode))

    def is_like(self, other: Entry | None) -> bool:
        """Say whether nothing has happened in between; of folders only permissions count."""
        if other is None or not self.is_folder:
            return self == other
        return self.mode == other.mode


class Look(NamedTuple):
    """What is below a folder.

    Args:
        entries: Each file, link and folder, by its path below the folder; folders come first.
        environments: Virtual environments, which are not looked into.
    """

    entries: dict[str, Entry]
    environments: list[str]


def look(folder: Path) -> Look:
    """Return what is below a folder, but for what tools keep for themselves.

    Raises:
        RecordError: A folder can't be read.
    """
    found = Look({}, [])
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for entry in sorted(_scan(folder / above), key=lambda one: one.name):
            path = os.path.join(above, entry.name)  # noqa: PTH118  # pathlib takes ten times as long
            seen = entry_of(entry.stat(follow_symlinks=False))
            if not seen.is_folder:
                found.entries[path] = seen
            elif os.path.exists(os.path.join(entry.path, ENVIRONMENT)):  # noqa: PTH110, PTH118
                found.environments.append(path)
            elif entry.name not in OTHERS or (above and entry.name in REPOSITORIES):
                found.entries[path] = seen
                waiting.append(path)
    return found


def entry_of(seen: os.stat_result) -> Entry:
    """Return how something stands."""
    return Entry(seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise refused(error) from None


def refused(error: OSError) -> RecordError:
    """Return what to say where the system refuses to read or write a file."""
    name = paths.to_text(error.filename or "a file")
    return RecordError(
        f"{name!r} can't be kept or put back: {error.strerror}",
        hint="mend that, and put the rest back: repro verify --restore",
    )
