"""The files that a run reads and makes: which they are, and their digests."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from repro_env import digest, paths
from repro_env.errors import RecordError
from repro_env.records.definition import Input, Unavailable
from repro_env.records.observation import Content, File, Part

NO_DIGEST = "0" * 64
# What tools keep for themselves.
OTHERS = {".git", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".repro", "__pycache__"}
MOST_PARTS = 1000


class Stamp(NamedTuple):
    """What changes when a file is written.

    Args:
        size_bytes: Its size.
        modified_ns: When its bytes changed, in ns.
        changed_ns: When anything of it changed, in ns: no program can set that back.
        inode: Another one if the file was replaced.
    """

    size_bytes: int
    modified_ns: int
    changed_ns: int
    inode: int


def scan(
    folder: Path, on_error: Callable[[OSError], None] | None = None, follow: bool = False
) -> dict[str, Stamp]:
    """Return all that is below a folder, but for folders and what tools keep for themselves.

    Args:
        folder: Where to look.
        on_error: Called for each folder that can't be read.
        follow: Whether to look into folders that links lead to, into each once.

    Returns:
        Stamps by path relative to the folder.

    Raises:
        RecordError: A folder can't be read, and there is no `on_error`.
    """
    found: dict[str, Stamp] = {}
    entered = {_place(folder)} if follow else set()
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for entry in _entries(folder / above, on_error or _refuse):
            path = os.path.join(above, entry.name)  # noqa: PTH118  # pathlib takes ten times as long
            if not entry.is_dir(follow_symlinks=follow):
                found[path] = stamp(Path(entry))
            elif entry.name not in OTHERS and (place := _place(Path(entry))) not in entered:
                waiting.append(path)
                if follow:
                    entered.add(place)
    return found


def stamp(path: Path) -> Stamp:
    """Return the stamp of one file; zeros where there is none."""
    try:
        now = path.lstat()
    except OSError:  # a temporary file of somebody else's
        return Stamp(0, 0, 0, 0)
    return Stamp(now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)


def size(names: Iterable[str], folder: Path) -> int:
    """Return how many bytes these files have together."""
    return sum(stamp(folder / name).size_bytes for name in names)


def changed(before: dict[str, Stamp], after: dict[str, Stamp]) -> tuple[list[str], list[str]]:
    """Return what was made or changed in between, and what is gone; sorted paths."""
    made = sorted(path for path, stamp in after.items() if before.get(path) != stamp)
    return made, sorted(before.keys() - after.keys())


def below(path: str, folder: Path, follow: bool = False) -> list[str]:
    """Return the files that a path names: itself, or all in that folder; sorted.

    Args:
        path: Relative to the folder, or absolute.
        folder: Where the run is.
        follow: Whether to look into folders that links lead to.
    """
    there = folder / path
    if not there.is_dir():
        return [path]
    return sorted(os.path.join(path, name) for name in scan(there, follow=follow))  # noqa: PTH118


def describe(
    names: Iterable[str],
    folder: Path,
    on_done: Callable[[int], None] | None = None,
    follow: bool = False,
) -> list[File]:
    """Return files with their digests, in the order given.

    Args:
        names: Paths relative to the folder, or absolute.
        folder: Where the run is.
        on_done: Called with the number of bytes that are done since the last call.
        follow: Whether a link counts as the file that it leads to.

    Returns:
        What can't be read among them is of the kind `unreadable`, with the reason.
    """
    kinds = {name: _kind(folder / name, follow) for name in names}
    regular = [name for name, kind in kinds.items() if kind == "file"]
    digests = dict(zip(regular, digest.of_files([folder / name for name in regular], on_done)))
    return [
        _file(name, digests[name]) if kind == "file" else _other(folder, name, kind)
        for name, kind in kinds.items()
    ]


def is_still(path: Path, file: File) -> bool:
    """Say whether a file holds what its record says."""
    if file.kind != "file" or not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    return digest.of_bytes(path)[1] == file.sha256


def summary(path: str, files: Iterable[File]) -> Input:
    """Return what a record's definition says of an input."""
    listed = sorted(files, key=lambda file: file.path)
    text = "".join(f"{file.sha256}  {file.path}\n" for file in listed)
    return Input(
        path=paths.to_text(path),
        digest=hashlib.sha256(text.encode()).hexdigest(),
        files=len(listed),
        size_bytes=sum(file.size_bytes for file in listed),
    )


def manifest(files: Iterable[File]) -> bytes:
    """Return byte digests as `sha256sum --check` reads them.

    Source:
        https://www.gnu.org/software/coreutils/manual/html_node/cksum-output-modes.html
    """
    regular = [file for file in files if file.kind == "file"]
    return b"".join(
        _manifest_line(os.fsencode(paths.from_text(file.path)), file) for file in regular
    )


def _manifest_line(name: bytes, file: File) -> bytes:
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    mark = b"\\" if escaped != name else b""
    return mark + file.sha256.encode() + b"  " + escaped + b"\n"


def _entries(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        on_error(error)


def _refuse(error: OSError) -> None:
    raise RecordError(
        f"{str(error.filename)!r} can't be read: {error.strerror}",
        hint="mend that, or name other inputs and outputs",
    ) from None


def _place(folder: Path) -> tuple[int, int]:
    there = folder.stat()
    return there.st_dev, there.st_ino


def _kind(path: Path, follow: bool) -> str:
    try:
        mode = (path.stat() if follow and path.exists() else path.lstat()).st_mode
    except OSError:  # a temporary file that is gone by now
        return "unreadable"
    return "file" if stat.S_ISREG(mode) else "link" if stat.S_ISLNK(mode) else "special"


def _file(name: str, found: digest.FileDigest | OSError) -> File:
    if isinstance(found, OSError):
        return _unreadable(name, str(found.strerror))
    return File(
        path=paths.to_text(name),
        kind="file",
        size_bytes=found.size_bytes,
        sha256=found.sha256,
        content=_content(found.content) if found.content else Unavailable(found.by_bytes),
    )


def _content(content: digest.Content) -> Content:
    parts = content.parts if len(content.parts) <= MOST_PARTS else ()
    return Content(
        format=content.format,
        digest=content.digest,
        parts=[Part(one.name, one.dtype, list(one.shape), one.digest) for one in parts],
    )


def _other(folder: Path, name: str, kind: str) -> File:
    if kind == "unreadable":
        return _unreadable(name, "it is gone, or in a folder that can't be entered")
    target = os.fsencode((folder / name).readlink()) if kind == "link" else b""
    return File(
        path=paths.to_text(name),
        kind="link" if kind == "link" else "special",
        size_bytes=len(target),
        sha256=hashlib.sha256(target).hexdigest(),
        content=Unavailable("a link" if kind == "link" else "neither file nor link: not read"),
    )


def _unreadable(name: str, reason: str) -> File:
    return File(paths.to_text(name), "unreadable", 0, NO_DIGEST, Unavailable(reason))
