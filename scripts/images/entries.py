"""The files of a tar stream: what each one is, and the digest of what it holds."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from collections.abc import Callable
from typing import IO, Any, NamedTuple, Protocol, cast

BUFFER_BYTES = 1 << 20
KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}


class Readable(Protocol):
    """A stream of bytes that need not seek."""

    def read(self, size: int = ..., /) -> bytes:
        """Return the next bytes, none at the end."""


class Entry(NamedTuple):
    """One path of a layer or an image."""

    kind: str
    mode: int
    uid: int
    gid: int
    size_bytes: int
    mtime: float
    link: str  # a link's target, a device's numbers
    sha256: str  # 64 hex digits; empty for what is no regular file
    attributes: tuple[tuple[str, str], ...]  # extended attributes, file capabilities among them


class Contents(NamedTuple):
    """Every entry by its path, without the leading slash, and the bytes of those asked for."""

    entries: dict[str, Entry]
    kept: dict[str, bytes]


def keep_nothing(path: str) -> bool:
    """Ask for no file's bytes."""
    del path
    return False


def read_contents(stream: Readable, keep: Callable[[str], bool] = keep_nothing) -> Contents:
    """Read a tar stream from its first byte to its end, in one pass.

    Args:
        stream: the tar, uncompressed.
        keep: says which paths' bytes to hand back besides their digest.

    Raises:
        tarfile.TarError: the stream is no tar, or ends early.
    """
    found = Contents({}, {})
    # It only reads, where its type asks for a whole file.
    whole = cast("IO[bytes]", stream)
    with tarfile.open(fileobj=whole, mode="r|", bufsize=BUFFER_BYTES) as tar:
        for member in tar:
            _add(found, tar, member, keep)
            # A stream never goes back, and 150,000 members would fill memory.
            cast("Any", tar).members.clear()
    while stream.read(BUFFER_BYTES):
        pass  # who writes into a pipe wants it read to its end
    return found


def normal_path(name: str) -> str:
    """Return the one spelling of a path: `./etc/`, `/etc` and `etc` are the same file."""
    return posixpath.normpath("/" + name).lstrip("/") or "."


def _add(
    found: Contents, tar: tarfile.TarFile, member: tarfile.TarInfo, keep: Callable[[str], bool]
) -> None:
    path = normal_path(member.name)
    data = tar.extractfile(member) if member.isreg() else None
    sha256, content = _read(data, keep(path)) if data else ("", None)
    found.entries[path] = _entry(member, sha256)
    if content is not None:
        found.kept[path] = content


def _read(data: IO[bytes], whole: bool) -> tuple[str, bytes | None]:
    if whole:
        content = data.read()
        return hashlib.sha256(content).hexdigest(), content
    digest = hashlib.sha256()
    while chunk := data.read(BUFFER_BYTES):
        digest.update(chunk)
    return digest.hexdigest(), None


def _entry(member: tarfile.TarInfo, sha256: str) -> Entry:
    attributes = (pair for pair in member.pax_headers.items() if ".xattr." in pair[0])
    is_device = member.ischr() or member.isblk()
    return Entry(
        kind="file" if member.isreg() else KINDS.get(member.type, f"type {member.type!r}"),
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        size_bytes=member.size,
        mtime=member.mtime,
        link=f"{member.devmajor}:{member.devminor}" if is_device else member.linkname,
        sha256=sha256,
        attributes=tuple(sorted(attributes)),
    )
