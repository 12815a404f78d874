"""Parquet: the table's schema and each column's values; neither row groups, pages nor packing.

The schema counts with the columns' order, types, whether they may be null, and what is said of
them. So does what is said of the table, the words of `pandas` with their keys sorted. Left out:
which library wrote the file, statistics, and the versions in the words of `pandas`.

A value that is null counts as zero or empty, and `column/valid` says which are. Texts, lists and
structs have more parts: `column/length`, `column/item`, `column/field`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from repro_env.formats import Part, UnreadableError, library
from repro_env.formats.limits import Budget

BLOCK_BYTES = 2**23  # read at once, or about that ...
BLOCK_ROWS = 2**12  # ... and no more of them: a page can say one long text for many rows
VERSIONS = ("creator", "pandas_version")
TEXTS = ("string", "large_string", "binary", "large_binary")
FLOATS = {"halffloat": "float16", "float": "float32", "double": "float64"}

Step = Callable[[Any], Any]  # from an array of Arrow's to another one


class Values(NamedTuple):
    """Values of one type: those of a column, or what is in each of them.

    Args:
        name: Of the column, and where in it they are.
        kind: Their type.
        take: Returns them, of an array of the column.
        each_row: Whether there is one for each row.
    """

    name: str
    kind: Any
    take: Step
    each_row: bool = True

    def inner(self, name: str, kind: Any, step: Step, each_row: bool = True) -> Values:
        """Return what is in these values."""
        take = self.take
        return Values(name, kind, lambda array: step(take(array)), self.each_row and each_row)

    def stream(self, name: str, dtype: str, step: Step) -> Stream:
        """Return something of fixed size about each of these values."""
        take = self.take
        return Stream(
            name, dtype if self.each_row else "bytes", lambda array: _bits(step(take(array)))
        )


class Stream(NamedTuple):
    """One thing about values: a part.

    Args:
        name: Of the part.
        dtype: Of its elements, one for each row; else `bytes`.
        take: Returns the bytes that come from an array of the column.
    """

    name: str
    dtype: str
    take: Callable[[Any], bytes]


def read(path: Path) -> Iterator[Part]:
    """Yield the schema, and column by column what its values are."""
    pyarrow = library("pyarrow")
    parquet = library("pyarrow.parquet")
    with pyarrow.OSFile(str(path)) as source, parquet.ParquetFile(source) as file:
        schema = file.schema_arrow
        rows = file.metadata.num_rows
        budget = Budget(path)
        yield from _of_schema(schema, rows)
        for field in schema:
            for stream in _streams(Values(field.name, field.type, lambda array: array)):
                shape = () if stream.dtype == "bytes" else (rows,)
                data = _data(stream, _arrays(file, field.name), budget)
                yield Part(stream.name, stream.dtype, shape, data)


def _of_schema(schema: Any, rows: int) -> Iterator[Part]:
    shown = schema.to_string(truncate_metadata=False, show_schema_metadata=False)
    yield Part("", "schema", (), [f"{shown}\n{rows} rows".encode()])
    for key, value in sorted((schema.metadata or {}).items()):
        if key == b"pandas":
            words = json.loads(value)
            kept = {name: words[name] for name in words if name not in VERSIONS}
            value = json.dumps(kept, sort_keys=True).encode()
        yield Part(f"/{key.decode('utf-8', 'backslashreplace')}", "metadata", (), [value])


def _data(stream: Stream, arrays: Iterator[Any], budget: Budget) -> Iterator[bytes]:
    for array in arrays:
        piece = stream.take(array)
        budget.spend(len(piece))
        yield piece


def _arrays(file: Any, name: str) -> Iterator[Any]:
    facts = file.metadata
    size = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    rows = min(BLOCK_ROWS, max(1, BLOCK_BYTES * facts.num_rows // max(1, size)))
    for batch in file.iter_batches(rows, columns=[name], use_threads=False):
        if batch.schema.names != [name]:
            raise UnreadableError(f"more than one column answers to {name!r}")
        yield batch.column(0)


def _streams(values: Values) -> Iterator[Stream]:
    types = library("pyarrow.types")
    name, kind = values.name, values.kind
    if types.is_dictionary(kind):
        yield Stream(f"{name}/categories", "bytes", _Categories(values.take))
        yield from _streams(values.inner(name, kind.value_type, _decoded))
        return
    if types.is_map(kind):
        listed = _listed(kind)
        yield from _streams(values.inner(name, listed, lambda array: array.cast(listed)))
        return
    yield values.stream(f"{name}/valid", "bool", lambda array: array.is_valid())
    if types.is_nested(kind):
        yield from _of_nested(values)
    elif types.is_primitive(kind) or types.is_decimal(kind) or types.is_fixed_size_binary(kind):
        yield values.stream(name, FLOATS.get(str(kind), str(kind)), lambda array: array)
    elif str(kind) in TEXTS:
        yield values.stream(f"{name}/length", "int64", _lengths)
        yield Stream(name, "bytes", lambda array: _joined(values.take(array)))
    elif not types.is_null(kind):
        raise _unknown(values)


def _of_nested(values: Values) -> Iterator[Stream]:
    types = library("pyarrow.types")
    name, kind = values.name, values.kind
    if types.is_struct(kind):
        for number, field in enumerate(kind):
            step = partial(_child, number)
            yield from _streams(values.inner(f"{name}/{field.name}", field.type, step))
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        yield values.stream(f"{name}/length", "int64", _lengths)
        item = values.inner(f"{name}/item", kind.value_type, _items, each_row=False)
        yield from _streams(item)
    else:
        raise _unknown(values)


def _unknown(values: Values) -> UnreadableError:
    return UnreadableError(f"{values.name!r} holds what is not read here: {values.kind}")


def _child(number: int, array: Any) -> Any:
    return array.flatten()[number]  # null where the struct is


def _items(array: Any) -> Any:
    return array.flatten()  # none where the list is null


def _decoded(array: Any) -> Any:
    return array.dictionary_decode()


def _listed(kind: Any) -> Any:
    pyarrow = library("pyarrow")
    return pyarrow.list_(pyarrow.struct([kind.key_field, kind.item_field]))


def _lengths(array: Any) -> Any:
    compute = library("pyarrow.compute")
    is_list = library("pyarrow.types").is_nested(array.type)
    return (compute.list_value_length if is_list else compute.binary_length)(array).cast("int64")


def _joined(array: Any) -> bytes:
    return b"".join(array.drop_null().cast("large_binary").to_pylist())


def _bits(array: Any) -> bytes:
    """Return the bytes of values of one fixed size, zeros where they are null."""
    if str(array.type) == "bool":
        array = array.cast("uint8")
    size = array.type.bit_width // 8
    if size in (1, 2, 4, 8):
        array = array.view(f"int{8 * size}").fill_null(0)
    else:
        array = array.view(library("pyarrow").binary(size)).fill_null(bytes(size))
    if not len(array):
        return b""
    data: bytes = array.buffers()[1].slice(array.offset * size, len(array) * size).to_pybytes()
    return data


class _Categories:
    """Returns each category when it is first seen."""

    def __init__(self, take: Step) -> None:
        self._take = take
        self._last: Any = None
        self._seen: set[str] = set()

    def __call__(self, array: Any) -> bytes:
        categories = self._take(array).dictionary
        if self._last is not None and categories.equals(self._last):
            return b""
        self._last = categories
        lines = dict.fromkeys(repr(one) for one in categories.to_pylist())
        new = [line for line in lines if line not in self._seen]
        self._seen.update(new)
        return "".join(f"{line}\n" for line in new).encode("utf-8", "backslashreplace")
