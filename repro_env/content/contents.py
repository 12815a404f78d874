"""What differs between two files of one format, part by part.

Parts are matched by their names, and by their order where several have one name. What differs is
known from the parts' digests; for the words the files are read once more, and no part is ever held
whole.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from repro_env import formats
from repro_env.content import arrays, elements, tables
from repro_env.content.arrays import ArrayDifference
from repro_env.content.places import (
    Place,
    bytes_in_words,
    first_difference,
    is_text,
    text_in_words,
    values_in_words,
)
from repro_env.digest import Content, PartDigest
from repro_env.errors import ReproError
from repro_env.formats import Part, UnreadableError
from repro_env.paths import to_text

# Their facts are a part, and their elements the next one, of the same name.
WITH_ARRAY = ("ndarray", "storage", "tensor")


class Difference(NamedTuple):
    """One thing that differs.

    Args:
        path: Of the file, below the folder, by `paths.to_text`; empty for two files.
        part: Name of the part in the file, so that it prints; empty for the file as a whole.
        kind: `only in A`, `only in B`, `type`, `link target`, `format`, `bytes`, `dtype`, `shape`,
            `values`, `entries`, `text`, `rows` or `order`.
        text: One sentence that prints on one line.
        array: What the sentence says, where elements of two arrays differ.
    """

    path: str
    part: str
    kind: str
    text: str
    array: ArrayDifference | None = None


class Key(NamedTuple):
    """What a part is known by.

    Args:
        name: Its own.
        facts: Its type, if it is what is said of an array.
        before: How many parts before it are called the same.
    """

    name: str
    facts: str
    before: int

    def in_words(self) -> str:
        """Return a name that prints: those in files may hold anything."""
        name = "".join(one if one.isprintable() else to_text(one) for one in self.name)
        return f"{name} (number {self.before + 1})" if self.before else name


def compare(a: Path, b: Path, in_a: Content, in_b: Content) -> Iterator[Difference]:
    """Yield how the parts of two files differ: in the order of the first, then what is missing.

    Raises:
        ReproError: A file is another one than when its digests were computed.
    """
    mine, theirs = _numbered(in_a), _numbered(in_b)
    readers = _Reader(a), _Reader(b)
    with_others = {key.name.rpartition("/")[0] for key in mine.keys() ^ theirs.keys()}
    for key, part in mine.items():
        other = theirs.get(key)
        if other is None:
            yield Difference("", key.in_words(), "only in A", _described(part.digest))
        elif part.digest != other.digest and not _is_said(part, other, with_others):
            found = _of_parts(part, other, *readers)
            yield found._replace(part=key.in_words())
    for key, part in theirs.items():
        if key not in mine:
            yield Difference("", key.in_words(), "only in B", _described(part.digest))
    yield from _of_order(
        [key for key in mine if key in theirs], [key for key in theirs if key in mine]
    )


def _is_said(mine: Numbered, theirs: Numbered, with_others: set[str]) -> bool:
    """Say whether two containers differ as the parts do that are only in one of them."""
    part, kind = mine.digest, theirs.digest.dtype
    return part.dtype == kind and kind in ("dict", "list") and part.name in with_others


class Numbered(NamedTuple):
    """A part's digest, and where it stands in the file."""

    number: int
    digest: PartDigest


def _numbered(content: Content) -> dict[Key, Numbered]:
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for number, part in enumerate(content.parts):
        called = part.name, part.dtype if part.dtype in WITH_ARRAY else ""
        found[Key(*called, seen[called])] = Numbered(number, part)
        seen[called] += 1
    return found


def _of_parts(mine: Numbered, theirs: Numbered, a: _Reader, b: _Reader) -> Difference:
    part, other = mine.digest, theirs.digest
    words = f"{_described(part)} in A, {_described(other)} in B"
    if part.dtype != other.dtype:
        return Difference("", "", "dtype", words)
    if part.shape != other.shape and (elements.kind_of(part.dtype) or part.digest == other.digest):
        return Difference("", "", "shape", words)
    found = _of_data(part, other, a.find(mine.number), b.find(theirs.number))
    if found is None:
        raise changed(a.path)
    return found


