"""Pickles, read without doing what they say.

A pickle is a program that makes objects. Here it makes a tree of words instead: where it would
import, call or set attributes, the tree says so. No class of it is ever looked up, so none is run.

What two trees can't tell apart, two objects can't either. What can't be said in a tree (values
that are thrown away, or changed after they were used) is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pickletools import genops
from typing import Any, BinaryIO

from repro_env.formats import UnreadableError
from repro_env.formats.tree import SETS, Node, Pair, Reference, State, Word

LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
WORDS = {"STRING": "string", "BINSTRING": "string", "SHORT_BINSTRING": "string"} | {
    "EXT1": "extension", "EXT2": "extension", "EXT4": "extension",
}  # fmt: skip
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_LIST": "list", "EMPTY_DICT": "dict", "EMPTY_TUPLE": "tuple", "EMPTY_SET": "set"}
MARKED = {"LIST": "list", "TUPLE": "tuple", "FROZENSET": "frozenset"}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
CALLS = {"REDUCE": ("call", 2), "NEWOBJ": ("new", 2), "NEWOBJ_EX": ("new", 3)}
BUILT_IN = {Word("global", "_codecs encode"): "encoded"} | {
    Word("global", f"{module} {kind}"): kind
    for module in ("builtins", "__builtin__")
    for kind in ("bytes", *SETS)
}
IGNORED = ("PROTO", "FRAME")
MEMOS = ("PUT", "BINPUT", "LONG_BINPUT")
RECALLS = ("GET", "BINGET", "LONG_BINGET")


def read(file: BinaryIO, rewrite: Callable[[Node], Node] = lambda node: node) -> Any:
    """Return what a pickle would make, as a tree.

    Args:
        file: Stands at the pickle, and after it at what follows.
        rewrite: Given each object as it is called or given its state, or as it is to be loaded by
            its persistent id; returns the node to put in its place.

    Raises:
        UnreadableError: It can't be said in a tree.
        Exception: Any other; it is damaged.
    """
    machine = _Machine(rewrite)
    for opcode, argument, _ in genops(file):
        machine.do(opcode.name, argument)
    if len(machine.stack) != 1 or machine.marks:
        raise UnreadableError("it leaves values behind")
    return machine.stack[0]


class _Machine:
    def __init__(self, rewrite: Callable[[Node], Node]) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []  # the stacks below the marks
        self._memo: dict[int, Any] = {}
        self._rewrite = rewrite

    def do(self, name: str, argument: Any) -> None:
        """Do one instruction."""
        if name in LITERALS:
            self.stack.append(argument)
        elif name in WORDS:
            self.stack.append(Word(WORDS[name], str(argument)))
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in MEMOS:
            self._memo[argument] = self.stack[-1]
        elif name in RECALLS:
            self.stack.append(_referred(self._memo[argument]))
        elif name in EMPTY:
            self.stack.append(Node(EMPTY[name], []))
        elif name in MARKED:
            self._push(Node(MARKED[name], self._since_mark()))
        elif name in TUPLES:
            self._push(Node("tuple", self._pop(TUPLES[name])))
        elif name in CALLS:
            kind, count = CALLS[name]
            made = _called(Node(kind, self._pop(count)))
            self._push(self._rewrite(made) if isinstance(made, Node) else made)
        elif name not in IGNORED:
            getattr(self, f"do_{name.lower()}", self._refuse)(argument)

    def _refuse(self, _: Any) -> None:
        raise UnreadableError("it throws values away, or takes some from elsewhere")

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise UnreadableError("it takes what it has not made")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.marks.pop()
        return values

    def do_mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def do_stop(self, _: Any) -> None:
        pass

    def do_memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def do_dup(self, _: Any) -> None:
        self._push(_referred(self.stack[-1]))

    def _grow(self, entries: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, Node) or target.kind in ("tuple", "frozenset"):
            raise UnreadableError("it changes a value after its first use")
        target.entries.extend(entries)

    def do_append(self, _: Any) -> None:
        self._grow(self._pop(1))

    def do_appends(self, _: Any) -> None:
        self._grow(self._since_mark())

    do_additems = do_appends

    def do_setitem(self, _: Any) -> None:
        self._grow(_pairs(self._pop(2)))

    def do_setitems(self, _: Any) -> None:
        self._grow(_pairs(self._since_mark()))

    def do_dict(self, _: Any) -> None:
        self._push(Node("dict", _pairs(self._since_mark())))

    def do_build(self, _: Any) -> None:
        self._grow([State(self._pop(1)[0])])
        self.stack[-1] = self._rewrite(self.stack[-1])

    def do_global(self, argument: str) -> None:
        self._push(_class(argument))

    def do_stack_global(self, _: Any) -> None:
        module, name = self._pop(2)
        self._push(_class(f"{module} {name}"))

    def do_inst(self, argument: str) -> None:
        arguments = Node("tuple", self._since_mark())
        self._push(self._rewrite(Node("instance", [_class(argument), arguments])))

    def do_obj(self, _: Any) -> None:
        kind, *arguments = self._since_mark()
        self._push(self._rewrite(Node("instance", [kind, Node("tuple", arguments)])))

    def do_persid(self, argument: str) -> None:
        self._push(self._rewrite(Node("persistent", [Word("string", argument)])))

    def do_binpersid(self, _: Any) -> None:
        self._push(self._rewrite(Node("persistent", self._pop(1))))

    def do_bytearray8(self, argument: Any) -> None:
        self._push(Node("bytearray", [bytes(argument)]))


def _referred(value: Any) -> Any:
    """Return a value that is used again: whether two are one matters where they can change."""
    if not isinstance(value, Node):
        return value
    value.is_shared = True
    return Reference(value, len(value.entries))


def _pairs(values: list[Any]) -> list[Pair]:
    if len(values) % 2:
        raise UnreadableError("it has a key without a value")
    return [Pair(*values[at : at + 2]) for at in range(0, len(values), 2)]


def _class(words: str) -> Word:
    if words.count(" ") != 1:
        raise UnreadableError(f"it names {words!r}, which is no module and a name")
    return Word("global", words)


def _called(node: Node) -> Any:
    """Return what a call makes where protocols say so for want of a word: bytes, and sets."""
    named, arguments = node.entries[:2]
    if node.kind != "call" or not isinstance(arguments, Node):
        return node
    kind = BUILT_IN.get(named)
    if kind == "bytes" and not arguments.entries:
        return b""
    if kind == "encoded" and isinstance(arguments.entries[0], str):
        text, encoding = arguments.entries
        return text.encode("latin-1") if encoding == "latin1" else node
    if kind in SETS and len(arguments.entries) == 1:
        (values,) = arguments.entries
        return Node(kind, values.entries) if _is_list(values) else node
    return node


def _is_list(value: Any) -> bool:
    return isinstance(value, Node) and value.kind == "list"
