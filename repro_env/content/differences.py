"""What differs between two files or two folders, by what they hold, in words.

A file that a module of `formats` can read is compared part by part, whatever its bytes; any other
one by its bytes, and the reason is said. Names of folders and files count, with one exception:
event files of TensorBoard, whose names hold a time, a host and a process, are compared in the order
of their names. Permissions, owners and times don't count. Links are not followed below the two
paths that were given; devices, pipes and sockets are never opened.

In all texts A is the first of the two, and B the second.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from repro_env import digest
from repro_env.content import contents
from repro_env.content.contents import Difference
from repro_env.content.places import Place, bytes_in_words, first_difference, is_text, text_in_words
from repro_env.content.verdict import DIFFERENT, IDENTICAL_BYTES, IDENTICAL_CONTENT, Verdict
from repro_env.digest import FileDigest
from repro_env.errors import ReproError
from repro_env.paths import to_text

VERDICTS: list[Verdict] = [IDENTICAL_BYTES, IDENTICAL_CONTENT, DIFFERENT]  # the worse, the later
EVENTS = ".tfevents."
PIECE_BYTES = 2**20


class Compared(NamedTuple):
    """What two files or folders are to each other.

    Args:
        verdict: One of `VERDICTS`.
        why: Of identical content: whose bytes are others, and what they hold the same of.
        differences: Sorted by path, and by the parts' order in the file; empty unless different.
    """

    verdict: Verdict
    why: str
    differences: tuple[Difference, ...]


SAME = Compared(IDENTICAL_BYTES, "", ())


def of(a: Path, b: Path) -> Compared:
    """Compare two files or two folders; of one of each, that is the difference.

    Raises:
        ReproError: One does not exist, is neither, or can't be read, or something below it.
    """
    kinds = [_kind_at(path) for path in (a, b)]
    if kinds[0] != kinds[1]:
        return _type(*kinds)
    return of_folders(a, b) if kinds[0] == "folder" else of_files(a, b)


def of_files(a: Path, b: Path) -> Compared:
    """Compare two files.

    Raises:
        ReproError: One can't be read.
    """
    with _reading(a):
        place = first_difference(_pieces(a), _pieces(b))
        return SAME if place is None else _of_contents(a, b, place)


def of_folders(a: Path, b: Path) -> Compared:
    """Compare two folders with all that is below them.

    Raises:
        ReproError: Something can't be read.
    """
    found: list[tuple[str, Compared]] = []
    left = [(a, b, "")]
    with _reading(a):
        while left:
            mine, theirs, below = left.pop()
            for name, other_name in _matched(_names(mine), _names(theirs)):
                path = f"{below}{name or other_name}"
                pair = mine / name, theirs / other_name
                if name and other_name and all(_kind(one.lstat()) == "folder" for one in pair):
                    left.append((*pair, f"{path}/"))
                else:
                    found.append((to_text(path), _of_entries(*pair, name, other_name)))
    return _summed(found)


def _summed(found: list[tuple[str, Compared]]) -> Compared:
    """Return the worst verdict, and everything that led to a verdict, by path."""
    found.sort(key=lambda one: one[0])
    found_verdicts = [one.verdict for _, one in found]
    verdict = max(found_verdicts, key=VERDICTS.index, default=VERDICTS[0])
    whys = [f"{path}: {one.why}" for path, one in found if one.why]
    differences = [
        one._replace(path=path) for path, compared in found for one in compared.differences
    ]
    why = "; ".join(whys[:1] + [f"so with {len(whys) - 1:,} more"] * (len(whys) > 1))
    return Compared(verdict, why, tuple(differences))


def _of_entries(a: Path, b: Path, name: str, other_name: str) -> Compared:
    """Compare what stands under two names, one of which may be empty: there is nothing."""
    if not name or not other_name:
        where, path = ("A", a) if name else ("B", b)
        return _different(f"only in {where}", f"a {_kind(path.lstat())}")
    kinds = [_kind(path.lstat()) for path in (a, b)]
    if kinds[0] != kinds[1]:
        return _type(*kinds)
    if kinds[0] == "symbolic link":
        # As it was written: pathlib would tidy it up.
        targets = [to_text(os.readlink(path)) for path in (a, b)]  # noqa: PTH115
        text = f"to {targets[0]} in A, to {targets[1]} in B"
        return SAME if targets[0] == targets[1] else _different("link target", text)
    compared = of_files(a, b) if kinds[0] == "file" else SAME
    if compared == SAME and name != other_name:
        return Compared(IDENTICAL_CONTENT, f"in B it is named {to_text(other_name)}", ())
    return compared


def _of_contents(a: Path, b: Path, place: Place) -> Compared:
    """Compare two files whose bytes differ there."""
    mine, theirs = _digested(a, b)
    if mine.content is None or theirs.content is None:
        why = f"A: {mine.by_bytes}" if mine.by_bytes else f"B: {theirs.by_bytes}"
        if mine.by_bytes == theirs.by_bytes:
            why = mine.by_bytes
        kind = "text" if is_text(place) else "bytes"
        words = text_in_words(place) if kind == "text" else bytes_in_words(place)
        sizes = f"{mine.size_bytes:,} and {theirs.size_bytes:,} bytes"
        return _different(kind, f"{words}; {sizes}; by bytes: {why}")
    name, other_name = mine.content.format, theirs.content.format
    if name != other_name:
        return _different("format", f"{name} in A, {other_name} in B")
    if mine.content.digest == theirs.content.digest:
        return Compared(IDENTICAL_CONTENT, f"{name}: the same content, written otherwise", ())
    return Compared(DIFFERENT, "", tuple(contents.compare(a, b, mine.content, theirs.content)))


def _digested(*paths: Path) -> Iterator[FileDigest]:
    for found in digest.of_files(paths):
        if isinstance(found, OSError):
            raise found
        yield found


def _names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def _matched(mine: set[str], theirs: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the names that belong together; one is empty where nothing does."""
    both = mine & theirs
    yield from ((name, name) for name in both)
    left = [sorted(names - both, key=_by_number) for names in (mine, theirs)]
    events = [[name for name in names if EVENTS in name] for names in left]
    yield from zip_longest(*events, fillvalue="")
    for name in set(left[0]).difference(events[0]):
        yield name, ""
    for name in set(left[1]).difference(events[1]):
        yield "", name


