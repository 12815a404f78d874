"""NumPy's arrays: type, shape and elements; neither the order in memory nor that of the bytes.

Objects of Python are refused, since only a pickle holds them. What lies between the fields of a
structured array counts, where the file is little-endian and row-major.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repro_env.formats import Part, UnreadableError, library
from repro_env.formats.sources import STEP, Archive, Source, of_file

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000  # bytes, as NumPy has it: Python's parser fails on monsters


def read_npy(path: Path) -> Iterator[Part]:
    """Yield the array."""
    with path.open("rb") as file:
        yield _array("", of_file(file))


def read_npz(path: Path) -> Iterator[Part]:
    """Yield the arrays by their names; a member that is no array as bytes."""
    with Archive(path) as archive:
        for name, source in sorted(archive.members.items()):
            if source.whole(0, min(source.size, len(MAGIC))) == MAGIC:
                yield _array(name.removesuffix(".npy"), source)
            else:
                yield Part(name.removesuffix(".npy"), "bytes", (), source.pieces(0, source.size))


def _array(name: str, source: Source) -> Part:
    header, start = _header(source)
    numpy = library("numpy")
    dtype = numpy.lib.format.descr_to_dtype(header["descr"])
    shape = header["shape"]
    if dtype.hasobject or dtype.subdtype:
        raise UnreadableError("it holds objects of Python, not numbers or texts")
    if any(type(length) is not int or length < 0 for length in shape):
        raise UnreadableError(f"{shape} is no shape")
    size = dtype.itemsize * math.prod(shape)
    if source.size != start + size:
        raise UnreadableError(f"{source.size - start} bytes follow the header, and not {size}")
    is_turned = header["fortran_order"] and len(shape) > 1
    is_little = dtype == dtype.newbyteorder("<")
    if size and is_turned:
        pieces = _turned(source, start, dtype, shape)
    elif size and not is_little:
        pieces = _little(source, start, dtype, math.prod(shape))
    else:
        pieces = source.pieces(start, size)
    return Part(name, _name(dtype), shape, pieces)


def _header(source: Source) -> tuple[dict[str, Any], int]:
    """Return what stands before the elements, and where they begin."""
    head = source.whole(0, min(source.size, 12))
    if head[:6] != MAGIC or head[6:8] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise UnreadableError("it begins with no header of NumPy's")
    start = 10 if head[6] == 1 else 12
    length = int.from_bytes(head[8:start], "little")
    if length > LONGEST_HEADER:
        raise UnreadableError(f"its header has {length} bytes, more than {LONGEST_HEADER}")
    text = source.whole(start, length).decode("utf-8" if head[6] == 3 else "latin-1")
    header: dict[str, Any] = ast.literal_eval(text)
    if set(header) != {"descr", "fortran_order", "shape"}:
        raise UnreadableError("its header has other keys than NumPy's")
    return header, start + length


def _little(source: Source, start: int, dtype: Any, count: int) -> Iterator[bytes]:
    """Yield elements that lie row by row."""
    numpy = library("numpy")
    step = max(1, STEP // dtype.itemsize) * dtype.itemsize
    for piece in source.pieces(start, count * dtype.itemsize, step):
        yield _plain(numpy.frombuffer(piece, dtype))


def _turned(source: Source, start: int, dtype: Any, shape: tuple[int, ...]) -> Iterator[bytes]:
    """Yield elements that lie column by column, some rows at a time."""
    numpy = library("numpy")
    size = dtype.itemsize * math.prod(shape)
    array = numpy.frombuffer(source.whole(start, size), dtype).reshape(shape, order="F")
    rows = max(1, 16 * STEP * shape[0] // size)
    for first in range(0, shape[0], rows):
        yield _plain(array[first : first + rows])


def _plain(array: Any) -> bytes:
    """Return elements row by row, with little-endian bytes, and zeros between the fields."""
    numpy = library("numpy")
    plain = numpy.zeros(array.shape, array.dtype.newbyteorder("<"))
    plain[...] = array
    return bytes(plain.tobytes())


def _name(dtype: Any) -> str:
    if dtype.names is None:
        return str(dtype.name)
    numpy = library("numpy")
    return str(numpy.lib.format.dtype_to_descr(dtype.newbyteorder("<")))
