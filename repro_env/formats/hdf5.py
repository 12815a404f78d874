"""HDF5, and the `.h5` files of Keras: groups, datasets and attributes, with their values.

A dataset is named by its path (`layer/kernel`), an attribute by that of its owner and its own
name (`layer//units`). An object that has more than one path stands at the first; links that point
elsewhere are named, and not followed. Values in other files (external and virtual datasets) are
refused.

Left out: times, chunks, compression, fill values, how far a dataset can grow, the order of bytes,
gaps in compound types, and the order of entries where the file does not keep one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

from repro_env.formats import Part, UnreadableError, apart, library
from repro_env.formats.limits import Budget

BLOCK_BYTES = 2**23
BLOCK_OBJECTS = 2**14  # texts, lists and references: of any size
LENGTH_BYTES = 8


def read(path: Path) -> Iterator[Part]:
    """Yield the objects below the root, depth first, each followed by its attributes."""
    return apart.read(f"{__name__}:read_here", path)


def read_here(path: Path) -> Iterator[Part]:
    """Do so in this process, which the library of HDF5 hangs on some damaged files."""
    h5py = library("h5py")
    with h5py.File(path, "r") as file:
        if file.userblock_size:
            raise UnreadableError("it begins with a block that is not HDF5")
        yield from _Reader(h5py, file, Budget(path)).read("", file["/"])


class _Reader:
    def __init__(self, h5py: Any, file: Any, budget: Budget) -> None:
        self._h5py = h5py
        self._file = file
        self._budget = budget
        self._names: dict[int, str] = {}  # of the objects, by where they are in the file

    def read(self, name: str, thing: Any) -> Iterator[Part]:
        address = self._h5py.h5o.get_info(thing.id).addr
        if address in self._names:
            yield Part(name, "link", (), [_encoded(self._names[address])])
            return
        self._names[address] = name
        if isinstance(thing, self._h5py.Dataset):
            yield self._dataset(name, thing)
        elif isinstance(thing, self._h5py.Group):
            yield Part(name, "group", (), [])
        else:
            yield Part(name, f"type {self._name_of(thing.dtype)}", (), [])
        for attribute in thing.attrs:
            yield self._attribute(f"{name}//{attribute}", thing.attrs.get_id(attribute))
        if isinstance(thing, self._h5py.Group):
            for entry in thing:
                yield from self._entry(f"{name}/{entry}" if name else entry, thing, entry)

    def _entry(self, name: str, group: Any, entry: str) -> Iterator[Part]:
        link = group.get(entry, getlink=True)
        if isinstance(link, self._h5py.HardLink):
            yield from self.read(name, group[entry])
        else:
            file = getattr(link, "filename", "")
            yield Part(name, f"{type(link).__name__} {file}", (), [_encoded(link.path)])

    def _dataset(self, name: str, dataset: Any) -> Part:
        if dataset.is_virtual or dataset.external:
            raise UnreadableError(f"the values of {name!r} are in another file")
        arrays = _blocks(dataset) if dataset.shape else self._whole(dataset.id, "dataset")
        return self._part(name, dataset.id, arrays)

    def _attribute(self, name: str, attribute: Any) -> Part:
        return self._part(name, attribute, self._whole(attribute, "attribute"))

    def _whole(self, holder: Any, kind: str) -> Iterator[Any]:
        base, inner = holder.dtype.subdtype or (holder.dtype, ())
        array = library("numpy").zeros(holder.shape + inner, base)
        everything = (self._h5py.h5s.ALL, self._h5py.h5s.ALL) if kind == "dataset" else ()
        holder.read(*everything, array, mtype=self._h5py.h5t.py_create(holder.dtype))
        yield array

    def _part(self, name: str, holder: Any, arrays: Iterable[Any]) -> Part:
        dtype = holder.dtype
        kind = self._name_of(dtype)
        if holder.shape is None:
            return Part(name, f"nothing of {kind}", (), [])
        self._budget.spend(math.prod(holder.shape) * dtype.itemsize)
        if not dtype.hasobject:
            base, inner = dtype.subdtype or (dtype, ())
            data = (array.astype(_plain(base)).tobytes() for array in arrays)
            return Part(name, kind, holder.shape + inner, data)
        objects = self._objects(dtype, arrays)
        if holder.shape:
            kind = f"{kind} of shape {holder.shape}"
        elif self._h5py.check_string_dtype(dtype):
            objects = (text[LENGTH_BYTES:] for text in objects)
        return Part(name, kind, (), objects)

    def _objects(self, dtype: Any, arrays: Iterable[Any]) -> Iterator[bytes]:
        base = dtype.subdtype[0] if dtype.subdtype else dtype
        for array in arrays:
            piece = b"".join(one for element in array.flat for one in self._bytes_of(element, base))
            self._budget.spend(len(piece))
            yield piece

    def _bytes_of(self, value: Any, dtype: Any) -> Iterator[bytes]:
        """Yield the bytes of one element; what may have any length says it first."""
        h5 = self._h5py
        if dtype.subdtype:
            for element in value.flat:
                yield from self._bytes_of(element, dtype.subdtype[0])
        elif dtype.names:
            for name in dtype.names:
                yield from self._bytes_of(value[name], dtype.fields[name][0])
        elif not dtype.hasobject:
            yield library("numpy").asarray(value).astype(_plain(dtype)).tobytes()
        elif h5.check_string_dtype(dtype):
            yield _measured(value if isinstance(value, bytes) else _encoded(value))
        elif h5.check_ref_dtype(dtype):
            yield _measured(self._target(value))
        else:
            yield from self._list(value, h5.check_vlen_dtype(dtype))

    def _list(self, values: Any, dtype: Any) -> Iterator[bytes]:
        yield len(values).to_bytes(LENGTH_BYTES, "little")
        if not dtype.hasobject:
            yield values.astype(_plain(values.dtype)).tobytes()
            return
        for value in values:
            yield from self._bytes_of(value, dtype)

    def _target(self, reference: Any) -> bytes:
        name: bytes | None = b""
        if reference:
            name = self._h5py.h5r.get_name(reference, self._file.id)
        if name is None:
            raise UnreadableError("it refers to what has no name")
        return name

    def _name_of(self, dtype: Any) -> str:
        h5 = self._h5py
        if dtype.subdtype:
            return f"{self._name_of(dtype.subdtype[0])}{list(dtype.shape)}"
        if dtype.names:
            inner = [f"{json.dumps(n)}: {self._name_of(dtype.fields[n][0])}" for n in dtype.names]
            return f"{{{', '.join(inner)}}}"
        text = h5.check_string_dtype(dtype)
        if text:
            return f"string{'' if text.length is None else text.length}[{text.encoding}]"
        if h5.check_enum_dtype(dtype):
            return f"{dtype.name} {json.dumps(h5.check_enum_dtype(dtype), sort_keys=True)}"
        element = h5.check_vlen_dtype(dtype)
        if element:
            if element != element.newbyteorder("<"):
                raise UnreadableError("h5py misreads lists of big-endian numbers")
            return f"list of {self._name_of(element)}"
        if h5.check_ref_dtype(dtype) is h5.RegionReference:
            raise UnreadableError("it holds references to regions")
        return "reference" if h5.check_ref_dtype(dtype) else str(dtype.name)


def _blocks(dataset: Any) -> Iterator[Any]:
    """Yield a dataset's values, some MiB at a time, row by row."""
    shape = dataset.shape
    if 0 in shape:
        return
    most = max(1, BLOCK_BYTES // max(1, dataset.dtype.itemsize))
    if dataset.dtype.hasobject:
        most = min(most, BLOCK_OBJECTS)
    axis = 0  # along which it is cut
    while axis < len(shape) - 1 and math.prod(shape[axis + 1 :]) > most:
        axis += 1
    step = max(1, most // math.prod(shape[axis + 1 :]))
    for outer in product(*map(range, shape[:axis])):
        for start in range(0, shape[axis], step):
            yield dataset[(*outer, slice(start, start + step))]


def _plain(dtype: Any) -> Any:
    """Return a type without gaps, all of it little-endian."""
    if dtype.subdtype:
        return library("numpy").dtype((_plain(dtype.subdtype[0]), dtype.shape))
    if dtype.names:
        return library("numpy").dtype([(n, _plain(dtype.fields[n][0])) for n in dtype.names])
    return dtype.newbyteorder("<")


def _measured(data: bytes) -> bytes:
    return len(data).to_bytes(LENGTH_BYTES, "little") + data


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
