"""The files below a folder as an attempt finds them: kept in a copy, and put back after each.

What an attempt has made or changed is moved out, never removed, and nothing is put in its place
before that: a kill at any moment loses nothing. What was kept says by itself how to put it back.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from repro_env import paths
from repro_env.errors import RecordError
from repro_env.runs.files import OTHERS
from repro_env.verification import copying
from repro_env.words import size as in_words

KEPT = "files"
LIST = "starting.json"
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


class StartingFiles:
    """The files of one folder.

    Args:
        folder: The one in which attempts run.
        kept: A folder that holds, or will hold, the copy and its list.
    """

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder = folder
        self._copy = kept / KEPT
        self._list = kept / LIST
        self._now: dict[str, Entry] = {}
        self._environments: list[str] = []
        self.is_put_back = True

    def keep(self, on_start: Callable[[int], Callable[[int], None]]) -> None:
        """Copy all files.

        Args:
            on_start: Called with the bytes that there are; what it returns, with those done since.

        Raises:
            RecordError: A file can't be read, or there is no room.
        """
        found = look(self.folder)
        total = sum(one.size_bytes for one in found.entries.values() if not one.is_folder)
        _check_room(self._list.parent, total)
        done = on_start(total)
        try:
            self._copy.mkdir()
            for path, entry in found.entries.items():
                copying.copy(self.folder / path, self._copy / path)
                done(0 if entry.is_folder else entry.size_bytes)
            _settle(found.entries, self.folder, self._copy)
            text = {"folder": paths.to_text(self.folder), "entries": found.entries}
            temporary = self._list.with_suffix(".new")
            temporary.write_text(json.dumps(text))
            temporary.replace(self._list)
        except OSError as error:
            raise _refused(error) from None
        self._now, self._environments = found

    def copy_to(self, folder: Path) -> StartingFiles:
        """Return the same files in another folder, which is made; environments are links there.

        Raises:
            RecordError: There is no room.
        """
        other = StartingFiles(folder, self._list.parent)
        try:
            folder.mkdir(parents=True)
            for path in self._now:
                copying.copy(self._copy / path, folder / path)
            _settle(self._now, self._copy, folder)
            for path in self._environments:
                (folder / path).symlink_to(self.folder / path)
            other._now = look(folder).entries
        except OSError as error:
            raise _refused(error) from None
        return other

    def put_back(self, aside: Path) -> None:
        """Move what was made or changed since into a folder, and have all as it was.

        Args:
            aside: Where to; each path below it is as below the folder.

        Raises:
            RecordError: There is no room, or a file can't be moved. All is still there: in the
                folder, in the copy, or aside.
        """
        self.is_put_back = False
        try:
            self._put_back(aside)
        except OSError as error:
            raise _refused(error) from None
        self.is_put_back = True

    def _put_back(self, aside: Path) -> None:
        now, environments = look(self.folder)
        for path in [*_foreign(self._now, now), *sorted({*environments} - {*self._environments})]:
            copying.move(self.folder / path, aside / path)
        for path in _foreign_folders(self._now, now):
            copying.remove_folder(self.folder / path, aside / path)
        wrong = [path for path, was in self._now.items() if not was.is_like(now.get(path))]
        for path in wrong:
            copying.copy(self._copy / path, self.folder / path)
        _settle(self._now, self._copy, self.folder)
        for path in wrong:
            self._now[path] = entry_of((self.folder / path).lstat())

    def restore(self, aside: Path) -> None:
        """Put back what a killed verify has kept.

        Raises:
            RecordError: As of `put_back`; or what was kept is damaged.
        """
        known = _listed(self._list)["entries"]
        self._now = {path: Entry(*fields) for path, fields in known.items()}
        for path, entry in look(self.folder).entries.items():
            was = self._now.get(path)
            if was and copying.is_same(self._copy / path, self.folder / path):
                self._now[path] = entry
        self.put_back(aside)


def folder_of(kept: Path) -> Path:
    """Return the folder whose files were kept there.

    Raises:
        RecordError: What was kept is damaged.
    """
    return Path(paths.from_text(str(_listed(kept / LIST)["folder"])))


def is_kept(kept: Path) -> bool:
    """Say whether all files of a folder are kept there, and may have to be put back."""
    return (kept / LIST).exists()


def forget(kept: Path) -> None:
    """Remove what was kept; its list first, so that a part of it never counts as all."""
    with suppress(OSError):
        (kept / LIST).unlink(missing_ok=True)
        shutil.rmtree(kept / KEPT, ignore_errors=True)


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
            elif entry.name not in OTHERS:
                found.entries[path] = seen
                waiting.append(path)
    return found


def entry_of(seen: os.stat_result) -> Entry:
    """Return how something stands."""
    return Entry(seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def _foreign(was: dict[str, Entry], now: dict[str, Entry]) -> Iterator[str]:
    """Yield the files that were made or changed."""
    for path, entry in now.items():
        if not entry.is_folder and entry != was.get(path):
            yield path


def _foreign_folders(was: dict[str, Entry], now: dict[str, Entry]) -> Iterator[str]:
    """Yield the folders that were made, the innermost first."""
    for path, entry in reversed(now.items()):
        if entry.is_folder and not (path in was and was[path].is_folder):
            yield path


def _settle(entries: dict[str, Entry], source: Path, target: Path) -> None:
    for path, entry in reversed(entries.items()):
        if entry.is_folder:
            copying.settle(source / path, target / path)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise _refused(error) from None


def _listed(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{str(file)!r} can't be read: {error}", hint="copy the files beside it back by hand"
        ) from None
    return found


def _check_room(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if size_bytes > free:
        raise RecordError(
            f"the files below here take {in_words(size_bytes)}, which have to be kept meanwhile, "
            f"and {in_words(free)} are free",
            hint="free space, or have large data outside of the project, such as in /data",
        )


def _refused(error: OSError) -> RecordError:
    return RecordError(
        f"{paths.to_text(error.filename or '')!r} can't be kept or put back: {error.strerror}",
        hint="mend that, and try again: nothing is lost",
    )
