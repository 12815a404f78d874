"""Follow the processes below this one, in `/proc`: Pythons without the hook say nothing of it."""

from __future__ import annotations

import ctypes
import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

POLL_S = 0.02  # shorter than most Pythons' lives
NO_COMMAND = ("",)
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Python(NamedTuple):
    """A Python process that was seen.

    Args:
        pid: Its number.
        command: Its arguments.
        path: Its interpreter, as its own folder and `PATH` find it.
    """

    pid: int
    command: tuple[str, ...]
    path: str


class Descendants:
    """Looks for Python processes below this one until it is stopped."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, tuple[str, ...]], Python] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        with suppress(OSError, AttributeError):  # so orphans stay below; Linux alone can
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._thread.start()

    def wait(self, patience_s: float) -> None:
        """Wait for processes that end soon after the command, which was waited for before."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                time.sleep(POLL_S)

    def stop(self) -> list[Python]:
        """Return the Python processes that were seen."""
        self._is_over.set()
        self._thread.join()
        return list(self._seen.values())

    def _poll(self) -> None:
        while not self._is_over.wait(POLL_S):
            for pid in _children(os.getpid()):
                self._look(pid, ())

    def _look(self, pid: int, parents_command: tuple[str, ...]) -> None:
        with suppress(OSError):  # it has ended
            here = Path("/proc", str(pid))
            command = _words(here / "cmdline")
            is_python = (here / "exe").readlink().name.startswith("python")
            # A child that is about to execute something else is still its parent's copy; one that
            # is just doing it has no arguments yet, and is looked at again soon.
            is_itself = command not in (parents_command, NO_COMMAND)
            if is_python and is_itself and (pid, command) not in self._seen:
                self._seen[pid, command] = _python(pid, here, command)
            for child in _children(pid):
                self._look(child, command)


def below(pid: int) -> list[int]:
    """Return the processes below one: its children, and theirs."""
    found = _children(pid)
    for child in list(found):
        found += below(child)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path("/proc", str(pid), "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _python(pid: int, here: Path, command: tuple[str, ...]) -> Python:
    name = command[0]
    if "/" in name:
        return Python(pid, command, str((here / "cwd").readlink() / name))
    variables = dict(word.partition("=")[::2] for word in _words(here / "environ"))
    return Python(pid, command, shutil.which(name, path=variables.get("PATH")) or name)


def _words(file: Path) -> tuple[str, ...]:
    text = file.read_bytes().removesuffix(b"\0")
    return tuple(os.fsdecode(word) for word in text.split(b"\0"))
