"""A close look at one step: from the end of the entry before it until its own.

It holds what the step began with, each call of a module with its inputs and outputs, and what the
step's entry holds. `.deep.jsonl` has the digests in their order, `.deep.safetensors` the values.
Nothing is hooked, and nothing copied, before the entry that the wanted one follows.

Calls inside of compiled code are not seen, nor those of Keras's layers.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from repro_env.trace import states
from repro_env.trace.recorder import FORMAT, Entry, Recorder, append
from repro_env.trace.values import Values


class Hooks(Protocol):
    """What hooks a library for as long as somebody looks."""

    def start(self, look: CloseUp) -> None:
        """Hook it, for this look."""

    def stop(self) -> None:
        """Take the hooks out again."""


class CloseUp:
    """Looks closely at one step of one process.

    Args:
        recorder: This process's.
        wanted: The plan's: place, source, step and number.
    """

    def __init__(self, recorder: Recorder, wanted: dict[str, Any]) -> None:
        self._recorder = recorder
        self._wanted = wanted
        self.source: str = wanted["source"]
        self.number: int = wanted.get("number", 0)  # how many such entries come before
        self._calls: Hooks | None = None
        self._lines: list[dict[str, Any]] = []
        self._is_done = False
        self.is_open = False
        self.values = Values()

    def forget(self) -> None:
        """Be a fork: what was seen is the parent's."""
        self._close()

    def is_next(self, source: str, step: int) -> bool:
        """Say whether the wanted entry follows if this step of this source does."""
        wanted = self._wanted
        is_it = (source, step) == (wanted["source"], wanted["step"])
        return is_it and not self._is_done and self._recorder.place() == wanted["place"]

    def follow_torch(self, calls: Hooks) -> None:
        """Know PyTorch from now on; open where the first step is wanted."""
        self._calls = calls
        if self.is_next(self._wanted["source"], 1) and self._wanted["source"] not in OTHERS:
            self.open()

    def open(self) -> None:
        """Look from now on, and forget what was seen before."""
        self._close()
        self.is_open = True
        if self._calls is not None:
            self._calls.start(self)

    def add(self, line: dict[str, Any]) -> None:
        """Append what was seen."""
        self._lines.append(line)

    def add_start(self, entry: Entry) -> None:
        """Append what the step begins with; the states of the generators come first."""
        begun = Entry()
        states.add(begun, self._recorder.hash)
        begun.extend(entry.names, (entry.kinds, entry.digests))
        self.add({"at": "start", "of": rows(begun)})

    def add_backward(self, entry: Entry) -> None:
        """Append what `backward` begins with; of several in one step, the last one."""
        self._lines = [line for line in self._lines if line.get("at") != "backward"]
        self.add({"at": "backward", "of": rows(entry)})

    def entered(self, source: str, step: int, entry: Entry) -> None:
        """Hear of an entry: write what was seen, or open for the one after it."""
        if self.is_open and self.is_next(source, step):
            self._finish(entry)
        elif self.is_open or self.is_next(source, step + 1):
            self.open()

    def is_wanted(self, source: str, step: int) -> bool:
        """Say whether this entry is the one, and was looked at from its beginning."""
        return self.is_open and self.is_next(source, step)

    def _finish(self, entry: Entry) -> None:
        self.add({"at": "end", "of": rows(entry)})
        if self.values.left_out:
            self.add({"note": f"the values of {self.values.left_out} arrays are left out"})
        head = {"format": FORMAT, "hash": self._recorder.hash.name, **self._wanted}
        lines = [json.dumps(line, separators=(",", ":")) for line in (head, *self._lines)]
        file = self._recorder.name(".deep")
        self.values.save(f"{file}.safetensors")  # first: who finds the digests finds them, too
        append(f"{file}.jsonl", "\n".join([*lines, ""]).encode())
        self._is_done = True
        self._close()

    def _close(self) -> None:
        self.is_open = False
        self._lines = []
        self.values = Values()
        if self._calls is not None:
            self._calls.stop()


OTHERS = ("fit", "train_on_batch", "step")  # sources that are no optimizers


def rows(entry: Entry) -> list[list[str]]:
    """Return an entry's columns, with their digests."""
    digests = [digest.hex() for digest in entry.digests]
    return list(map(list, zip(entry.names, entry.kinds, digests)))
