"""What a program hands to `repro_env.step`: numbers and arrays of any library, in any nesting.

No library is imported for it: an array's own has been by whoever made it.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from repro_env.trace.digests import Hash


class Seen(NamedTuple):
    """One array or number, digested.

    Args:
        name: Where it is: `loss`, `weights.0`.
        kind: Its type and shape.
        digest: Of both, and its bytes.
        value: The number, where it is one; None elsewhere.
    """

    name: str
    kind: str
    digest: bytes
    value: float | None


class Arrays:
    """Digests what is handed over; keeps none of it."""

    def __init__(self, chosen: Hash) -> None:
        self._hash = chosen
        self._tensors: Any = None
        self._salts: dict[str, Any] = {}

    def look(self, name: str, value: Any) -> Iterator[Seen]:
        """Yield each array and number in a value; never raise."""
        if isinstance(value, dict):
            for key, one in value.items():
                yield from self.look(f"{name}.{key}", one)
        elif isinstance(value, (list, tuple)):
            if value and all(type(one) in NUMBERS for one in value):
                yield self._see(name, f"list [{len(value)}]", _all_packed(value), None)
                return
            for number, one in enumerate(value):
                yield from self.look(f"{name}.{number}", one)
        else:
            yield self._attempt(name, value)

    def _attempt(self, name: str, value: Any) -> Seen:
        try:
            return self._look(name, value)
        except Exception as error:
            kind = f"{type(value).__name__}, unreadable: {type(error).__name__}"
            return self._see(name, kind, b"", None)

    def _look(self, name: str, value: Any) -> Seen:
        if value is None or type(value) in NUMBERS or isinstance(value, (str, bytes)):
            return self._see(name, type(value).__name__, _packed(value), _number(value))
        torch: Any = sys.modules.get("torch")
        if torch is not None and issubclass(type(value), torch.Tensor):
            return self._look_at_tensor(name, value)
        return self.of_numpy(name, as_numpy(value))

    def of_numpy(self, name: str, array: Any) -> Seen:
        """Return what is seen of an array of NumPy's.

        Raises:
            TypeError: It holds objects, which have no bytes of their own.
        """
        if array.dtype.hasobject:
            raise TypeError("objects")
        kind = f"{array.dtype} {list(array.shape)}"
        is_number = array.size == 1 and array.dtype.kind in "biuf"
        return self._see(name, kind, bytes_of(array), float(array.item()) if is_number else None)

    def _see(self, name: str, kind: str, data: Any, value: float | None) -> Seen:
        if kind not in self._salts:
            self._salts[kind] = self._hash.salt(kind)
        return Seen(name, kind, self._hash.of(data, self._salts[kind]), value)

    def _look_at_tensor(self, name: str, tensor: Any) -> Seen:
        from repro_env.trace.losses import number_of
        from repro_env.trace.tensors import Tensors

        self._tensors = self._tensors or Tensors(self._hash)
        (kind,), (digest,) = self._tensors.digest([tensor.detach()])
        return Seen(name, kind, digest, number_of(tensor))


NUMBERS = (bool, int, float, complex)


def as_numpy(value: Any) -> Any:
    """Return an array of another library as NumPy's: without a copy, where there is a way.

    Raises:
        TypeError: It is no array.
    """
    if hasattr(value, "read_value"):  # a variable of TensorFlow's
        from tensorflow.python.eager import tape

        with tape.stop_recording():  # or a tape would count it among what was read
            value = value.read_value()
    if hasattr(value, "_numpy"):
        return value._numpy()
    if not hasattr(value, "__array__"):
        raise TypeError("no array")
    import numpy

    return numpy.asarray(value)


def bytes_of(array: Any) -> Any:
    """Return a buffer over an array's bytes in C order."""
    if array.flags.c_contiguous and array.dtype.kind in "biufc":
        return array.data if array.size else b""
    return array.tobytes()  # types from elsewhere, such as bfloat16, have no buffer


def _all_packed(values: Any) -> bytes:
    """Return several values, each after its length: 1, 23 are not 12, 3."""
    packed = [_packed(one) for one in values]
    return b"".join(struct.pack("<q", len(one)) + one for one in packed)


def _packed(value: Any) -> bytes:
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, bytes):
        return value
    return repr(value).encode(errors="backslashreplace")


def _number(value: Any) -> float | None:
    try:
        return float(value) if type(value) in (bool, int, float) else None
    except OverflowError:
        return None
