"""Where two streams of bytes first differ, as a place in them or in the text that they are.

Both are read a block at a time, in pieces of whatever size they come.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import NamedTuple

BLOCK_BYTES = 2**16
SHOWN_BYTES = 40
CONTINUATIONS = bytes(range(0x80, 0xC0))  # of a character in UTF-8, after its first byte
CONTROLS = bytes([*range(7), *range(14, 27), *range(28, 32), 127])  # that no text has


class Place(NamedTuple):
    """The first place where two streams differ.

    Args:
        offset: Bytes before it.
        line: That it is in, the first is 1.
        column: Characters of UTF-8 up to it in that line, the first is 1.
        before: The last bytes of that line before it, which both have.
        was: The first bytes of the one from there on; empty if it ends there.
        now: And of the other.
    """

    offset: int
    line: int
    column: int
    before: bytes
    was: bytes
    now: bytes


def regrouped(pieces: Iterable[bytes], size: int) -> Iterator[bytearray]:
    """Cut a stream of bytes anew, into blocks of one size; the last may be shorter."""
    block = bytearray()
    for piece in pieces:
        left = memoryview(piece)
        while left:
            taken = left[: size - len(block)]
            block += taken
            left = left[len(taken) :]
            if len(block) == size:
                yield block
                block = bytearray()
    if block:
        yield block


def first_difference(one: Iterable[bytes], other: Iterable[bytes]) -> Place | None:
    """Return where two streams begin to differ, if they do."""
    place = Place(0, 1, 1, b"", b"", b"")
    blocks = zip_longest(
        regrouped(one, BLOCK_BYTES), regrouped(other, BLOCK_BYTES), fillvalue=bytearray()
    )
    for mine, theirs in blocks:
        at = _length_of_same(mine, theirs)
        place = _after(place, bytes(mine[:at]))
        if mine != theirs:
            was, now = (bytes(block[at : at + SHOWN_BYTES]) for block in (mine, theirs))
            return place._replace(was=was, now=now)
    return None


def _length_of_same(mine: bytearray, theirs: bytearray) -> int:
    if mine == theirs:
        return len(mine)
    shorter = min(len(mine), len(theirs))
    return next((at for at in range(shorter) if mine[at] != theirs[at]), shorter)


def _after(place: Place, same: bytes) -> Place:
    line = (place.before + same).rpartition(b"\n")[2]
    new_lines = same.count(b"\n")
    characters = len(same.rpartition(b"\n")[2].translate(None, CONTINUATIONS))
    return place._replace(
        offset=place.offset + len(same),
        line=place.line + new_lines,
        column=characters + (1 if new_lines else place.column),
        before=line[-SHOWN_BYTES // 2 :],
    )


def is_text(place: Place) -> bool:
    """Say whether both are UTF-8 there, and such as a terminal or an editor writes."""
    before = place.before.lstrip(CONTINUATIONS)
    try:
        for more in (place.was, place.now):
            getincrementaldecoder("utf-8")("strict").decode(before + more)
    except UnicodeDecodeError:
        return False
    return not set(CONTROLS) & set(place.before + place.was + place.now)


def text_in_words(place: Place, unit: str = "line") -> str:
    """Return one sentence on where two texts differ; their lines may be units of something."""
    if not place.before + place.was or not place.before + place.now:
        longer, more = ("A", place.was) if place.was else ("B", place.now)
        return f"only {longer} goes on from {unit} {place.line:,}: {_excerpt(place, more)}"
    begins_earlier = any(byte in CONTINUATIONS for byte in place.was[:1] + place.now[:1])
    return (
        f"{unit} {place.line:,} differs at character {place.column - begins_earlier:,}: "
        f"{values_in_words(place)}"
    )


def values_in_words(place: Place) -> str:
    """Return what both texts say there."""
    return f"{_excerpt(place, place.was)} and {_excerpt(place, place.now)}"


def bytes_in_words(place: Place) -> str:
    """Return one sentence on where two contents differ that are no text."""
    if place.was and place.now:
        bits = f"0x{place.was[:1].hex()} and 0x{place.now[:1].hex()}"
        return f"the first byte that differs is at offset {place.offset:,}: {bits}"
    return f"only {'A' if place.was else 'B'} goes on after {place.offset:,} bytes"


def _excerpt(place: Place, more: bytes) -> str:
    """Return the line's text around the place, quoted, without a character that is cut."""
    decoder = getincrementaldecoder("utf-8")("backslashreplace")
    line, end, _ = decoder.decode(place.before.lstrip(CONTINUATIONS) + more).partition("\n")
    return repr(line + end)
