"""Bytes inside a file, read in pieces: of the file itself, and of the members of a zip archive."""

from __future__ import annotations

import os
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, NamedTuple

from repro_env.formats import UnreadableError

STEP = 2**20  # bytes


class Source(NamedTuple):
    """Bytes that can be read from anywhere.

    Args:
        size: How many there are.
        read: Takes a start, a size and a step, and returns pieces of up to that many bytes.
    """

    size: int
    read: Callable[[int, int, int], Iterator[bytes]]

    def pieces(self, start: int, size: int, step: int = STEP) -> Iterator[bytes]:
        """Yield a range of the bytes, in pieces that have all `step` bytes but the last.

        Raises:
            UnreadableError: It is not wholly inside.
        """
        if not 0 <= start <= start + size <= self.size:
            raise UnreadableError(f"{size} bytes at {start} are beyond its {self.size} bytes")
        return self.read(start, size, step)

    def whole(self, start: int, size: int) -> bytes:
        """Return a range of the bytes in one."""
        return b"".join(self.pieces(start, size))


def of_file(file: BinaryIO, start: int = 0, size: int | None = None) -> Source:
    """Return the bytes of an open file, or a range of them."""

    def read(at: int, left: int, step: int) -> Iterator[bytes]:
        file.seek(start + at)
        while left:
            yield (piece := _exactly(file, min(left, step)))
            left -= len(piece)

    return Source(os.fstat(file.fileno()).st_size - start if size is None else size, read)


class Archive:
    """The members of a zip archive, each by its one name."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.members = {info.filename: self._source(info) for info in self._zip.infolist()}
            if len(self.members) != len(self._zip.infolist()):
                twice = Counter(self._zip.namelist()).most_common(1)[0][0]
                raise UnreadableError(f"it holds {twice!r} twice")
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def _source(self, info: zipfile.ZipInfo) -> Source:
        if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:  # not encrypted
            # Without zipfile's checksum, which takes as long as a digest.
            head = os.pread(self._file.fileno(), 30, info.header_offset)
            if len(head) == 30 and head.startswith(b"PK\3\4"):
                start = info.header_offset + 30 + sum(struct.unpack_from("<HH", head, 26))
                return of_file(self._file, start, info.file_size)

        def read(at: int, left: int, step: int) -> Iterator[bytes]:
            with self._zip.open(info) as member:
                member.seek(at)
                while left:
                    yield (piece := _exactly(member, min(left, step)))
                    left -= len(piece)

        return Source(info.file_size, read)


def _exactly(file: IO[bytes], size: int) -> bytes:
    piece = file.read(size)
    if len(piece) != size:
        raise UnreadableError("it ended while it was read")
    return piece