def _by_number(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts `x.9` before `x.10`."""
    return [(int(word), word) if word.isdecimal() else (0, word) for word in name.split(".")]


def _type(mine: str, theirs: str) -> Compared:
    return _different("type", f"a {mine} in A, a {theirs} in B")


def _different(kind: str, text: str) -> Compared:
    return Compared(DIFFERENT, "", (Difference("", "", kind, text),))


KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
}


def _kind(seen: os.stat_result) -> str:
    device = f"device {os.major(seen.st_rdev)}:{os.minor(seen.st_rdev)}"
    return KINDS.get(stat.S_IFMT(seen.st_mode), device)


def _kind_at(path: Path) -> str:
    with _reading(path):
        kind = _kind(path.stat())
    if kind not in ("file", "folder"):
        raise ReproError(f"{to_text(path)} is a {kind}", hint="name a file or a folder")
    return kind


def _pieces(path: Path) -> Iterator[bytes]:
    with _reading(path), path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise what the system refuses as an error of ours; the path is for what names none."""
    try:
        yield
    except FileNotFoundError as error:
        raise _refused(error, path, "does not exist", "name what does") from None
    except PermissionError as error:
        hint = "run this as somebody who may read it"
        raise _refused(error, path, "can't be read: you may not", hint) from None
    except OSError as error:
        hint = "see whether somebody writes it, and try again"
        raise _refused(error, path, f"can't be read: {error.strerror}", hint) from None


def _refused(error: OSError, path: Path, what: str, hint: str) -> ReproError:
    return ReproError(f"{to_text(error.filename or path)} {what}", hint=hint)
