"""What TensorFlow's and TensorBoard's files are made of: fields of messages, and checksums.

Source:
    https://protobuf.dev/programming-guides/encoding/ (a message's fields);
    https://www.tensorflow.org/tutorials/load_data/tfrecord (masked checksums)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Union

from repro_env.formats import UnreadableError

Value = Union[int, bytes]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the whole number of up to 64 bits that begins at a place, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value % 2**64, at
    raise UnreadableError("it holds a number that is cut off")


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Yield a message's fields in their order: number, and value; floats as their bits."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind, size = tag & 7, 0
        if kind == 0:
            value, at = varint(message, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise UnreadableError(f"it holds a field of kind {kind}")
        if at + size > len(message):
            raise UnreadableError("it holds a field that is cut off")
        data = message[at : at + size]
        at += size
        yield tag >> 3, data if kind == 2 else int.from_bytes(data, "little")


def checksum(data: bytes) -> int:
    """Return the masked CRC-32C of some bytes, at some ten million of them a second."""
    table = _table()
    crc = 0xFFFF_FFFF
    for byte in data:
        crc = table[crc & 0xFF ^ byte] ^ crc >> 8
    crc ^= 0xFFFF_FFFF
    return ((crc >> 15 | crc << 17) + 0xA282_EAD8) % 2**32


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ 0x82F6_3B78 * (number & 1)
        table.append(number)
    return tuple(table)
