"""Look into this process for `repro doctor`, and leave what was seen in a folder.

`REPRO_DOCTOR` names the folder. Each program that starts with the hook writes one file there when
it begins, and again when it ends: by returning, by `os._exit` as `multiprocessing`'s children do,
by executing another program, or by SIGTERM as a pool's workers do. What it computes stays as it is.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from repro_env import knobs, readings, seeding

if TYPE_CHECKING:
    from types import FrameType

VARIABLE = "REPRO_DOCTOR"
ENVIRON = ("os", "collections.abc")  # modules of which `os.environ` is made
OURS = os.path.dirname(__file__)  # noqa: PTH120


class Watch:
    """What happened to the knobs of this process since it began."""

    def __init__(self) -> None:
        self.at_exec = readings.variables_at_exec()
        self.changes: list[dict[str, Any]] = []
        self.after_import: dict[str, dict[str, str]] = {}
        self.seeded: dict[str, float] = {}
        self._begun = time.monotonic()
        self._names = {knob.name for knob in knobs.variables()}

    def start(self) -> None:
        """Follow the imports and the changes of variables to come."""
        sys.addaudithook(self._hear)
        seeding.watcher = self._prepared

    def look(self, ended: str = "") -> dict[str, Any]:
        """Return what there is to see now, as JSON's types.

        Args:
            ended: How the process is about to end; empty while it goes on.
        """
        libraries = readings.versions()
        return {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "command": _command(),
            "executable": sys.executable,
            "python": ".".join(map(str, sys.version_info[:3])),
            "ignores variables": bool(sys.flags.ignore_environment),
            "ended": ended,
            "hash": hash(readings.PROBED),
            "seeds": {**readings.seeds(), "at": self.seeded},
            "libraries": libraries,
            "at exec": self.at_exec,
            "now": readings.variables_now(),
            "changes": self.changes,
            "after import": self.after_import,
            "in effect": readings.knobs_in_effect(["sys", *libraries]),
            "facts": readings.facts(),
            "blas": readings.blas(),
        }

    def _prepared(self, name: str) -> None:
        """Note when a library was seeded, and its switches as the hook left them."""
        self.seeded[name] = round(time.monotonic() - self._begun, 3)
        self.after_import.update(readings.knobs_in_effect([name.partition(".")[0]]))

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event in ("os.putenv", "os.unsetenv"):
            with suppress(Exception):  # it would end what the user does
                self._changed(os.fsdecode(args[0]))

    def _changed(self, name: str) -> None:
        if name in self._names:
            where = _where(sys._getframe(2))
            if where:
                loaded = [one for one in readings.FRAMEWORKS if readings.is_loaded(one)]
                cuda = readings.is_cuda_in_use()
                self.changes.append({"name": name, "where": where, "loaded": loaded, "cuda": cuda})


def start(folder: str) -> None:
    """Watch this process, and its forks, until they end.

    Called again, it does nothing: in a virtual environment `site` runs every `.pth` file twice.
    """
    global _writer
    if _writer is None:
        _writer = _Writer(Path(folder))
        _writer.start()


class _Writer:
    """Writes what a watch sees: one file for each program and each fork."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._watch = Watch()
        self._leave = os._exit
        self._begin()

    def start(self) -> None:
        self._watch.start()
        sys.addaudithook(self._hear)
        atexit.register(self.write, "exit")
        os.register_at_fork(after_in_child=self._begin)
        os._exit = self._exit
        self._catch_sigterm()

    def write(self, ended: str = "") -> None:
        """Write the file, whole or not at all; where it can't be, doctor will miss it."""
        with suppress(Exception):
            text = json.dumps(self._watch.look(ended), default=str)
            temporary = self._file.with_suffix(".new")
            temporary.write_text(text)
            temporary.replace(self._file)

    def _begin(self) -> None:
        self._file = self._folder / f"{time.monotonic_ns()}-{os.getpid()}.json"
        self.write()

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        del args
        if event == "os.exec":
            self.write("exec")

    def _exit(self, status: int) -> NoReturn:
        self.write("exit")
        self._leave(status)

    def _catch_sigterm(self) -> None:
        import _signal as signal  # type: ignore[import-not-found]  # the public module costs the import of enum

        def die(number: int, frame: FrameType | None) -> None:
            del frame
            self.write("SIGTERM")
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, die)


_writer: _Writer | None = None


def _command() -> list[str]:
    try:
        text = Path("/proc/self/cmdline").read_bytes()
    except OSError:
        return [sys.executable, *sys.argv]
    return [os.fsdecode(word) for word in text.removesuffix(b"\0").split(b"\0")]


def _where(frame: FrameType | None) -> str:
    """Return the line of the user's that is being run; empty where it is one of ours."""
    while frame is not None and frame.f_globals.get("__name__") in ENVIRON:
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename.startswith(OURS):
        return ""
    file = frame.f_code.co_filename
    if "/ipykernel_" in file or file.startswith("<ipython"):
        return f"line {frame.f_lineno} of a cell"
    return f"{file}:{frame.f_lineno}"
