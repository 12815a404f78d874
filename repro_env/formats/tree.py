"""Values within values, as JSON and pickles hold them, taken apart into parts.

A container comes first: a line for each of its entries, `*` where the entry's own parts follow in
the same order. So the parts say everything, and their names are for people.

What counts by value is written in words, one value in one way: `5`, `"text"`, `true`, `null`,
`float(<8 bytes in hex>)`, `[1,2]`, `{"a":1}`, `tuple[1,2]`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from repro_env.formats import Part, UnreadableError

LONG = 1000  # entries: a container with more is one part, where that can be; bytes of a text
SHORT = LONG // 4  # characters: no text of so many has more bytes than LONG
FREE = 2**26  # bytes that may come out of the smallest file
FACTOR = 64  # and out of each of its bytes
HERE = "*"
BY_VALUE = (
    "tuple",
    "frozenset",
    "dtype",
)  # like texts and numbers: whether two are one doesn't matter
SETS = ("set", "frozenset")
# Kinds of objects, and what their first entries are: those stand in their line, in words.
OBJECTS = {
    "call": ("class", "arguments"),
    "new": ("class", "arguments", "keywords"),
    "instance": ("class", "arguments"),
    "persistent": ("id",),
    "tensor": ("array", "facts"),
    "storage": ("array", "facts"),
    "ndarray": ("array", "made", "told"),
    "dtype": ("class", "arguments"),
    "facts": (),
}

_quoted = json.JSONEncoder(ensure_ascii=False).encode


class Word(NamedTuple):
    """A value that is a text of its own kind: a number as it is written, the name of a class."""

    kind: str
    text: str


class Array(NamedTuple):
    """An array, whose bytes are read late."""

    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    data: Iterable[bytes]


class Pair(NamedTuple):
    """An entry with a key."""

    key: Any
    value: Any


class State(NamedTuple):
    """The entry of an object that is its attributes."""

    value: Any


class Node:
    """A container: its kind, and its entries in their order.

    Args:
        kind: `list`, `dict`, `tuple`, `set`, `frozenset`, `bytearray`, or one of `OBJECTS`.
        entries: Values, pairs and states. A list of Python's is a container, too.
    """

    __slots__ = ("entries", "is_shared", "kind")

    def __init__(self, kind: str, entries: list[Any]) -> None:
        self.kind = kind
        self.entries = entries
        self.is_shared = False  # a reference to it exists


class Reference(NamedTuple):
    """A container that stands elsewhere, too, and how many entries it had then."""

    node: Node
    entries: int


class _NoWordsError(UnreadableError):
    """It can't be written by value, in words."""


def parts(name: str, value: Any, file_size: int) -> Iterator[Part]:
    """Yield the parts of a value, in its own order.

    Args:
        name: What their names begin with.
        value: A leaf (None, bool, int, float, str, bytes, `Word`, `Array`), or a container.
        file_size: Bytes of the file that it is from, which says how much may come out of it.

    Raises:
        UnreadableError: It unfolds to far more than the file, or has no order that is its own.
    """
    return _Walk(FREE + FACTOR * file_size).parts(name, value)


