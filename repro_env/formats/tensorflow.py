"""TensorFlow's checkpoints and SavedModels, read without TensorFlow: its import takes seconds.

A checkpoint holds tensors by their names. They are bare bytes in the files `X.data-*`; the table
in `X.index` says where. Left out: which of these files each stands in, and where.

Of a SavedModel nothing is left out but the order of maps and the random UUIDs by which Keras
marks functions that stand for each other. Two fresh processes that save the same model with
TensorFlow 2.9.3 differ in these alone. One that has made other functions before counts its
functions from elsewhere, and so their names differ: that is other content.

Source:
    https://github.com/tensorflow/tensorflow/blob/v2.9.3/tensorflow/core/protobuf/tensor_bundle.proto
    https://github.com/tensorflow/tensorflow/blob/v2.9.3/tensorflow/core/util/tensor_bundle/tensor_bundle.h
    https://github.com/google/leveldb/blob/main/doc/table_format.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from repro_env.formats import Part, UnreadableError, library
from repro_env.formats.sources import Source, of_file
from repro_env.formats.wire import checksum, fields, varint

SHARD = re.compile(r"\.(index|data-\d{5}-of-\d{5})$")
TABLE_END = (0xDB47_7524_8B80_FB57).to_bytes(8, "little")
FOOTER_BYTES = 48
TRAILER_BYTES = 5  # a block's compression and checksum
# As https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/types.proto
DTYPES = (
    "", "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64",
    "bool", "qint8", "quint8", "qint32", "bfloat16", "qint16", "quint16", "uint16", "complex128",
    "float16", "resource", "variant", "uint32", "uint64", "float8_e5m2", "float8_e4m3fn",
)  # fmt: skip
VARIABLE = ("string", "variant")  # elements of any size, after their sizes
DTYPE, SHAPE, FILE, OFFSET, SIZE, _, SLICES = KNOWN = range(1, 8)  # of an entry's fields
UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
STATE = re.compile(r'(all_)?model_checkpoint_paths?: ".*"')
TIMES = re.compile(r"(all_model_checkpoint_timestamps|last_preserved_timestamp): [-+.e\d]+")


def read_checkpoint(path: Path) -> Iterator[Part]:
    """Yield the tensors of a whole checkpoint, whichever of its files is asked for."""
    prefix = SHARD.sub("", path.name)
    with ExitStack() as files:

        def opened(name: str) -> Source:
            try:
                return of_file(files.enter_context(path.with_name(name).open("rb")))
            except FileNotFoundError:
                raise UnreadableError(f"{name} is not beside it") from None

        table = _table(opened(f"{prefix}.index"))
        count = _count_of_files(*next(table, (b"none", b"")))
        shards = [opened(f"{prefix}.data-{number:05}-of-{count:05}") for number in range(count)]
        left = sum(shard.size for shard in shards)
        for name, value in table:
            entry: dict[int, Any] = dict(fields(value))
            left -= entry.get(SIZE, 0)
            if left < 0:
                raise UnreadableError("its tensors are more than what is in its files")
            yield _tensor(name.decode("utf-8", "backslashreplace"), value, shards)


def _count_of_files(name: bytes, value: bytes) -> int:
    """Return how many files with data there are, as the first entry says."""
    header: dict[int, Any] = dict(fields(value))
    if name or header.get(2):  # the order of bytes
        raise UnreadableError("it was not written by a machine like this one")
    count: int = header.get(1, 0)
    return count


def _tensor(name: str, value: bytes, shards: list[Source]) -> Part:
    entry: dict[int, Any] = dict(fields(value))
    if not entry.keys() <= set(KNOWN):
        raise UnreadableError(f"{name!r} has what TensorFlow 2.9 does not know")
    dtype = DTYPES[entry.get(DTYPE, 0)]
    shape = _shape(entry.get(SHAPE, b""))
    if SLICES in entry:  # each of them is an entry of its own
        slices = [bytes(one) for number, one in fields(value) if number == SLICES]
        return Part(name, f"slices of {dtype} of shape {shape}", (), slices)
    data = shards[entry.get(FILE, 0)].pieces(entry.get(OFFSET, 0), entry.get(SIZE, 0))
    if dtype in VARIABLE and shape:
        return Part(name, f"{dtype} of shape {shape}", (), data)
    return Part(name, dtype, shape, data)


def _shape(message: bytes) -> tuple[int, ...]:
    sizes: list[Any] = []
    for number, value in fields(message):
        if number != 2 or not isinstance(value, bytes):
            raise UnreadableError("it holds a tensor of unknown shape")
        sizes.append(dict(fields(value)).get(1, 0))
    return tuple(sizes)


def _table(source: Source) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys of a table with their values, in the keys' order."""
    start = source.size - FOOTER_BYTES
    footer = source.whole(start, FOOTER_BYTES) if start >= 0 else b""
    if not footer.endswith(TABLE_END):
        raise UnreadableError("it is no index of a checkpoint, or is cut off")
    _, _, at = _place(footer, 0)
    last = None
    for _, place in _block(source, *_place(footer, at)[:2]):
        for key, value in _block(source, *_place(place, 0)[:2]):
            if last is not None and key <= last:
                raise UnreadableError("the names in it are out of order")
            last = key
            yield key, value


