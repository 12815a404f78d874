"""TensorBoard's event files: what was logged, at which step, in the file's order.

Left out: when it was logged, by which host, process and library, and the version of the file.
What is timed by its nature, the traces of a profiled run, stays in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repro_env.formats import Part, UnreadableError, library
from repro_env.formats.sources import Source, of_file
from repro_env.formats.wire import checksum

# As https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/types.proto
DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 9: "int64", 10: "bool"}


def read(path: Path) -> Iterator[Part]:
    """Yield what was logged, each by its tag and step; a graph without the order of its maps."""
    library("tensorboard")
    event_pb2 = library("tensorboard.compat.proto.event_pb2")
    with path.open("rb") as file:
        for record in _records(of_file(file)):
            yield from _event(event_pb2.Event.FromString(record))


def _records(source: Source) -> Iterator[bytes]:
    at = 0
    while at < source.size:
        if at + 12 > source.size:
            raise _cut_off(at)
        head = source.whole(at, 12)
        length, expected = struct.unpack("<QI", head)
        if checksum(head[:8]) != expected:
            raise UnreadableError(f"the record at byte {at} says a wrong length")
        if at + 16 + length > source.size:
            raise _cut_off(at)
        data = source.whole(at + 12, length)
        if checksum(data) != int.from_bytes(source.whole(at + 12 + length, 4), "little"):
            raise UnreadableError(f"the record at byte {at} is damaged")
        yield data
        at += 16 + length


def _cut_off(at: int) -> UnreadableError:
    return UnreadableError(
        f"its last record, at byte {at}, is cut off: its writer was stopped, or still writes"
    )


def _event(event: Any) -> Iterator[Part]:
    kind = event.WhichOneof("what")
    if kind == "summary":
        for value in event.summary.value:
            yield from _value(f"{value.tag}@{event.step}", value)
    elif kind != "file_version":
        data = _bytes_of_graph(kind, event) if kind else b""
        yield Part(f"@{event.step}", kind or "nothing", (), [data])


def _bytes_of_graph(kind: str, event: Any) -> bytes:
    content = getattr(event, kind)
    if kind == "graph_def":
        content = library("tensorboard.compat.proto.graph_pb2").GraphDef.FromString(content)
    elif kind == "meta_graph_def":
        messages = library("tensorboard.compat.proto.meta_graph_pb2")
        content = messages.MetaGraphDef.FromString(content)
    return _bytes_of(content)


def _value(name: str, value: Any) -> Iterator[Part]:
    kind = value.WhichOneof("value")
    rest = type(value)()
    rest.CopyFrom(value)
    rest.ClearField("tag")
    if kind:
        content = getattr(value, kind)
        rest.ClearField(kind)
        yield _part(name, kind, content)
    if not kind or rest.ByteSize():
        yield Part(f"{name}/metadata", "bytes", (), [_bytes_of(rest)])


def _part(name: str, kind: str, content: Any) -> Part:
    if kind == "simple_value":
        return Part(name, "float32", (), [struct.pack("<f", content)])
    if kind == "tensor" and content.dtype in DTYPES:
        shape = tuple(one.size for one in content.tensor_shape.dim)
        plain = type(content)(
            dtype=content.dtype,
            tensor_shape={"dim": [{"size": size} for size in shape]},
            tensor_content=content.tensor_content,
        )
        if _bytes_of(plain) == _bytes_of(content):  # it holds nothing else
            return Part(name, DTYPES[content.dtype], shape, [content.tensor_content])
    return Part(name, kind, (), [_bytes_of(content)])


def _bytes_of(message: Any) -> bytes:
    """Return a message as bytes that its content alone decides."""
    data: bytes = message.SerializeToString(deterministic=True)
    return data