class _Walk:
    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._numbers: dict[int, int] = {}  # of the containers, by where they are in memory
        self._words: dict[int, str] = {}  # of those that are referred to, likewise

    def parts(self, name: str, value: Any) -> Iterator[Part]:
        if isinstance(value, Array):
            self._spend(value.size_bytes)
            yield Part(name, value.dtype, value.shape, value.data)
        elif isinstance(value, Reference):
            yield self._reference(name, value)
        elif isinstance(value, (Node, list)):
            yield from self._container(name, value)
        else:
            kind, data = _leaf(value)
            self._spend(len(data))
            yield Part(name, kind, (), [data])

    def _container(self, name: str, value: Node | list[Any]) -> Iterator[Part]:
        self._numbers[id(value)] = len(self._numbers)
        kind, entries = _split(value)
        lines = self._folded(kind, entries)
        is_folded = lines is not None
        if lines is None:
            lines = [self._line(kind, entry) for entry in entries]
        yield Part(name, kind, (len(entries),), [_encoded("".join(f"{one}\n" for one in lines))])
        if not is_folded:
            for number, entry in enumerate(entries):
                if lines[number].endswith(HERE):
                    yield from self.parts(*self._named(name, kind, number, entry))

    def _folded(self, kind: str, entries: list[Any]) -> list[str] | None:
        """Return the lines of what is one part: a set, in its words' order, and what is long."""
        if kind in SETS:
            return sorted(map(self._text, entries))
        if len(entries) <= LONG:
            return None
        try:
            return list(map(self._text, entries))
        except _NoWordsError:
            return None

    def _line(self, kind: str, entry: Any) -> str:
        if isinstance(entry, Pair):
            return f"{self._text(entry.key)}:{HERE}"
        if isinstance(entry, State):
            return f"state {HERE}"
        if kind not in OBJECTS:
            return HERE
        try:
            return self._text(entry)
        except _NoWordsError:
            return HERE

    def _named(self, name: str, kind: str, number: int, entry: Any) -> tuple[str, Any]:
        if isinstance(entry, Array):
            return name, entry
        last, value = str(number), entry
        if isinstance(entry, Pair):
            last = entry.key if isinstance(entry.key, str) else self._text(entry.key)
            value = entry.value
        elif isinstance(entry, State):
            last, value = "state", entry.value
        elif number < len(OBJECTS.get(kind, ())):
            last = OBJECTS[kind][number]
        return (f"{name}/{last}" if name else last), value

    def _reference(self, name: str, value: Reference) -> Part:
        if value.node.kind in BY_VALUE:
            with suppress(_NoWordsError):
                words = _encoded(self._text(value))
                return Part(name, f"{value.node.kind} again", (value.entries,), [words])
        number = self._numbers.get(id(value.node))
        if number is None:
            raise UnreadableError("it refers to what stands in a key or a set")
        return Part(name, "reference", (), [b"%d %d" % (number, value.entries)])

    def _text(self, value: Any) -> str:
        if not isinstance(value, (Pair, State, Node, list, Reference, Array)):
            held = value.text if isinstance(value, Word) else value
            self._spend(len(held) if isinstance(held, (str, bytes)) else 0)
            text = _text_of_leaf(value)
            self._spend(len(text))
            return text
        if isinstance(value, Pair):
            return f"{self._text(value.key)}:{self._text(value.value)}"
        if isinstance(value, State):
            return f"state {self._text(value.value)}"
        if isinstance(value, (Node, list)):
            return self._text_of_container(value)
        if isinstance(value, Reference) and value.node.kind in BY_VALUE:
            if id(value.node) not in self._words:
                self._words[id(value.node)] = self._text(value.node)
            self._spend(len(self._words[id(value.node)]))
            return self._words[id(value.node)]
        raise _NoWordsError("it has keys or sets of what can't be written in words")

    def _text_of_container(self, value: Node | list[Any]) -> str:
        kind, entries = _split(value)
        if isinstance(value, Node) and value.is_shared and kind not in BY_VALUE:
            raise _NoWordsError("it has keys or sets of what also stands elsewhere")
        texts = [self._text(entry) for entry in entries]
        inner = ",".join(sorted(texts) if kind in SETS else texts)
        brackets = {"list": "[{}]", "dict": "{{{}}}"}.get(kind, kind + "[{}]")
        return brackets.format(inner)

    def _spend(self, size: int) -> None:
        self._budget -= size + 1
        if self._budget < 0:
            raise UnreadableError("it unfolds to far more than its size")


def opened(value: Any) -> Node:
    """Return the container that a value is, or refers to."""
    node: Node = value.node if isinstance(value, Reference) else value
    return node


def _split(value: Node | list[Any]) -> tuple[str, list[Any]]:
    return ("list", value) if isinstance(value, list) else (value.kind, value.entries)


def _leaf(value: Any) -> tuple[str, bytes]:
    """Return the kind and the bytes of a value that has no parts."""
    if isinstance(value, Word):
        return value.kind, _encoded(value.text)
    if isinstance(value, str):
        return "text", _encoded(value)
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    if isinstance(value, bytes):
        return "bytes", value
    kind = {bool: "bool", int: "int", type(None): "null"}[type(value)]
    return kind, _text_of_leaf(value).encode()


def _text_of_leaf(value: Any) -> str:
    if isinstance(value, str) and len(value) <= SHORT:
        return _quoted(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else hex(value)  # str() takes n^2
    kind, data = _leaf(value)
    if len(data) > LONG:
        return f"{kind}(sha256 {sha256(data).hexdigest()})"
    if isinstance(value, Word):
        return value.text if kind == "number" else f"{kind}({_quoted(value.text)})"
    return _quoted(value) if kind == "text" else f"{kind}({data.hex()})"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
