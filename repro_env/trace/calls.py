"""PyTorch during a close look: what the step begins with, and each call of a module.

A module is called through `torch.nn.Module.__call__`, which is another one while somebody looks.
Global hooks would do, but the compiler warns the user of them, and they see no keywords before 2.1.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch

from repro_env.trace import names
from repro_env.trace.losses import is_capturing, is_compiling
from repro_env.trace.recorder import Entry, Recorder
from repro_env.trace.tensors import Tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from repro_env.trace.closeup import CloseUp

Named = tuple[list[str], list[Any]]  # names and tensors, side by side
NUMBERS = (bool, int, float, complex, str, type(None))


class Calls:
    """Sees the calls of modules for a close look.

    Args:
        tensors: What digests.
        recorder: For notes.
        start_of: Returns the buffers and the parameters that the step begins with.
    """

    def __init__(
        self, tensors: Tensors, recorder: Recorder, start_of: Callable[[], tuple[Named, Named]]
    ) -> None:
        self._tensors = tensors
        self._recorder = recorder
        self._start_of = start_of
        self._look: CloseUp | None = None
        self._plain: Any = None  # what calls a module while nobody looks

    def start(self, look: CloseUp) -> None:
        """See all calls of modules, for this look."""
        self._look = look
        self._is_begun = False
        self._begun = 0  # calls so far
        self._names: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        plain = self._plain = torch.nn.Module.__call__

        @functools.wraps(plain)
        def call(module: Any, *args: Any, **kwargs: Any) -> Any:
            if is_compiling():
                return plain(module, *args, **kwargs)
            seen = self._before(args, kwargs)
            output = plain(module, *args, **kwargs)
            if seen is not None:
                self._after(module, seen, output)
            return output

        torch.nn.Module.__call__ = call

    def stop(self) -> None:
        """Have modules called as ever."""
        if self._plain is not None:
            torch.nn.Module.__call__ = self._plain
        self._plain = self._look = None

    def begin_backward(self) -> None:
        """Keep the parameters' digests once more: all calls are made."""
        look = self._look
        if look is None or is_compiling() or is_capturing():
            return
        with torch._C.DisableTorchFunction():
            self._begin(look)
            own, parameters = self._start_of()[1]
            found = Entry()
            found.extend(own, self._tensors.digest(parameters))
            look.add_backward(found)

    def keep(self, named: Named, prefix: str = "") -> None:
        """Keep copies of tensors, by their names."""
        look = self._look
        for name, tensor in zip(*named):
            if look is not None:
                self._keep(look, f"{prefix}{name}", tensor)

    def _keep(self, look: CloseUp, name: str, tensor: Any) -> None:
        try:
            kind = self._tensors.facts(tensor).kind
            (data,) = self._tensors.parts(tensor)
            look.values.add(name, kind, data)
        except Exception as error:  # sparse, freed, or of no bytes: its digest says all there is
            del error

    def _begin(self, look: CloseUp) -> None:
        if self._is_begun:
            return
        self._is_begun = True
        self._names = names.of_modules()
        entry = Entry()
        for named in self._start_of():
            entry.extend(named[0], self._tensors.digest(named[1]))
            self.keep(named, "start: ")
        look.add_start(entry)

    def _before(self, args: Any, kwargs: Any) -> tuple[int, list[list[str]]] | None:
        """Return the call's number and the digests of its inputs; None where nobody looks."""
        look = self._look
        if look is None or is_capturing():
            return None
        try:
            with torch._C.DisableTorchFunction():
                self._begin(look)
                self._begun += 1
                return self._begun, [*self._digest(args), *self._digest(kwargs)]
        except Exception as error:
            self._recorder.note("a module's inputs", error)
            return None

    def _after(self, module: Any, seen: tuple[int, list[list[str]]], output: Any) -> None:
        try:
            if self._look is not None:
                with torch._C.DisableTorchFunction():
                    self._add(self._look, module, seen, output)
        except Exception as error:
            self._recorder.note("a module's outputs", error)

    def _add(
        self, look: CloseUp, module: Any, seen: tuple[int, list[list[str]]], output: Any
    ) -> None:
        name = self._names.get(id(module), f"another {type(module).__name__}")
        self._counts[name] += 1
        which = f"{name}, call {self._counts[name]}" if self._counts[name] > 1 else name
        for path, tensor in _flat(output):
            if _is_tensor(tensor):
                self._keep(look, f"output{path} of {which}", tensor)
        line = {"at": "call", "module": which, "class": type(module).__name__, "begun": seen[0]}
        look.add({**line, "inputs": seen[1], "outputs": self._digest(output)})

    def _digest(self, value: Any) -> list[list[str]]:
        rows = []
        for path, one in _flat(value):
            if _is_tensor(one):
                (kind,), (digest,) = self._tensors.digest([one])
            else:
                kind = type(one).__name__
                digest = self._tensors.hash.of(repr(one).encode(), self._tensors.hash.salt(kind))
            rows.append([path.strip(), kind, digest.hex()])
        return rows


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield tensors and numbers, wherever in lists and dictionaries, each with its place."""
    if _is_tensor(value) or type(value) in NUMBERS:
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _flat(one, f"{path} {name}")
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from _flat(one, f"{path} {number}")


def _is_tensor(value: Any) -> bool:
    return issubclass(type(value), torch.Tensor)
