"""Safetensors: the tensors by their names and the notes beside them; not their order in the file.

Source:
    https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repro_env.formats import Part, UnreadableError
from repro_env.formats.sources import of_file

LONGEST_HEADER = 100_000_000  # bytes, as its own reader has it
NOTES = "__metadata__"
TYPES = {  # their names of types: ours, and how many bits an element takes
    "BOOL": ("bool", 8),
    "F4": ("float4_e2m1fn", 4),
    "F6_E2M3": ("float6_e2m3fn", 6),
    "F6_E3M2": ("float6_e3m2fn", 6),
    "U8": ("uint8", 8),
    "I8": ("int8", 8),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8),
    "I16": ("int16", 16),
    "U16": ("uint16", 16),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "I32": ("int32", 32),
    "U32": ("uint32", 32),
    "F32": ("float32", 32),
    "C64": ("complex64", 64),
    "F64": ("float64", 64),
    "I64": ("int64", 64),
    "U64": ("uint64", 64),
}


def read(path: Path) -> Iterator[Part]:
    """Yield the notes, by their names, and then the tensors."""
    with path.open("rb") as file:
        whole = of_file(file)
        length = int.from_bytes(whole.whole(0, 8), "little")
        if length > LONGEST_HEADER:
            raise UnreadableError(f"its header has {length} bytes, more than {LONGEST_HEADER}")
        tensors = json.loads(whole.whole(8, length), object_pairs_hook=_unique)
        notes = tensors.pop(NOTES, None)
        if notes is not None:
            yield Part(NOTES, "dict", (len(notes),), [])
            for name, text in sorted(notes.items()):
                yield Part(f"{NOTES}/{name}", "text", (), [text.encode()])
        data = of_file(file, 8 + length, whole.size - 8 - length)
        _check_ranges([tensor["data_offsets"] for tensor in tensors.values()], data.size)
        for name, tensor in sorted(tensors.items()):
            dtype, shape, (start, end) = _checked(name, tensor)
            yield Part(name, dtype, shape, data.pieces(start, end - start))


def _checked(name: str, tensor: dict[str, Any]) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    kind, shape, (start, end) = tensor["dtype"], tuple(tensor["shape"]), tensor["data_offsets"]
    if set(tensor) != {"dtype", "shape", "data_offsets"} or kind not in TYPES:
        raise UnreadableError(f"{name!r} is of type {kind!r}, or says more than its format knows")
    if any(type(number) is not int or number < 0 for number in (*shape, start, end)):
        raise UnreadableError(f"{name!r} has no shape, or no place")
    dtype, bits = TYPES[kind]
    if math.prod(shape) * bits != (end - start) * 8:
        raise UnreadableError(f"{name!r} has {end - start} bytes, which are not {shape} of {dtype}")
    return dtype, shape, (start, end)


def _check_ranges(ranges: list[tuple[int, int]], size: int) -> None:
    """See that the tensors fill the file, as the format asks: no byte is two's, or nobody's."""
    at = 0
    for start, end in sorted(ranges):
        if start != at:
            raise UnreadableError(f"its tensors leave a gap at {at}, or overlap there")
        at = end
    if at != size:
        raise UnreadableError(f"its tensors end at {at}, and its data at {size}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableError("a name stands in its header twice")
    return found
