"""Keras, as it is in TensorFlow 2.9: an entry after each batch that a model is trained on.

The gradients live inside the compiled step, which stays as it is: the optimizer's slots, such as
momentum, stand for them. Variables are read as the program itself could read them, outside of any
graph, so that no operation gets another seed.
"""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from repro_env.trace import states
from repro_env.trace.arrays import Arrays, as_numpy, bytes_of
from repro_env.trace.recorder import Entry, Recorder

if TYPE_CHECKING:
    from repro_env.trace.closeup import CloseUp

BEFORE_LOSS, AFTER_LOSS = ("buffer",), ("optimizer", "parameter")  # as one follows from another
RUNNING = "loss (mean of the epoch so far)"  # what `fit` knows


class Batches:
    """Follows all models of this process.

    Args:
        recorder: Where entries go.
        closeup: What looks closely at one of them; None where nobody asked.
    """

    def __init__(self, recorder: Recorder, closeup: CloseUp | None) -> None:
        self._recorder = recorder
        self._closeup = closeup
        self._arrays = Arrays(recorder.hash)
        self._followed: dict[tuple[str, int], Followed] = {}
        self._counts: Counter[str] = Counter()

    def follow_fit(self) -> None:
        """Hear of each batch of `fit`: where its callbacks do, and as none of them."""
        lists: Any = sys.modules["keras.callbacks"].CallbackList
        begin, end = lists.on_train_batch_begin, lists.on_train_batch_end

        @functools.wraps(begin)
        def on_train_batch_begin(this: Any, *args: Any, **kwargs: Any) -> Any:
            result = begin(this, *args, **kwargs)
            self._begins("fit", getattr(this, "model", None))
            return result

        @functools.wraps(end)
        def on_train_batch_end(this: Any, batch: Any, logs: Any = None) -> Any:
            result = end(this, batch, logs)
            self._ended("fit", getattr(this, "model", None), lambda: _numbers_of(logs))
            return result

        lists.on_train_batch_begin = on_train_batch_begin
        lists.on_train_batch_end = on_train_batch_end

    def follow_models(self) -> None:
        """Hear of each `train_on_batch`."""
        models: Any = sys.modules["keras.engine.training"].Model
        train = models.train_on_batch

        @functools.wraps(train)
        def train_on_batch(this: Any, *args: Any, **kwargs: Any) -> Any:
            self._begins("train_on_batch", this)
            result = train(this, *args, **kwargs)
            self._ended("train_on_batch", this, lambda: _numbers_in(this, result))
            return result

        models.train_on_batch = train_on_batch

    def _begins(self, source: str, model: Any) -> None:
        closeup = self._closeup
        if closeup is None or model is None:
            return
        try:
            followed = self._follow(source, model)
            if closeup.is_next(followed.source, followed.step + 1):
                closeup.open()
                entry = Entry()
                self._add_variables(entry, model, "start: ", (*BEFORE_LOSS, *AFTER_LOSS))
                closeup.add_start(entry)
        except Exception as error:
            self._recorder.note("the beginning of a batch", error)

    def _ended(self, source: str, model: Any, numbers: Callable[[], dict[str, float]]) -> None:
        if model is None:
            return
        try:
            followed = self._follow(source, model)
            followed.step += 1
            self._write(followed, model, numbers())
        except Exception as error:
            self._recorder.note("a batch", error)

    def _write(self, followed: Followed, model: Any, numbers: dict[str, float]) -> None:
        entry = Entry()
        states.add(entry, self._recorder.hash)
        is_wanted = self._closeup is not None and self._closeup.is_wanted(
            followed.source, followed.step
        )
        keep = "" if is_wanted else None
        self._add_variables(entry, model, keep, BEFORE_LOSS)
        self._add_loss(entry, followed.source, numbers)
        self._add_variables(entry, model, keep, AFTER_LOSS)
        self._recorder.write(followed.source, followed.step, entry)
        if self._closeup is not None:
            self._closeup.entered(followed.source, followed.step, entry)

    def _add_loss(self, entry: Entry, source: str, numbers: dict[str, float]) -> None:
        loss = numbers.pop("loss", None)
        if loss is not None:
            name = RUNNING if source.startswith("fit") else "loss"
            found = next(self._arrays.look(name, loss))
            entry.add(name, found.kind, found.digest)
            entry.loss = float(loss)
        entry.values = numbers

    def _add_variables(
        self, entry: Entry, model: Any, keep: str | None, parts: tuple[str, ...]
    ) -> None:
        """Append some variables; keep their values, where asked, by names that begin so."""
        for name, variable in _named(model, parts):
            array = as_numpy(variable)
            found = self._arrays.of_numpy(name, array)
            entry.add(name, found.kind, found.digest)
            if keep is not None and self._closeup is not None:
                self._closeup.values.add(f"{keep}{name}", found.kind, bytes_of(array))

    def _follow(self, source: str, model: Any) -> Followed:
        """Return what is known of a model: numbered from the second on that is trained so."""
        found = self._followed.get((source, id(model)))
        if found is None or found.model() is not model:  # another one lay there
            self._counts[source] += 1
            count = self._counts[source]
            found = Followed(source if count == 1 else f"{source} {count}", model)
            self._followed[source, id(model)] = found
        return found


class Followed:
    """What is known of one model."""

    def __init__(self, source: str, model: Any) -> None:
        self.source = source
        self.model = ref(model)
        self.step = 0


def _named(model: Any, parts: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Return a model's variables of some kinds, with their names."""
    variables: dict[str, Callable[[], Any]] = {
        "buffer": lambda: model.non_trainable_weights,
        "optimizer": lambda: _slots(getattr(model, "optimizer", None)),
        "parameter": lambda: model.trainable_weights,
    }
    seen: Counter[str] = Counter()
    found = []
    for part in parts:
        for variable in variables[part]():
            name = f"{part} {variable.name.partition(':')[0]}"
            seen[name] += 1
            found.append((name if seen[name] == 1 else f"{name} ({seen[name]})", variable))
    return found


def _slots(optimizer: Any) -> list[Any]:
    slots = getattr(optimizer, "variables", ())
    return list(slots() if callable(slots) else slots)


def _numbers_of(logs: Any) -> dict[str, float]:
    items = logs.items() if isinstance(logs, dict) else ()
    return {
        name: float(as_numpy(value) if hasattr(value, "_numpy") else value) for name, value in items
    }


def _numbers_in(model: Any, result: Any) -> dict[str, float]:
    """Return what `train_on_batch` returns, by its names: the loss comes first."""
    if isinstance(result, dict):
        return _numbers_of(result)
    several = result if isinstance(result, (list, tuple)) else [result]
    return {name: float(value) for name, value in zip(model.metrics_names, several)}
