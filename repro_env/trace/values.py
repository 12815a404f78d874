"""What arrays hold at the step that is looked at closely: a safetensors file, written by hand.

Source:
    https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from typing import Any

from repro_env.trace.recorder import append

MOST_BYTES = 2**28
TYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fn": "F8_E4M3",
    "int16": "I16",
    "uint16": "U16",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "complex64": "C64",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}


class Values:
    """Copies of arrays, up to a number of bytes in all."""

    def __init__(self) -> None:
        self._header: dict[str, Any] = {}
        self._data: list[bytes] = []
        self.size_bytes = 0
        self.left_out = 0

    def add(self, name: str, kind: str, data: Any) -> None:
        """Keep a copy of an array's bytes; count it where there is no more room.

        Args:
            name: What it is called in the file.
            kind: Its type and shape, such as `float32 [2, 3]`.
            data: Its bytes in C order, as a buffer.
        """
        dtype, _, shape = kind.partition(" ")
        data = memoryview(data).cast("B")
        if dtype not in TYPES or not shape.endswith("]"):
            return
        if self.size_bytes + len(data) > MOST_BYTES:
            self.left_out += 1
            return
        if name in self._header:
            return
        start, self.size_bytes = self.size_bytes, self.size_bytes + len(data)
        place = {"shape": json.loads(shape), "data_offsets": [start, self.size_bytes]}
        self._header[name] = {"dtype": TYPES[dtype], **place}
        self._data.append(bytes(data))

    def save(self, path: str) -> None:
        """Write the file."""
        header = json.dumps(self._header).encode()
        append(path, b"".join([len(header).to_bytes(8, "little"), header, *self._data]))
