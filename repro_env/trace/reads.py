"""Note the files that Python opens for reading, as each was when it was first seen.

One file for this process and one for each fork that reads anything, when it ends: by returning, by
`os._exit` as `multiprocessing`'s children do, by executing another program, or asked by `witness`.
Files that libraries open in C are not seen, and the interpreter's own are left out.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the public module costs the import of enum
import atexit
import json
import os
import stat
import sys
import time
from contextlib import suppress
from typing import Any, NoReturn

from repro_env import processes, seeding, witness

MOST = 2000
NOT_DATA = ("/proc/", "/sys/", "/dev/")
PACKAGES = ("/site-packages/", "/dist-packages/", "/.repro/")
OURS = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120


def start(folder: str) -> None:
    """Note what this process and its forks read, until they end.

    Called again, it does nothing: in a virtual environment `site` runs every `.pth` file twice.

    Args:
        folder: Where to write it.
    """
    global _reads
    if _reads is None:
        _reads = _Reads(folder)
        _reads.start()


class _Reads:
    """Writes what is read: one file for each program and each fork."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.abspath(folder)  # noqa: PTH100  # as all paths here
        self._left_out = _left_out(self._folder)
        self._leave = os._exit

    def start(self) -> None:
        self._begin()
        sys.addaudithook(self._hear)
        atexit.register(self._end)
        os.register_at_fork(after_in_child=self._begin)
        os._exit = self._exit
        self._follow_questions()

    def _begin(self) -> None:
        self._files: dict[str, list[int] | None] = {}
        name = f"{time.monotonic_ns()}-{os.getpid()}.reads.json"
        self._file = os.path.join(self._folder, name)  # noqa: PTH118

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            try:
                if _is_reading(args[1], args[2]):
                    self._note(args[0], by_number=args[1] is None)
            except Exception:  # it would end what the user does
                return
        elif event == "os.exec":
            self._end()

    def _note(self, path: Any, *, by_number: bool) -> None:
        if isinstance(path, int) or len(self._files) >= MOST:
            return
        name = os.fsdecode(path)
        if by_number and name[:1] != "/":  # of `os.open`, which may count from another folder
            return
        file = os.path.abspath(name)  # noqa: PTH100  # links stay as they are named
        if file in self._files or not self._is_data(file):
            return
        try:
            seen = os.stat(file)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            self._files[file] = None
            return
        if stat.S_ISREG(seen.st_mode):
            self._files[file] = [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino]

    def _is_data(self, file: str) -> bool:
        if file.endswith(".pyc") or file.startswith(self._left_out):
            return False
        return not any(part in file for part in PACKAGES)

    def _exit(self, status: int) -> NoReturn:
        self._end()
        self._leave(status)

    def _end(self) -> None:
        with suppress(Exception):  # it must not end what the user does
            if self._files:
                self._write(json.dumps({"place": _place(), "files": self._files}))

    def _write(self, text: str) -> None:
        temporary = f"{self._file}.new"
        with open(temporary, "w") as file:  # noqa: PTH123
            file.write(text)
        os.replace(temporary, self._file)  # noqa: PTH105

    def _follow_questions(self) -> None:
        """Answer, too, when `witness` has a process asked that is about to be ended."""
        before = _signal.getsignal(witness.ASK)
        if callable(before):

            def answer(number: int, frame: Any) -> None:
                self._end()
                before(number, frame)

            _signal.signal(witness.ASK, answer)


def _left_out(folder: str) -> tuple[str, ...]:
    """Return how the paths begin that are no data of the user's."""
    places = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)}  # noqa: PTH120
    places |= {OURS, folder}
    places |= {os.path.realpath(place) for place in places}
    return (*NOT_DATA, *(f"{place}/" for place in sorted(places - {"/"})))


def _is_reading(mode: str | None, flags: int) -> bool:
    """Say whether a file is opened to be read as it is: `open` says a mode, `os.open` flags."""
    if mode is not None:
        return "r" in mode or ("a" in mode and "+" in mode)
    writes = flags & os.O_ACCMODE == os.O_WRONLY
    return not writes and not flags & (os.O_TRUNC | os.O_EXCL | os.O_DIRECTORY)


def _place() -> str:
    with suppress(Exception):  # a rank that contradicts itself
        if seeding.active is not None:
            return processes.whereabouts(seeding.active.process)
    return ""


_reads: _Reads | None = None
