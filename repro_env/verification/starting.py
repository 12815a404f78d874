"""The files below a folder as an attempt finds them: kept in a copy, and put back after each.

What an attempt has made or changed is moved out, never removed, and nothing is put in its place
before that: a kill at any moment loses nothing. What was kept says by itself how to put it back.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from repro_env import paths
from repro_env.errors import RecordError
from repro_env.verification import copying
from repro_env.verification.outcome import KEPT
from repro_env.verification.tree import Entry, entry_of, look, refused
from repro_env.words import size as in_words

LIST = "starting.json"


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
        sizes = {path: copying.room(self.folder / path) for path in _kept(found.entries)}
        _check_room(self._list.parent, sum(sizes.values()))
        done = on_start(sum(sizes.values()))
        try:
            self._copy.mkdir()
            for path, size_bytes in sizes.items():
                copying.copy(self.folder / path, self._copy / path)
                done(size_bytes)
            _settle(found.entries, self.folder, self._copy)
            text = {"folder": paths.to_text(self.folder), "entries": found.entries}
            temporary = self._list.with_suffix(".new")
            temporary.write_text(json.dumps(text))
            temporary.replace(self._list)
        except OSError as error:
            raise refused(error) from None
        self._now, self._environments = found

    def copy_to(self, folder: Path) -> StartingFiles:
        """Return the same files in another folder, which is made; environments are links there.

        Raises:
            RecordError: There is no room.
        """
        other = StartingFiles(folder, self._list.parent)
        try:
            folder.mkdir(parents=True)
            for path in _kept(self._now):
                copying.copy(self._copy / path, folder / path)
            _settle(self._now, self._copy, folder)
            for path in self._environments:
                (folder / path).symlink_to(self.folder / path)
            other._now = look(folder).entries
        except OSError as error:
            raise refused(error) from None
        return other

    def put_back(self, aside: Path) -> list[str]:
        """Move what was made or changed since into a folder, and have all as it was.

        Args:
            aside: Where to; each path below it is as below the folder.

        Returns:
            What was moved.

        Raises:
            RecordError: There is no room, or a file can't be moved. All is still there: in the
                folder, in the copy, or aside.
        """
        self.is_put_back = False
        try:
            moved = self._put_back(aside, copying.copy)
        except OSError as error:
            raise refused(error) from None
        self.is_put_back = True
        return moved

    def _put_back(self, aside: Path, place: Callable[[Path, Path], None]) -> list[str]:
        now, environments = look(self.folder)
        foreign = [*_foreign(self._now, now), *sorted({*environments} - {*self._environments})]
        for path in foreign:
            copying.move(self.folder / path, aside / path)
        for path in _foreign_folders(self._now, now):
            copying.remove_folder(self.folder / path, aside / path)
        wrong = [path for path in _kept(self._now) if not self._now[path].is_like(now.get(path))]
        for path in wrong:
            place(self._copy / path, self.folder / path)
        _settle(self._now, self._copy, self.folder)
        for path in wrong:
            self._now[path] = entry_of((self.folder / path).lstat())
        return foreign

    def restore(self, aside: Path) -> None:
        """Put back what a killed verify has kept: the copy itself, which takes no room.

        Raises:
            RecordError: As of `put_back`; or what was kept is damaged.
        """
        known = _listed(self._list)["entries"]
        self._now = {path: Entry(*fields) for path, fields in known.items()}
        try:
            for path, entry in look(self.folder).entries.items():
                if path in self._now and self._is_back(path):
                    self._now[path] = entry
            self._put_back(aside, copying.move_back)
        except OSError as error:
            raise refused(error) from None

    def _is_back(self, path: str) -> bool:
        """Say whether something is as it was kept, or was moved back from the copy before."""
        kept = self._copy / path
        return not os.path.lexists(kept) or copying.is_same(kept, self.folder / path)


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


def _foreign(was: dict[str, Entry], now: dict[str, Entry]) -> Iterator[str]:
    """Yield the files that were made or changed; not pipes and sockets that can't be put back."""
    for path, entry in now.items():
        is_changed = not entry.is_folder and entry != was.get(path)
        if is_changed and not (entry.is_special and path in was):
            yield path


def _kept(entries: dict[str, Entry]) -> list[str]:
    """Return the paths of what can be kept."""
    return [path for path, entry in entries.items() if not entry.is_special]


def _foreign_folders(was: dict[str, Entry], now: dict[str, Entry]) -> Iterator[str]:
    """Yield the folders that were made, the innermost first."""
    for path, entry in reversed(now.items()):
        if entry.is_folder and not (path in was and was[path].is_folder):
            yield path


def _settle(entries: dict[str, Entry], source: Path, target: Path) -> None:
    for path, entry in reversed(entries.items()):
        if entry.is_folder:
            copying.settle(source / path, target / path)


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
