"""What `torch.save` writes: the values, and each tensor's elements row by row, without torch.

Where a tensor lies in its storage doesn't count, unless another one shares that storage. Left out
are the archive's own name and the numbers of its layout. The rest is as in pickles.

Source:
    https://pytorch.org/docs/stable/notes/serialization.html#torch-save-format-for-torch-save
"""

from __future__ import annotations

import io
import math
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from repro_env.formats import Part, UnreadableError, strided, symbols
from repro_env.formats.pickled_arrays import with_arrays
from repro_env.formats.sources import Archive, Source
from repro_env.formats.tree import Array, Node, Pair, Word, opened, parts

LAYOUT = ("version", ".format_version", ".storage_alignment", ".data/serialization_id", "byteorder")
REBUILD = [Word("global", f"torch._utils _rebuild_tensor_v{version}") for version in (2, 3)]
SIZES = {  # bytes of an element, and of the number to be turned round where it is big-endian
    "uint8": (1, 1), "int8": (1, 1), "bool": (1, 1),
    "float8_e4m3fn": (1, 1), "float8_e5m2": (1, 1), "float8_e8m0fnu": (1, 1),
    "float8_e4m3fnuz": (1, 1), "float8_e5m2fnuz": (1, 1),
    "int16": (2, 2), "uint16": (2, 2), "float16": (2, 2), "bfloat16": (2, 2),
    "int32": (4, 4), "uint32": (4, 4), "float32": (4, 4),
    "int64": (8, 8), "uint64": (8, 8), "float64": (8, 8),
    "complex64": (8, 4), "complex128": (16, 8),
}  # fmt: skip
STORAGES = {
    "ByteStorage": "uint8", "CharStorage": "int8", "ShortStorage": "int16", "IntStorage": "int32",
    "LongStorage": "int64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32", "DoubleStorage": "float64", "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}  # fmt: skip


class Storage(NamedTuple):
    """Memory that tensors lie in: its name in the archive, its type, and where it was."""

    key: str
    dtype: str
    device: str
    source: Source


def read(path: Path) -> Iterator[Part]:
    """Yield a part for each value, and for each tensor, named by its keys (`model/0.weight`)."""
    if not zipfile.is_zipfile(path):
        raise UnreadableError("it is no zip archive, as torch writes since version 1.6")
    with Archive(path) as archive:
        checkpoint = _Checkpoint(archive.members)
        yield from parts("", checkpoint.value(), path.stat().st_size)
        for name, source in checkpoint.others():
            yield Part(name, "bytes", (), source.pieces(0, source.size))


class _Checkpoint:
    def __init__(self, members: dict[str, Source]) -> None:
        roots = {name.partition("/")[0] for name in members}
        if len(roots) != 1:
            raise UnreadableError("its members don't lie in one folder")
        self._members = {name.partition("/")[2]: source for name, source in members.items()}
        if "constants.pkl" in self._members or "data.pkl" not in self._members:
            raise UnreadableError("it holds a program (TorchScript), or something else than values")
        self._is_big = self._read_order() == b"big"
        self._seen = {"data.pkl", *LAYOUT}
        self._uses: Counter[str] = Counter()
        self._tensors: list[tuple[str, Node, Node]] = []  # key of the storage, facts, place in it

    def _read_order(self) -> bytes:
        source = self._members.get("byteorder")
        order = source.whole(0, source.size) if source else b"little"
        if order not in (b"little", b"big"):
            raise UnreadableError(f"its order of bytes is {order[:20]!r}")
        return order

    def value(self) -> Any:
        source = self._members["data.pkl"]
        value = symbols.read(io.BytesIO(source.whole(0, source.size)), self._rewrite)
        for key, facts, place in self._tensors:
            if self._uses[key] > 1:  # whoever changes one of them changes the others
                facts.entries.append(Pair("place", place))
        return value

    def others(self) -> Iterator[tuple[str, Source]]:
        for name, source in sorted(self._members.items()):
            if name not in self._seen:
                yield name, source

    def _rewrite(self, node: Node) -> Node:
        if node.kind == "persistent":
            return self._storage(node.entries[0])
        if node.kind == "call" and node.entries[0] in REBUILD:
            return self._tensor(node)
        return with_arrays(node)

    def _storage(self, place: Any) -> Node:
        mark, kind, key, device, count = place.entries
        dtype = STORAGES.get(kind.text.rpartition(" ")[2]) if isinstance(kind, Word) else None
        source = self._members.get(f"data/{key}")
        if mark != "storage" or dtype is None or source is None:
            raise UnreadableError(f"it holds a storage of a kind that is not known here: {kind}")
        if type(count) is not int or count * SIZES[dtype][0] != source.size:
            raise UnreadableError(f"its storage {key} has {source.size} bytes, not {count} {dtype}")
        self._seen.add(f"data/{key}")
        self._uses[key] += 1
        storage = Storage(key, dtype, device, source)
        whole = self._array(storage, dtype, (source.size // SIZES[dtype][0],), (1,), 0)
        facts = Node("facts", [Pair("device", device), Pair("key", key)])
        return _StorageNode(storage, [whole, facts])

    def _tensor(self, node: Node) -> Node:
        maker, arguments = node.entries
        memory, offset, shape, strides, needs_gradient, hooks, *rest = arguments.entries
        if not isinstance(memory, _StorageNode):
            return node
        storage = memory.storage
        dtype = storage.dtype
        if maker == REBUILD[1]:  # which says the type itself
            dtype = rest.pop(0).text.removeprefix("torch ")
        lengths, steps = (tuple(opened(one).entries) for one in (shape, strides))
        array = self._array(storage, dtype, lengths, steps, offset)
        told = {"device": storage.device, "requires_grad": needs_gradient, "hooks": hooks}
        facts = Node("facts", [*(Pair(*one) for one in told.items()), *rest])
        place = Node("facts", [storage.key, offset, Node("tuple", list(steps))])
        self._tensors.append((storage.key, facts, place))
        return Node("tensor", [array, facts])

    def _array(
        self,
        storage: Storage,
        dtype: str,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        offset: int,
    ) -> Array:
        size, number = SIZES[dtype]
        data = strided.elements(storage.source, size, shape, strides, offset)
        if self._is_big and number > 1:
            data = strided.swapped(data, number)
        return Array(dtype, shape, math.prod(shape) * size, data)


class _StorageNode(Node):
    """A storage by itself, and what a tensor that lies in it must know."""

    __slots__ = ("storage",)

    def __init__(self, storage: Storage, entries: list[Any]) -> None:
        super().__init__("storage", entries)
        self.storage = storage
