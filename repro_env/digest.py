"""What is in a file: the digest of its bytes, and the digest of what it holds.

Equal bytes are equal content, and equal content can be in other bytes: a zip archive notes the
time, a set has no order. Which content digest a file gets, its name decides; a file that has none,
or whose reader fails, counts by its bytes, and `FileDigest.by_bytes` says why.

A content digest is the sha256 of a line for each part: the JSON array of its name, its type, its
shape and the sha256 of its bytes. docs/digests.md computes one by hand.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import NamedTuple

from repro_env import formats
from repro_env.formats import Format, Part, UnreadableError

STEP = 2**20  # bytes read and hashed in one: hashlib lets other threads run meanwhile
LARGE = 2**22  # bytes from which on a second thread is worth its start
GROUP = 64  # files that one thread opens in a row, at most
LONGEST_REASON = 300  # characters


class PartDigest(NamedTuple):
    """One part of a file's content.

    Args:
        name: Where it is in the file; backslashes doubled, and what is no Unicode escaped.
        dtype: Its type, as `formats.Part` has it.
        shape: Its shape, likewise.
        digest: The sha256 of its bytes, in hex.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str


class Content(NamedTuple):
    """What a file holds, apart from how it is written.

    Args:
        format: The name of the format it was read as.
        digest: The sha256 of the lines of all parts, in hex.
        parts: In the format's own order.
    """

    format: str
    digest: str
    parts: tuple[PartDigest, ...]


class FileDigest(NamedTuple):
    """A file, by its bytes and by its content.

    Args:
        size_bytes: How many bytes it has.
        sha256: Their digest, in hex.
        content: None where it counts by its bytes.
        by_bytes: Why it does; empty where it doesn't.
    """

    size_bytes: int
    sha256: str
    content: Content | None
    by_bytes: str


class _StoppedError(Exception):
    """Whoever asked for the digest has gone."""


def of_file(path: str | os.PathLike[str]) -> FileDigest:
    """Return the digests of a file; a link counts as what it leads to.

    Raises:
        OSError: It can't be read, is no regular file (then it isn't opened), or was changed
            meanwhile.
    """
    if _size(Path(path)) < LARGE:
        return _of_file(Path(path), Event())
    (found,) = of_files([path])  # whose threads end with Ctrl-C
    if isinstance(found, OSError):
        raise found
    return found


def of_bytes(path: str | os.PathLike[str]) -> tuple[int, str]:
    """Return how many bytes a file has, and their sha256.

    Raises:
        OSError: As `of_file`.
    """
    return _of_bytes(Path(path), Event())


def of_files(
    paths: Iterable[str | os.PathLike[str]], on_done: Callable[[int], None] | None = None
) -> list[FileDigest | OSError]:
    """Return the digests of many files, in their order, working on all cores.

    Args:
        paths: The files.
        on_done: Called in this thread after each file, with the bytes it has (0 if it failed).

    Returns:
        For each file what `of_file` returns, or raises.
    """
    files = [Path(path) for path in paths]
    found: list[FileDigest | OSError] = [OSError()] * len(files)
    stop = Event()
    with ThreadPoolExecutor(_cores()) as pool:
        try:
            for job in as_completed(
                [pool.submit(_of_group, files, group, stop) for group in _groups(files)]
            ):
                for number, result in job.result():
                    found[number] = result
                    if on_done:
                        on_done(0 if isinstance(result, OSError) else result.size_bytes)
        except BaseException:
            stop.set()
            raise
    return found


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _groups(files: list[Path]) -> list[list[int]]:
    """Return the files' numbers as they are to be worked on.

    The largest come first, so that all cores are busy until the end. Small ones stay together,
    since threads that open file after file keep each other waiting.
    """
    sizes = [_size(file) for file in files]
    groups: list[list[int]] = []
    room = 0
    for number in sorted(range(len(files)), key=sizes.__getitem__, reverse=True):
        cost = max(sizes[number], LARGE // GROUP)
        if cost > room:
            groups.append([])
            room = LARGE
        groups[-1].append(number)
        room -= cost
    return groups


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _of_group(
    files: list[Path], group: list[int], stop: Event
) -> list[tuple[int, FileDigest | OSError]]:
    return [(number, _attempt(files[number], stop)) for number in group]


def _attempt(path: Path, stop: Event) -> FileDigest | OSError:
    try:
        return _of_file(path, stop)
    except OSError as error:
        return error


def _of_file(path: Path, stop: Event) -> FileDigest:
    before = _look(path)
    form, reason = _format(path)
    if form is None:
        return FileDigest(*_of_bytes(path, stop), None, reason)
    if before.st_size < LARGE:
        content, reason = _of_content(path, form, stop)
        size, digest = _of_bytes(path, stop)
    else:
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(_of_content, path, form, stop)
            size, digest = _of_bytes(path, stop)
            content, reason = job.result()
    _check_same(path, before, _look(path))
    return FileDigest(size, digest, content, reason)


def _format(path: Path) -> tuple[Format | None, str]:
    """Return a file's format, or why it has none."""
    try:
        form = formats.find(path.name)
    except UnreadableError as error:
        return None, _line(error)
    kind = f"{path.suffix} files" if path.suffix else "files without a suffix"
    return form, "" if form else f"no content digest for {_printable(kind)}"


def _of_bytes(path: Path, stop: Event) -> tuple[int, str]:
    before = _look(path)
    digest = sha256()
    buffer = memoryview(bytearray(min(STEP, before.st_size + 1)))
    size = 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
            if stop.is_set():
                raise _StoppedError
        _check_same(path, before, os.fstat(file.fileno()), size)
    return size, digest.hexdigest()


def _look(path: Path) -> os.stat_result:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # to open one may wait, or do something
        is_folder = stat.S_ISDIR(found.st_mode)
        raise OSError(errno.EINVAL, "is a folder" if is_folder else "is no regular file", str(path))
    return found


def _check_same(
    path: Path, before: os.stat_result, after: os.stat_result, size: int | None = None
) -> None:
    names = ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
    if any(getattr(before, name) != getattr(after, name) for name in names) or (
        size is not None and size != after.st_size
    ):
        raise OSError(errno.EBUSY, "was changed while it was read", str(path))


def _of_content(path: Path, form: Format, stop: Event) -> tuple[Content | None, str]:
    try:
        parts = tuple(_of_part(part, stop) for part in form.read(path))
        lines = sha256()
        for part in parts:
            lines.update(_encoded(part))
        return Content(form.name, lines.hexdigest(), parts), ""
    except _StoppedError:
        raise
    except (Exception, SystemExit) as error:  # a reader may be anybody's
        return None, f"can't be read as {form.name}: {_line(error)}"


def _of_part(part: Part, stop: Event) -> PartDigest:
    digest = sha256()
    for piece in part.data:
        digest.update(piece)
        if stop.is_set():
            raise _StoppedError
    name = part.name.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode()
    return PartDigest(name, part.dtype, tuple(part.shape), digest.hexdigest())


def _encoded(part: PartDigest) -> bytes:
    return json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _line(error: BaseException) -> str:
    """Return what an exception says, in one line that can be printed."""
    words = str(error) if isinstance(error, UnreadableError) else f"{type(error).__name__}: {error}"
    return _printable(" ".join(words.split()))


def _printable(text: str) -> str:
    shown = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return shown if len(shown) <= LONGEST_REASON else f"{shown[:LONGEST_REASON]} ..."
