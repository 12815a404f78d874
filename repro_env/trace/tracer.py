"""Start what a verify asks of this process: `REPRO_TRACE` names the folder that says what.

It must change no bit of what the user computes, and never end it: what fails is noted, and missed.
Until the surroundings are applied nothing is imported that could bind what they change.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from typing import Any

    from repro_env.trace.batches import Batches
    from repro_env.trace.closeup import CloseUp
    from repro_env.trace.optimizers import Optimizers
    from repro_env.trace.own import OwnSteps
    from repro_env.trace.recorder import Recorder


class Tracer:
    """Follows the libraries of this process, and its forks.

    Args:
        folder: The trace's, absolute.
        plan: What is wanted.
    """

    def __init__(self, folder: str, plan: dict[str, Any]) -> None:
        from repro_env.trace.recorder import Recorder

        self.recorder: Recorder = Recorder(folder)
        self.closeup: CloseUp | None = None
        self._optimizers: Optimizers | None = None
        self._batches: Batches | None = None
        self._steps: OwnSteps | None = None
        if plan.get("deep"):
            from repro_env.trace.closeup import CloseUp

            self.closeup = CloseUp(self.recorder, plan["deep"])

    def start(self) -> None:
        """Follow the imports and the forks to come."""
        from repro_env.imports import Follower

        os.register_at_fork(before=self.recorder.count_fork, after_in_child=self._begin_child)
        Follower(
            {
                "torch": self._follow_torch,
                "torch._dynamo": self._follow_compiler,
                "keras.callbacks": self._follow_fit,
                "keras.engine.training": self._follow_models,
            }
        ).start()

    def step(self, number: int, arrays: dict[str, object]) -> None:
        """Write what a program says of a step of its own; never raise."""
        try:
            self._own().step(number, arrays)
        except Exception as error:
            self.recorder.note("repro_env.step", error)

    def _begin_child(self) -> None:
        self.recorder.begin_child()
        if self.closeup is not None:
            self.closeup.forget()

    def _follow_torch(self) -> None:
        try:
            from repro_env.trace.optimizers import Optimizers

            self._optimizers = Optimizers(self.recorder, self.closeup)
            self._optimizers.start()
        except Exception as error:
            self.recorder.note("torch", error)

    def _follow_compiler(self) -> None:
        try:
            if self._optimizers is not None:
                self._optimizers.follow_compiler(sys.modules["torch._dynamo"])
        except Exception as error:
            self.recorder.note("torch's compiler", error)

    def _follow_fit(self) -> None:
        try:
            self._keras().follow_fit()
        except Exception as error:
            self.recorder.note("keras", error)

    def _follow_models(self) -> None:
        try:
            self._keras().follow_models()
        except Exception as error:
            self.recorder.note("keras", error)

    def _own(self) -> OwnSteps:
        if self._steps is None:
            from repro_env.trace.own import OwnSteps

            self._steps = OwnSteps(self.recorder, self.closeup)
        return self._steps

    def _keras(self) -> Batches:
        if self._batches is None:
            from repro_env.trace.batches import Batches

            self._batches = Batches(self.recorder, self.closeup)
        return self._batches


active: Tracer | None = None
_is_started = False


def start(folder: str) -> None:
    """Do what the folder's plan says; nothing where there is none.

    Called again, it does nothing: in a virtual environment `site` runs every `.pth` file twice.
    """
    global _is_started
    if _is_started:
        return
    _is_started = True
    folder = os.path.abspath(folder)  # noqa: PTH100  # pathlib binds what is about to be changed
    try:
        _start(folder)
    except Exception as error:
        _note(folder, error)


def _start(folder: str) -> None:
    global active
    import json

    with open(f"{folder}/plan.json", encoding="utf-8") as file:  # noqa: PTH123
        plan = json.load(file)
    from repro_env.trace import surroundings

    surroundings.apply(plan)
    from repro_env.trace import reads

    reads.start(folder)
    if plan.get("steps") or plan.get("deep"):
        active = Tracer(folder, plan)
        active.start()


def _note(folder: str, error: Exception) -> None:
    try:
        from repro_env.trace.recorder import Recorder

        Recorder(folder).note("the start", error)
    except Exception as other:  # not even that: the reader will miss the stream
        del other
