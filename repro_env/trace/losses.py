"""PyTorch's loss: the tensor whose `backward` ended last in a thread.

It is digested at once where that needs no waiting; on another device, with the step that follows.
`torch.Tensor.backward` calls `torch.autograd.backward`, in all versions since 2.0.
"""

from __future__ import annotations

import functools
from threading import local
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from repro_env.trace.recorder import Recorder
    from repro_env.trace.tensors import Tensors

TRIALS = ("FakeTensorMode", "FunctionalTensorMode", "ProxyTorchDispatchMode")  # the compiler's
LARGE = 2**16  # elements: of a tensor on another device, too many to keep until the step


class Loss(NamedTuple):
    """A loss, digested.

    Args:
        names: Of its column; of several, where `backward` was called on several tensors.
        found: Their kinds and digests.
        value: The number, where it is one.
    """

    names: list[str]
    found: tuple[list[str], list[bytes]]
    value: float | None


class Losses:
    """Keeps the last loss of each thread.

    Args:
        tensors: What digests.
        recorder: For notes.
        begins: Called before each `backward`; must not raise.
    """

    def __init__(self, tensors: Tensors, recorder: Recorder, begins: Callable[[], None]) -> None:
        self._tensors = tensors
        self._recorder = recorder
        self._begins = begins
        self._thread = local()

    def start(self) -> None:
        """Hear of each `backward` to come."""
        run = torch.autograd.backward

        @functools.wraps(run)
        def backward(*args: Any, **kwargs: Any) -> Any:
            self._begins()
            result = run(*args, **kwargs)
            self._ended(args[0] if args else kwargs.get("tensors"))
            return result

        torch.autograd.backward = backward

    def last(self) -> Loss | None:
        """Return the last loss of this thread; None if there is none."""
        found = getattr(self._thread, "loss", None)
        if isinstance(found, list):
            found = self._thread.loss = self._digest(found)
        return found

    def _ended(self, given: Any) -> None:
        try:
            if not is_compiling() and not is_capturing():
                with torch._C.DisableTorchFunction():
                    self._thread.loss = self._seen(given)
        except Exception as error:
            self._recorder.note("the loss", error)

    def _seen(self, given: Any) -> list[Any] | Loss:
        several = list(given) if isinstance(given, (list, tuple)) else [given]
        tensors = [one.detach() for one in several if issubclass(type(one), torch.Tensor)]
        is_near = all(one.is_cpu or one.numel() > LARGE for one in tensors)
        return self._digest(tensors) if is_near else tensors

    def _digest(self, tensors: list[Any]) -> Loss:
        is_one = len(tensors) == 1
        names = ["loss"] if is_one else [f"loss {number}" for number in range(len(tensors))]
        value = number_of(tensors[0]) if is_one else None
        return Loss(names, self._tensors.digest(tensors), value)


def number_of(tensor: Any) -> float | None:
    """Return the number that a tensor of one element holds; None of any other."""
    if tensor.numel() != 1 or tensor.is_meta or tensor.dtype.is_complex:
        return None
    return float(tensor.item())


def is_capturing() -> bool:
    """Say whether CUDA records a graph: to copy anything then would break that."""
    return bool(torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing())


def is_compiling() -> bool:
    """Say whether the compiler reads this, or tries it out on tensors that hold nothing.

    To it we are not there; it takes the first answer for a constant, and reads no further.
    """
    if _is_read():
        return True
    mode = _get_current_dispatch_mode()
    return mode is not None and type(mode).__name__ in TRIALS


def _is_read() -> bool:
    if hasattr(torch, "compiler") and hasattr(torch.compiler, "is_compiling"):
        return bool(torch.compiler.is_compiling())
    return bool(torch._utils.is_compiling())
