"""NumPy's arrays in pickles: their elements as an array, and the rest as it stands there."""

from __future__ import annotations

import math
from typing import Any

from repro_env.formats.tree import Array, Node, State, Word, opened

MAKERS = [Word("global", f"numpy.{core}.multiarray _reconstruct") for core in ("core", "_core")]
BUFFERS = [Word("global", f"numpy.{core}.numeric _frombuffer") for core in ("core", "_core")]
DTYPE = Word("global", "numpy dtype")
TYPES = {  # NumPy's short names, less the b1 that is `bool`: kind, and bytes
    f"{kind}{size}": f"{name}{size * 8}"
    for kind, name, sizes in (
        ("i", "int", (1, 2, 4, 8)),
        ("u", "uint", (1, 2, 4, 8)),
        ("f", "float", (2, 4, 8)),
        ("c", "complex", (8, 16)),
    )
    for size in sizes
} | {"b1": "bool"}


def with_arrays(node: Node) -> Node:
    """Return an object of a pickle with its array, where it is one of NumPy's; else as it is.

    Only what is row-major and little-endian: then its bytes are those of an array's part.
    """
    if node.kind == "call" and isinstance(node.entries[1], Node):
        maker, arguments, *rest = node.entries
        if maker == DTYPE:
            node.kind = "dtype"
        elif maker in MAKERS and len(rest) == 1 and isinstance(rest[0], State):
            _take_state(node, rest[0].value)
        elif maker in BUFFERS and len(arguments.entries) == 4:
            return _from_buffer(node, *arguments.entries)
    return node


def _take_state(node: Node, state: Any) -> None:
    if isinstance(state, Node) and state.kind == "tuple" and len(state.entries) == 5:
        _, shape, dtype, is_turned, data = state.entries
        array = _array(dtype, shape, data)
        if is_turned is False and array is not None:
            made, told = Node("facts", node.entries[:2]), Node("facts", state.entries[:4])
            node.kind, node.entries = "ndarray", [array, made, told]


def _from_buffer(node: Node, data: Any, dtype: Any, shape: Any, order: Any) -> Node:
    holder = "bytes"
    if isinstance(data, Node):
        holder, (data,) = data.kind, data.entries
    array = _array(dtype, shape, data)
    if order != "C" or array is None:
        return node
    return Node("ndarray", [array, Node("facts", [node.entries[0], holder, dtype, shape])])


def _array(dtype: Any, shape: Any, data: Any) -> Array | None:
    dtype, shape = opened(dtype), opened(shape)
    name = TYPES.get(_short_name(dtype)) if isinstance(dtype, Node) else None
    if name is None or not isinstance(shape, Node) or not isinstance(data, bytes):
        return None
    if not all(type(length) is int and length >= 0 for length in shape.entries):
        return None
    if math.prod(shape.entries) * _size(name) != len(data):
        return None
    return Array(name, tuple(shape.entries), len(data), [data])


def _short_name(dtype: Node) -> str:
    """Return `f4` and the like; nothing for what is big-endian, or of many fields."""
    if dtype.kind != "dtype" or len(dtype.entries) != 3 or not isinstance(dtype.entries[2], State):
        return ""
    state = dtype.entries[2].value
    if not isinstance(state, Node) or state.entries[1:2] not in (["<"], ["|"]):
        return ""
    return str(dtype.entries[1].entries[0])


def _size(name: str) -> int:
    return 1 if name == "bool" else int(name.lstrip("abcdefghijklmnopqrstuvwxyz")) // 8
