"""Look into the shared libraries that this process has loaded. Loads none, and changes nothing.

Some keep what they have made of an environment variable in a variable of their own that no
function hands out. Its address is in the file's table of symbols, and its bytes are in memory.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ctypes

# Of 64-bit ELF, little-endian. Source: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
MAGIC = b"\x7fELF\x02\x01"
SECTIONS_AT, SECTION_SIZES_AT = 0x28, 0x3A  # in the file's header
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
TABLE_OF_SYMBOLS = 2
CHUNK = 2**22  # bytes


class UnreadableError(Exception):
    """What this version, or this machine, gives no way to read."""


def files(*kinds: str) -> list[str]:
    """Return the loaded libraries whose file names begin with one of these, in this order."""
    lines = [line for line in _maps() if ".so" in line]
    found = dict.fromkeys(line[line.find("/") :] for line in lines)
    return [file for kind in kinds for file in found if file.rpartition("/")[2].startswith(kind)]


def _maps() -> list[str]:
    """Return this process's memory as Linux says it, in lines; none where there is no `/proc`."""
    try:
        return Path("/proc/self/maps").read_bytes().decode(errors="replace").splitlines()
    except OSError:
        return []


def library(file: str) -> ctypes.CDLL:
    """Return a loaded library, to call its functions.

    Raises:
        UnreadableError: It is not loaded.
    """
    import ctypes

    try:
        return ctypes.CDLL(file, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError as error:
        raise UnreadableError(str(error)) from None


def function(file: str, *names: str) -> Any:
    """Return the first of these functions that a loaded library exports; None if none."""
    found = library(file)
    return next((getattr(found, name) for name in names if hasattr(found, name)), None)


def static(file: str, name: str, size: int) -> bytes:
    """Return the bytes of a variable that a loaded library keeps for itself.

    Args:
        file: The library.
        name: The variable's, as the linker knows it.
        size: How many bytes to return.

    Raises:
        UnreadableError: As of `place`.
    """
    import ctypes

    return ctypes.string_at(place(file, name, size), size)


def place(file: str, name: str, size: int) -> int:
    """Return the address of a variable that a loaded library keeps for itself.

    Args:
        file: The library.
        name: The variable's, as the linker knows it.
        size: How many bytes it has.

    Raises:
        UnreadableError: The file has no table of symbols, or not this one; or what is loaded is not
            this file any more.
    """
    import ctypes

    offset = _address(file, name.encode())
    maps = [line.split(maxsplit=5) for line in _maps()]
    parts = [[int(one, 16) for one in line[0].split("-")] for line in maps]
    own = [number for number, line in enumerate(maps) if line[5:] == [file]]
    if not own:
        raise UnreadableError(f"{file.rpartition('/')[2]} is not loaded")
    at = parts[own[0]][0] + (offset or 0)
    if offset is None:  # no table of symbols; but it may hand the variable out
        try:
            at = ctypes.addressof((ctypes.c_char * size).in_dll(library(file), name))
        except ValueError:
            text = f"{file.rpartition('/')[2]} does not say where {name} is"
            raise UnreadableError(text) from None
    # What begins with zeros lies in memory without a file, among the library's own or behind.
    near = range(own[0], min(own[-1] + 2, len(maps)))
    writable = [
        parts[number]
        for number in near
        if maps[number][5:] in ([], [file]) and maps[number][1].startswith("rw")
    ]
    if not any(start <= at <= end - size for start, end in writable):
        raise UnreadableError(f"{name} is outside of {file.rpartition('/')[2]}")
    return at


@lru_cache
def _address(file: str, name: bytes) -> int | None:
    """Return where a library's file puts a symbol; None where its table lacks it."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # replaced since, or out of reach
        return None
    try:
        return _address_in(descriptor, name)
    except (OSError, struct.error, IndexError):
        return None
    finally:
        os.close(descriptor)


def _address_in(descriptor: int, name: bytes) -> int | None:
    header = os.pread(descriptor, 64, 0)
    if not header.startswith(MAGIC):
        return None
    (start,) = struct.unpack_from("<Q", header, SECTIONS_AT)
    size, count = struct.unpack_from("<HH", header, SECTION_SIZES_AT)
    text = os.pread(descriptor, size * count, start)
    sections = [SECTION.unpack_from(text, size * number) for number in range(count)]
    for _, kind, _, _, symbols, length, names_number, *_ in sections:
        if kind == TABLE_OF_SYMBOLS:
            _, _, _, _, names, names_length, *_ = sections[names_number]
            found = _find(descriptor, b"\0" + name + b"\0", names, names_length)
            for at in found:
                key = struct.pack("<I", at + 1 - names)
                for symbol in _find(descriptor, key, symbols, length):
                    if (symbol - symbols) % SYMBOL.size == 0:
                        entry = os.pread(descriptor, SYMBOL.size, symbol)
                        address: int = SYMBOL.unpack(entry)[4]
                        return address
    return None


def _find(descriptor: int, wanted: bytes, start: int, length: int) -> Iterator[int]:
    """Yield where some bytes are, in a part of a file."""
    for at in range(start, start + length, CHUNK):
        size = min(CHUNK + len(wanted) - 1, start + length - at)
        chunk = os.pread(descriptor, size, at)
        found = chunk.find(wanted)
        while found >= 0:
            yield at + found
            found = chunk.find(wanted, found + 1)
