"""The step stream of this process: a file of JSON lines, one for each step.

It is made at the first entry, and each line goes out whole: a killed process leaves all that it
finished. The file is closed after each line, since a program may close what it did not open, and
the next file would get our lines. A fork begins a file of its own.
"""

from __future__ import annotations

import json
import os
import time
from _thread import allocate_lock
from contextlib import suppress
from typing import Any

from repro_env.trace import digests

FORMAT = 1
MAKE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class Entry:
    """What is digested at one step: columns in causal order, and numbers for the reader."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.kinds: list[str] = []
        self.digests: list[bytes] = []
        self.loss: float | None = None
        self.values: dict[str, float] = {}

    def add(self, name: str, kind: str, digest: bytes) -> None:
        """Append one column."""
        self.names.append(name)
        self.kinds.append(kind)
        self.digests.append(digest)

    def extend(self, names: list[str], found: tuple[list[str], list[bytes]]) -> None:
        """Append columns of these names, with their kinds and digests."""
        self.names += names
        self.kinds += found[0]
        self.digests += found[1]


class Recorder:
    """Writes the stream of one process after the other: forks renew it.

    Args:
        folder: The trace's, absolute.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._hash: digests.Hash | None = None
        self._forks = 0
        self._path = ""  # who this process is, where nothing seeds it
        self.renew()

    @property
    def hash(self) -> digests.Hash:
        """Return the hash, which is imported when the first one asks."""
        if self._hash is None:
            self._hash = digests.choose()
        return self._hash

    def renew(self) -> None:
        """Begin a new file at the next line; no lock of before counts."""
        self._file = ""
        self._columns: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
        self._is_noted = False
        self._lock = allocate_lock()

    def count_fork(self) -> None:
        """Know, before a fork, which one of this process's it is."""
        self._forks += 1

    def begin_child(self) -> None:
        """Be the fork that was counted last."""
        self._path = "/".join(filter(None, (self._path, f"fork {self._forks}")))
        self._forks = 0
        self.renew()

    def write(self, source: str, step: int, entry: Entry) -> None:
        """Add one entry, and the list of its columns where that is new."""
        line = {
            "source": source,
            "step": step,
            "loss": None if entry.loss is None else entry.loss.hex(),
            "values": {name: value.hex() for name, value in entry.values.items()},
            "digests": b"".join(entry.digests).hex(),
        }
        key = tuple(entry.names), tuple(entry.kinds)
        with self._lock:
            self._begin()
            number = self._columns.get(key)
            if number is None:
                number = self._columns[key] = len(self._columns)
                self._append({"columns": number, "of": list(map(list, zip(*key)))})
            self._append({"columns": number, **line})

    def note(self, where: str, error: BaseException) -> None:
        """Say once in the stream that something could not be seen; never raise."""
        if self._is_noted:
            return
        self._is_noted = True
        with suppress(Exception), self._lock:
            self._begin()
            self._append({"note": f"{where}: {type(error).__name__}: {error}"[:1000]})

    def place(self) -> str:
        """Return where this process stands among the run's; empty for the main one."""
        from repro_env import processes, seeding

        if seeding.active is None:
            return self._path
        return processes.whereabouts(seeding.active.process)

    def name(self, suffix: str) -> str:
        """Return the path of a new file of this process."""
        return f"{self.folder}/{time.monotonic_ns()}-{os.getpid()}{suffix}"

    def _begin(self) -> None:
        if not self._file:
            self._file = self.name(".steps.jsonl")
            head = {"format": FORMAT, "place": self.place(), "hash": self.hash.name}
            self._append(head)

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, separators=(",", ":"), ensure_ascii=False)
        # Half of a surrogate pair, as in names of files, is no text that others would read.
        append(self._file, text.encode(errors="xmlcharrefreplace") + b"\n")


def append(path: str, data: bytes) -> None:
    """Append bytes to a file of the owner's alone, whole where the disk has room."""
    file = os.open(path, MAKE, 0o600)
    try:
        while data:
            data = data[os.write(file, data) :]
    finally:
        os.close(file)
