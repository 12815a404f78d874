"""Pass on what a command prints, as it comes, and keep a copy.

Where we print to a terminal the command does so too, to one of ours, so its colours and progress
bars stay as they are.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import selectors
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from repro_env.descendants import below

PIECE = 1 << 16
PATIENCE_S = 1.0
POLL_S = 0.05
GRACE_S = 5.0  # from the request to end until there is no choice
WAITING = "repro: waiting for processes that the command has left running (Ctrl-C: no longer)\n"


class Kept(NamedTuple):
    """A copy of what a command printed.

    Args:
        path: The file.
        is_complete: Whether all is in it; not where the disk was full.
    """

    path: Path
    is_complete: bool


class Relay:
    """The command's standard output and error, each with its copy.

    Args:
        folder: Where the copies go: `stdout.log` and `stderr.log`.
        outputs: The descriptors to pass them on to.

    Raises:
        OSError: The copies can't be begun.
    """

    def __init__(self, folder: Path, outputs: tuple[int, int] = (1, 2)) -> None:
        self.stdout = _Stream(folder / "stdout.log", outputs[0])
        self.stderr = _Stream(folder / "stderr.log", outputs[1])
        self._streams = (self.stdout, self.stderr)
        self.signal = 0  # that ended the waiting for what the command has left running
        self.timed_out = False

    def wait(self, process: subprocess.Popen[bytes], timeout_s: float | None = None) -> int:
        """Pass on what the command prints until it ends, and return its status.

        What it has left running may go on printing: that is waited for too, as a pipe in a shell
        waits, until Ctrl-C.

        Args:
            process: The command.
            timeout_s: After that it is ended, with all that it has started; None never.
        """
        limit = _Limit(process, timeout_s)
        handler = signal.signal(signal.SIGWINCH, lambda *_: self._resize())
        try:
            with selectors.DefaultSelector() as selector:
                for stream in self._streams:
                    stream.start()
                    selector.register(stream.source, selectors.EVENT_READ, stream)
                while process.poll() is None:
                    self._pass_on_or_wait(selector, process)
                    limit.look()
                with self._until_interrupted():
                    self._pass_on_the_rest(selector, limit)
        finally:
            signal.signal(signal.SIGWINCH, handler)
        self.timed_out = limit.is_over
        return process.wait()

    def close(self) -> list[Kept]:
        """End the copies and return them."""
        return [stream.close() for stream in self._streams]

    def _pass_on_or_wait(
        self, selector: selectors.BaseSelector, process: subprocess.Popen[bytes]
    ) -> None:
        if selector.get_map():
            self._pass_on(selector)
        else:  # it has closed both, and goes on or is about to end
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)

    def _pass_on(self, selector: selectors.BaseSelector) -> None:
        for key, _ in selector.select(POLL_S):
            if not key.data.pass_on():
                selector.unregister(key.fileobj)

    def _pass_on_the_rest(self, selector: selectors.BaseSelector, limit: _Limit) -> None:
        say_at = time.monotonic() + PATIENCE_S
        while selector.get_map() and not self.signal:
            self._pass_on(selector)
            limit.look()
            if time.monotonic() > say_at:
                say_at = float("inf")
                sys.stderr.write(WAITING)
                sys.stderr.flush()

    @contextmanager
    def _until_interrupted(self) -> Iterator[None]:
        def interrupt(number: int, _: object) -> None:
            self.signal = number

        numbers = (signal.SIGINT, signal.SIGTERM)
        handlers = {number: signal.signal(number, interrupt) for number in numbers}
        try:
            yield
        finally:
            for number, before in handlers.items():
                signal.signal(number, before)

    def _resize(self) -> None:
        for stream in self._streams:
            stream.resize()


class _Limit:
    """Ends a command, and all that it has started, when its time is over."""

    def __init__(self, process: subprocess.Popen[bytes], timeout_s: float | None) -> None:
        self._ends_at = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        self._others = {*below(os.getpid())} - {process.pid}
        self._number = signal.SIGTERM
        self.is_over = False

    def look(self) -> None:
        """End it, if it is time: first as one asks, then so that nobody can refuse."""
        if time.monotonic() < self._ends_at:
            return
        for pid in {*below(os.getpid())} - self._others:
            with suppress(ProcessLookupError):
                os.kill(pid, self._number)
        self.is_over = True
        self._ends_at = time.monotonic() + GRACE_S
        self._number = signal.SIGKILL


class _Stream:
    """One of them: what the command writes to, and what it is read from."""

    def __init__(self, path: Path, output: int) -> None:
        self._path = path
        self._copy: IO[bytes] | None = path.open("xb", buffering=0)
        self._is_complete = True
        self._output = output
        self._is_terminal = os.isatty(output)
        self.source, self.target = pty.openpty() if self._is_terminal else os.pipe()
        if self._is_terminal:
            _leave_bytes_alone(self.target)
            self.resize()

    def start(self) -> None:
        """Leave the command's end to the command."""
        os.close(self.target)
        self.target = -1

    def pass_on(self) -> bool:
        """Pass on what is there; return whether there can be more."""
        try:
            piece = os.read(self.source, PIECE)
        except OSError:  # so a terminal says that nobody writes to it any more
            return False
        self._keep(piece)
        try:
            _write(self._output, piece)
        except OSError:  # nobody reads: the command is to hear of it, as without us
            os.close(self.source)
            self.source = -1
            return False
        return bool(piece)

    def resize(self) -> None:
        """Give the command's terminal the size of ours."""
        if self._is_terminal and self.source >= 0:
            with suppress(OSError):
                size = fcntl.ioctl(self._output, termios.TIOCGWINSZ, bytes(8))
                fcntl.ioctl(self.source, termios.TIOCSWINSZ, size)

    def close(self) -> Kept:
        for descriptor in (self.source, self.target):
            if descriptor >= 0:
                os.close(descriptor)
        self.source = self.target = -1
        if self._copy is not None:
            self._copy.close()
        return Kept(self._path, self._is_complete)

    def _keep(self, piece: bytes) -> None:
        if self._copy is None:
            return
        try:
            _write(self._copy.fileno(), piece)
        except OSError:  # a full disk must not end the command
            self._is_complete = False
            self._copy.close()
            self._copy = None


def _leave_bytes_alone(terminal: int) -> None:
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST  # our own terminal does that
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def _write(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
