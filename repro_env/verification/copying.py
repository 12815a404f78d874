"""Copy, move and compare files with all that a program can see of them."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

FICLONE = 0x40049409  # linux/fs.h: share the blocks, where the file system can
PIECE_BYTES = 1 << 20
BLOCK_BYTES = 512  # of stat, whatever the disk's own are


def copy(source: Path, target: Path) -> None:
    """Copy a file or link with its times and permissions; make a folder.

    A file is never there in part: it gets its name when it is whole. A folder gets its own times
    and permissions by `settle`, when all is in it.

    Raises:
        OSError: The system refuses.
    """
    seen = source.lstat()
    if stat.S_ISDIR(seen.st_mode):
        target.mkdir(exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".repro-{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        if stat.S_ISLNK(seen.st_mode):
            temporary.symlink_to(os.readlink(source))  # noqa: PTH115  # as it was written
        else:
            _copy_bytes(source, temporary)
        shutil.copystat(source, temporary, follow_symlinks=False)
        with suppress(OSError):  # root alone can
            os.chown(temporary, seen.st_uid, seen.st_gid, follow_symlinks=False)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(target)) from None


def move_back(source: Path, target: Path) -> None:
    """Move a file or link from the copy to its place, with its times and permissions.

    Raises:
        OSError: The system refuses.
    """
    if stat.S_ISDIR(source.lstat().st_mode):
        target.mkdir(exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError:  # on another disk
        copy(source, target)


def room(path: Path) -> int:
    """Return how many bytes a file takes on its disk; holes take none."""
    seen = path.lstat()
    return 0 if stat.S_ISDIR(seen.st_mode) else min(seen.st_size, seen.st_blocks * BLOCK_BYTES)


def settle(source: Path, target: Path) -> None:
    """Give a folder the times and permissions of another one."""
    shutil.copystat(source, target)


def move(source: Path, target: Path) -> None:
    """Move a file or link; nothing that is there is overwritten.

    Raises:
        OSError: The system refuses.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    while os.path.lexists(target):  # of an earlier try
        target = target.with_name(f"{target.name}~")
    try:
        source.rename(target)
    except OSError:  # on another disk
        shutil.move(source, target)


def remove_folder(folder: Path, aside: Path) -> None:
    """Remove a folder that was made since; what tools keep for themselves in it is moved."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for rest in folder.iterdir():
        move(rest, aside / rest.name)
    folder.rmdir()


def is_same(mine: Path, theirs: Path) -> bool:
    """Say whether two paths hold the same, seen by a program."""
    a, b = mine.lstat(), theirs.lstat()
    if a.st_mode != b.st_mode:
        return False
    if stat.S_ISLNK(a.st_mode):
        return os.readlink(mine) == os.readlink(theirs)  # noqa: PTH115
    if stat.S_ISREG(a.st_mode):
        return (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns) and _same_bytes(
            mine, theirs
        )
    return True


def share(file: Path, twin: Path) -> None:
    """Have two files with the same bytes take the room of one, where the disk can."""
    temporary = file.with_name(f"{file.name}.repro-twin")
    with suppress(OSError):
        os.link(twin, temporary)
        temporary.replace(file)


def _copy_bytes(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            fcntl.ioctl(writer, FICLONE, reader.fileno())
        except OSError:
            _copy_extents(reader.fileno(), writer.fileno())


def _copy_extents(reader: int, writer: int) -> None:
    """Copy what is no hole."""
    size, done = os.fstat(reader).st_size, 0
    os.truncate(writer, size)
    while done < size:
        try:
            begin = os.lseek(reader, done, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # the rest is a hole
                return
            begin = done  # a file system that doesn't know
        piece = os.pread(reader, PIECE_BYTES, begin)
        if not piece:  # it has become shorter meanwhile
            return
        done = begin + os.pwrite(writer, piece, begin)


def _same_bytes(mine: Path, theirs: Path) -> bool:
    with mine.open("rb") as a, theirs.open("rb") as b:
        while True:
            piece = a.read(PIECE_BYTES)
            if piece != b.read(PIECE_BYTES):
                return False
            if not piece:
                return True
