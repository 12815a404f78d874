"""An entry for each call of `repro_env.step`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from repro_env.trace import states
from repro_env.trace.arrays import Arrays, as_numpy, bytes_of
from repro_env.trace.recorder import Entry, Recorder

if TYPE_CHECKING:
    from repro_env.trace.closeup import CloseUp

SOURCE = "step"


class OwnSteps:
    """Follows the steps that a program names itself.

    A close look holds what the call was given, and nothing of before it: nobody knows which number
    comes next.

    Args:
        recorder: Where entries go.
        closeup: What looks closely at one of them; None where nobody asked.
    """

    def __init__(self, recorder: Recorder, closeup: CloseUp | None) -> None:
        self._recorder = recorder
        self._closeup = closeup
        self._arrays = Arrays(recorder.hash)
        self._counts: Counter[int] = Counter()

    def step(self, number: int, arrays: dict[str, Any]) -> None:
        """Write an entry.

        Args:
            number: As the program counts.
            arrays: By its names.
        """
        entry = Entry()
        states.add(entry, self._recorder.hash)
        for name, value in arrays.items():
            for seen in self._arrays.look(name, value):
                entry.add(f"array {seen.name}", seen.kind, seen.digest)
                if seen.value is not None:
                    entry.values[seen.name] = seen.value
        self._recorder.write(SOURCE, number, entry)
        before = self._counts[number]
        self._counts[number] += 1
        if self._closeup is not None:
            self._look(self._closeup, number, before, entry, arrays)

    def _look(
        self, look: CloseUp, number: int, before: int, entry: Entry, arrays: dict[str, Any]
    ) -> None:
        if look.is_next(SOURCE, number) and look.number == before:
            look.open()
            for name, value in arrays.items():
                self._keep(look, name, value)
            look.entered(SOURCE, number, entry)

    def _keep(self, look: CloseUp, name: str, value: Any) -> None:
        if isinstance(value, dict):
            value = list(value.items())
        elif isinstance(value, (list, tuple)):
            value = list(enumerate(value))
        else:
            self._keep_array(look, name, value)
            return
        for key, one in value:
            self._keep(look, f"{name}.{key}", one)

    def _keep_array(self, look: CloseUp, name: str, value: Any) -> None:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
        if hasattr(value, "__array__") or hasattr(value, "_numpy"):
            array = as_numpy(value)
            look.values.add(f"array {name}", f"{array.dtype} {list(array.shape)}", bytes_of(array))
