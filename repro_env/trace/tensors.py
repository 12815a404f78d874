"""Digests of PyTorch's tensors, read where they lie: no copy of what is contiguous on the CPU.

A digest covers the type, the shape and the bytes in C order, whatever the strides. What has no
bytes of its own (on the device `meta`, or freed) is digested by its kind alone, which says so.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple

import torch

from repro_env.trace.digests import Hash

MOST_VIEWS = 1024
PLAIN = {torch.Tensor, torch.nn.Parameter}


class Facts(NamedTuple):
    """What all tensors of one type and shape share.

    Args:
        kind: Both in words.
        salt: Of their digests.
        buffer: The ctypes type of their bytes; None where those don't say all.
        views: By address, views of as many bytes: to make one takes longer than most digests.
    """

    kind: str
    salt: Any
    buffer: Any
    views: dict[int, Any]

    def view(self, pointer: int) -> Any:
        """Return a new view of the bytes at an address, and keep it for the next step."""
        if len(self.views) >= MOST_VIEWS:
            self.views.clear()
        view = self.views[pointer] = self.buffer.from_address(pointer)
        return view


class Tensors:
    """Digests tensors; keeps none of them."""

    def __init__(self, chosen: Hash) -> None:
        self.hash = chosen
        self._facts: dict[Any, Facts] = {}

    def digest(self, tensors: list[Any]) -> tuple[list[str], list[bytes]]:
        """Return the kinds and the digests; never raise."""
        kinds: list[str] = []
        digests: list[bytes] = []
        known, of, strided = self._facts, self.hash.of, torch.strided
        for tensor in tensors:
            facts = known.get((tensor.dtype, tensor.shape)) if type(tensor) in PLAIN else None
            # Each of these counts: there may be hundreds of tensors.
            if (
                facts is not None
                and facts.buffer is not None
                and tensor.is_cpu
                and tensor.layout is strided
                and not tensor.storage_offset()
                and tensor.is_contiguous()
                and not tensor.is_neg()
                and (pointer := tensor.data_ptr())
            ):
                view = facts.views.get(pointer)
                if view is None:
                    view = facts.view(pointer)
                kinds.append(facts.kind)
                digests.append(of(view, facts.salt))
            else:
                kind, digest = self._digest_any(tensor)
                kinds.append(kind)
                digests.append(digest)
        return kinds, digests

    def _digest_any(self, tensor: Any) -> tuple[str, bytes]:
        kind = "unreadable"
        try:
            facts = self.facts(tensor)
            kind = facts.kind
            parts = [self.hash.of(data, facts.salt) for data in self.parts(tensor)]
            whole = parts[0] if len(parts) == 1 else self.hash.of(b"".join(parts), facts.salt)
        except Exception as error:
            kind = f"{kind}, unreadable: {type(error).__name__}"
            return kind, self.hash.of(b"", self.hash.salt(kind))
        return kind, whole

    def facts(self, tensor: Any) -> Facts:
        """Return what is known of a tensor's type and shape."""
        key = tensor.dtype, tensor.shape
        if type(tensor) not in PLAIN or tensor.layout is not torch.strided or tensor.is_meta:
            return self._describe(tensor, _notes(tensor))
        if key not in self._facts:
            self._facts[key] = self._describe(tensor, "")
        return self._facts[key]

    def _describe(self, tensor: Any, notes: str) -> Facts:
        dtype, shape = tensor.dtype, list(tensor.shape)
        kind = f"{str(dtype).partition('.')[2]} {shape}{notes}"
        size = math.prod(shape) * tensor.element_size()
        is_whole = not (notes or dtype.is_complex or tensor.is_quantized)
        buffer = ctypes.c_char * size if is_whole else None
        return Facts(kind, self.hash.salt(kind), buffer, {})

    def parts(self, tensor: Any) -> list[Any]:
        """Return a tensor's bytes: of each of its parts, where it has several."""
        if type(tensor) not in PLAIN and hasattr(tensor, "__tensor_flatten__"):
            inner, _ = tensor.__tensor_flatten__()
            found = [getattr(tensor, name) for name in inner]
            return [data for part in found for data in self.parts(part)]
        if tensor.is_meta:
            return [b""]
        if tensor.layout is not torch.strided:
            return [data for part in _sparse_parts(tensor) for data in self.parts(part)]
        if tensor.is_quantized:
            return [*self.parts(tensor.int_repr()), repr(_scales(tensor)).encode()]
        return [_bytes_of(tensor)]


def _bytes_of(tensor: Any) -> Any:
    """Return a buffer over the bytes of a strided tensor, which keeps what it reads alive."""
    size = tensor.element_size()
    strides = zip(tensor.shape, tensor.stride())
    last = sum((length - 1) * stride for length, stride in strides)
    count = tensor.numel()
    if not count:
        return b""
    if tensor.untyped_storage().nbytes() < (tensor.storage_offset() + last + 1) * size:
        raise ValueError("its memory is freed")  # to read there would end the process
    with torch._C.DisableTorchFunction():
        here = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    if type(here) is not torch.Tensor or here.is_meta or not here.data_ptr():
        raise TypeError("it holds nothing")  # such as the compiler's own, or of a foreign class
    buffer = (ctypes.c_char * (count * size)).from_address(here.data_ptr())
    vars(buffer)["owner"] = here
    return buffer


def _sparse_parts(tensor: Any) -> list[Any]:
    """Return the tensors that a sparse one consists of, as they lie."""
    if tensor.layout is torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    for names in (("crow_indices", "col_indices"), ("ccol_indices", "row_indices")):
        try:
            return [*(getattr(tensor, name)() for name in names), tensor.values()]
        except RuntimeError:  # compressed along the other dimension, or not at all
            continue
    return [tensor.to_dense()]


def _scales(tensor: Any) -> Any:
    scheme = tensor.qscheme()
    if scheme in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return str(scheme), tensor.q_scale(), tensor.q_zero_point()
    scales, zeros = tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()
    return str(scheme), scales.tolist(), zeros.tolist(), tensor.q_per_channel_axis()


def _notes(tensor: Any) -> str:
    """Return what sets a tensor apart, beyond its type and its shape."""
    words = [] if type(tensor) in PLAIN else [type(tensor).__name__]
    if tensor.layout is not torch.strided:
        words.append(str(tensor.layout).partition(".")[2])
    if tensor.is_meta:
        words.append("meta")
    return "".join(f", {word}" for word in words)