def _place(data: bytes, at: int) -> tuple[int, int, int]:
    """Return where a block is, its size, and where this is said no more."""
    start, at = varint(data, at)
    size, at = varint(data, at)
    return start, size, at


def _block(source: Source, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    data = source.whole(start, size + TRAILER_BYTES)
    if checksum(data[: size + 1]) != int.from_bytes(data[size + 1 :], "little"):
        raise UnreadableError(f"the block at byte {start} is damaged")
    if data[size]:
        raise UnreadableError("its index is compressed")
    end = size - 4 - 4 * int.from_bytes(data[size - 4 : size], "little")  # a list of restarts
    key, at = b"", 0
    while at < end:
        shared, at = varint(data, at)
        unshared, at = varint(data, at)
        length, at = varint(data, at)
        key = key[:shared] + data[at : at + unshared]
        at += unshared
        yield key, data[at : at + length]
        at += length


def read_saved_model(path: Path) -> Iterator[Part]:
    """Yield the functions of each graph in `saved_model.pb`, and the rest of it."""
    library("tensorboard")
    messages = library("tensorboard.compat.proto.meta_graph_pb2")
    for number, value in fields(path.read_bytes()):
        if number == 2 and isinstance(value, bytes):
            yield from _graph(messages.MetaGraphDef.FromString(value))
        elif number == 1 and isinstance(value, int):
            yield Part("schema version", "int", (), [b"%d" % value])
        else:
            raise UnreadableError("it is no SavedModel")


def _graph(graph: Any) -> Iterator[Part]:
    name = ",".join(graph.meta_info_def.tags)
    functions = graph.graph_def.library.function
    _number_uuids(functions)
    for one in functions:
        data = one.SerializeToString(deterministic=True)
        yield Part(f"{name}/{one.signature.name}", "function", (), [data])
    del functions[:]
    yield Part(name, "graph", (), [graph.SerializeToString(deterministic=True)])


def _number_uuids(functions: Any) -> None:
    """Number the UUIDs that recurrent layers have, each for two functions that do the same."""
    numbers: dict[bytes, bytes] = {}
    for one in functions:
        if "api_implements" in one.attr:
            name = one.attr["api_implements"]
            name.s = UUID.sub(
                lambda found: numbers.setdefault(found[0], b"%d" % len(numbers)), name.s
            )


def read_keras_metadata(path: Path) -> Iterator[Part]:
    """Yield what `keras_metadata.pb` says of each layer, by its place in the model."""
    for number, value in fields(path.read_bytes()):
        if number != 1 or not isinstance(value, bytes):
            raise UnreadableError("it is no metadata of Keras")
        place = dict(fields(value)).get(3, b"")
        if not isinstance(place, bytes):
            raise UnreadableError("it is no metadata of Keras")
        yield Part(place.decode(), "text", (), [value])


def read_state(path: Path) -> Iterator[Part]:
    """Yield the lines of the file `checkpoint` that name checkpoints, not those with times."""
    kept = []
    for line in path.read_text("utf-8").split("\n"):
        if STATE.fullmatch(line):
            kept.append(f"{line}\n")
        elif line and not TIMES.fullmatch(line):
            raise UnreadableError("it holds a line that is none of TensorFlow's")
    yield Part("", "text", (), ["".join(kept).encode()])
