"""PyTorch: an entry after each step of each optimizer.

Nothing is drawn, no graph is changed, and no tensor is kept alive.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from weakref import ref

import torch
from torch.optim import optimizer as torchs

from repro_env.trace import names, states
from repro_env.trace.calls import Calls, Named
from repro_env.trace.losses import Losses, is_capturing
from repro_env.trace.recorder import Entry, Recorder
from repro_env.trace.tensors import Tensors

if TYPE_CHECKING:
    from repro_env.trace.closeup import CloseUp

FRAMES = 16  # between a step and the one that calls it, at most


class Followed:
    """What is known of one optimizer."""

    def __init__(self, source: str, optimizer: Any) -> None:
        self.source = source
        self.optimizer = ref(optimizer)
        self.step = 0
        self._known: list[int] = []

    def look(self, optimizer: Any) -> tuple[Named, Named, Named]:
        """Return the buffers, gradients and parameters as they are now.

        Their names are looked for where the list of parameters is another than last time.
        """
        parameters = [one for group in optimizer.param_groups for one in group["params"]]
        known = list(map(id, parameters))
        if known != self._known:
            self._find_names(optimizer)
            self._known = known
        buffers = [one.tensor() for one in self._buffers]
        gradients = [one.grad for one in parameters]
        return (
            _present(self._buffer_names, buffers),
            _present(self._gradient_names, gradients),
            (self._parameter_names, parameters),
        )

    def _find_names(self, optimizer: Any) -> None:
        found = names.of(optimizer)
        self._buffers = found.buffers
        self._buffer_names = [f"buffer {one.name}" for one in found.buffers]
        self._gradient_names = [f"gradient {name}" for name in found.parameters]
        self._parameter_names = [f"parameter {name}" for name in found.parameters]


class Optimizers:
    """Follows all optimizers of this process.

    Args:
        recorder: Where entries go.
        closeup: What looks closely at one of them; None where nobody asked.
    """

    def __init__(self, recorder: Recorder, closeup: CloseUp | None) -> None:
        self._recorder = recorder
        self._closeup = closeup
        self._tensors = Tensors(recorder.hash)
        self._losses = Losses(self._tensors, recorder, self._begin_backward)
        self._followed: dict[int, Followed] = {}
        self._counts: dict[str, int] = {}
        self._calls: Calls | None = None
        self._compiler: Any = None  # until it has done what is undone here

    def start(self) -> None:
        """Be told of each step and each `backward` to come."""
        self._handle = torchs.register_optimizer_step_post_hook(self._stepped)
        self._losses.start()
        if self._closeup is not None:
            self._calls = Calls(self._tensors, self._recorder, self._begin_step)
            self._closeup.follow_torch(self._calls)

    def _begin_step(self) -> tuple[Named, Named]:
        """Return what a step begins with; before the first, of all that there is."""
        for followed in list(self._followed.values()):
            optimizer = followed.optimizer()
            is_it = self._closeup is not None and followed.source == self._closeup.source
            if is_it and optimizer is not None:
                buffers, _, parameters = followed.look(optimizer)
                return buffers, parameters
        named, found = names.of_all()
        parameters = [f"parameter {name}" for name, _ in named], [one for _, one in named]
        return (
            _present([f"buffer {one.name}" for one in found], [one.tensor() for one in found]),
            parameters,
        )

    def _begin_backward(self) -> None:
        try:
            if self._calls is not None:
                self._calls.begin_backward()
            if self._compiler is not None:
                self._hook_again(self._compiler)
        except Exception as error:
            self._recorder.note("the beginning of a step", error)

    def follow_compiler(self, compiler: Any) -> None:
        """Keep the compiler, imported just now, out of what is ours."""
        self._compiler = compiler
        torchs._global_optimizer_post_hooks[self._handle.id] = compiler.disable(self._stepped)
        torch.autograd.backward = compiler.disable(torch.autograd.backward)

    def _hook_again(self, compiler: Any) -> None:
        """Undo that the compiler of torch 2.0 takes the hooks of all optimizers away.

        Source:
            https://github.com/pytorch/pytorch/blob/v2.0.1/torch/_dynamo/eval_frame.py (`patch`)
        """
        if not compiler.eval_frame.TorchPatcher.patch.cache_info().currsize:
            return  # it is imported, and nothing is compiled yet
        self._compiler = None
        for kind in list(vars(torch.optim).values()):
            if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
                _hook(kind)

    def _stepped(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        del args, kwargs
        try:
            if not _is_inner(optimizer) and not is_capturing():
                with torch._C.DisableTorchFunction():
                    self._write(optimizer)
        except Exception as error:
            self._recorder.note("a step", error)

    def _write(self, optimizer: Any) -> None:
        followed = self._follow(optimizer)
        buffers, gradients, parameters = followed.look(optimizer)
        followed.step += 1
        entry = Entry()
        states.add(entry, self._recorder.hash)
        entry.extend(buffers[0], self._tensors.digest(buffers[1]))
        loss = self._losses.last()
        if loss is not None:
            entry.extend(loss.names, loss.found)
            entry.loss = loss.value
        for own, tensors in (gradients, parameters):
            entry.extend(own, self._tensors.digest(tensors))
        self._recorder.write(followed.source, followed.step, entry)
        if self._closeup is not None and self._calls is not None:
            if self._closeup.is_wanted(followed.source, followed.step):
                self._calls.keep(gradients)
                self._calls.keep(parameters)
            self._closeup.entered(followed.source, followed.step, entry)

    def _follow(self, optimizer: Any) -> Followed:
        """Return what is known of an optimizer: by its class, and a number from the second on."""
        found = self._followed.get(id(optimizer))
        if found is None or found.optimizer() is not optimizer:  # another one lay there
            kind = type(optimizer).__name__
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            found = Followed(kind if count == 1 else f"{kind} {count}", optimizer)
            self._followed[id(optimizer)] = found
        return found


def _present(own: list[str], tensors: list[Any]) -> Named:
    """Return names and tensors without those that are not there."""
    if None not in map(_none, tensors):
        return own, tensors
    pairs = [(name, one) for name, one in zip(own, tensors) if one is not None]
    return [name for name, _ in pairs], [one for _, one in pairs]


def _none(tensor: Any) -> Any:
    return None if tensor is None else True  # never ask a tensor whether it equals None


def _hook(kind: Any) -> None:
    """Have an optimizer's class call the hooks of its steps, where it doesn't."""
    template = torch.optim.Optimizer.profile_hook_step(lambda _: None)
    step = kind.step
    if getattr(step, "hooked", False) and step.__code__ is not template.__code__:
        kind.step = torch.optim.Optimizer.profile_hook_step(step)
        kind.step.hooked = True


def _is_inner(optimizer: Any) -> bool:
    """Say whether this step is called by the same optimizer's own: by that of a subclass."""
    frame: Any = sys._getframe(2)
    found = []
    for _ in range(FRAMES):
        if frame.f_code.co_name == "wrapper" and frame.f_code.co_filename == torchs.__file__:
            found.append(frame)  # what calls the hooks of a step
        frame = frame.f_back
        if frame is None:
            break
    return any(outer.f_locals.get("self") is optimizer for outer in found[1:])