def _of_data(
    mine: PartDigest, theirs: PartDigest, one: Iterable[bytes], other: Iterable[bytes]
) -> Difference | None:
    """Say where the bytes of two parts of one type differ; None if they don't."""
    kind = elements.kind_of(mine.dtype)
    if kind and mine.dtype == "bool" and not mine.shape:
        # One of NumPy's is a byte, one of Python's a word.
        one, other = [b"".join(one)], [b"".join(other)]
        kind = kind if len(one[0]) == len(other[0]) == 1 else None
    if kind:
        return _of_arrays(kind, mine.shape, one, other)
    if mine.dtype == "table":
        rows = tables.first_difference(one, other)
        return Difference("", "", "rows", rows) if rows else None
    place = first_difference(one, other)
    return place and _of_place(place, mine, theirs)


def _of_arrays(
    kind: elements.Kind, shape: tuple[int, ...], one: Iterable[bytes], other: Iterable[bytes]
) -> Difference | None:
    try:
        found = arrays.compare(kind, shape, one, other)
    except ImportError:
        text = "numpy is not installed here, so elements can't be compared"
        return Difference("", "", "values", text)
    except ValueError as error:
        return Difference("", "", "bytes", f"its elements can't be compared: {error}")
    return found and Difference("", "", "values", arrays.in_words(found), found)


def _of_place(place: Place, mine: PartDigest, theirs: PartDigest) -> Difference:
    is_words = mine.dtype.replace(" ", "").isalpha()  # as all that have entries
    if mine.dtype == "bytes" or not is_text(place) or (mine.shape and not is_words):
        return Difference("", "", "bytes", bytes_in_words(place))
    if mine.dtype == "text":
        return Difference("", "", "text", text_in_words(place))
    if not mine.shape:
        return Difference("", "", "text", values_in_words(place))
    sizes = f"{_described(mine)} in A, {_described(theirs)} in B: " * (mine.shape != theirs.shape)
    return Difference("", "", "entries", f"{sizes}{text_in_words(place, 'entry')}")


def _of_order(in_a: list[Key], in_b: list[Key]) -> Iterator[Difference]:
    for key, other in zip(in_a, in_b):
        if key != other:
            names = f"{key.in_words()} in A, {other.in_words()} in B"
            yield Difference("", "", "order", f"the parts stand in another order: first {names}")
            return


def _described(part: PartDigest) -> str:
    dtype = to_text(part.dtype)
    if not part.shape:
        return dtype
    if elements.kind_of(part.dtype):
        return f"{dtype} of shape {list(part.shape)}"
    return f"{dtype} of {' x '.join(map(str, part.shape))}"


class _Reader:
    """One file's parts, by their numbers; soonest had in the file's own order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: Iterator[Part] = iter(())
        self._next = 0
        self._data: Iterator[bytes] = iter(())

    def find(self, wanted: int) -> Iterator[bytes]:
        """Return the bytes of a part, to be read before the next one is asked for."""
        if self._next == 0 or wanted < self._next:
            form = formats.find(self.path.name)
            self._parts = iter(form.read(self.path)) if form else iter(())
            self._next, self._data = 0, iter(())
        while self._next <= wanted:
            deque(self._data, maxlen=0)  # a part is to be read before the next
            try:
                self._data = iter(next(self._parts).data)
            except (StopIteration, UnreadableError):
                raise changed(self.path) from None
            self._next += 1
        return self._data


def changed(path: Path) -> ReproError:
    """Return the error of a file that is another one when it is read again."""
    return ReproError(
        f"{to_text(path)} changes while it is read", hint="wait until nobody writes it"
    )
