"""Leave what is seen of this process in a folder of `repro doctor`'s, which `REPRO_DOCTOR` names.

Each program that starts with the hook, and each fork, writes one file when it begins, and again
when it ends: by returning, by `os._exit` as `multiprocessing`'s children do, or by executing
another program. What a parent ends by SIGTERM, as a pool its workers, is asked by it just before.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the public module costs the import of enum
import atexit
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from repro_env.watching import Watch, identity

VARIABLE = "REPRO_DOCTOR"
ASK = _signal.SIGURG  # ignored by default, and sent by nobody but networks
PATIENCE_S = 1.0  # for all children that don't answer, since they are in the midst of C code
POLL_S = 0.005


def start(folder: str) -> None:
    """Watch this process, and its forks, until they end.

    Called again, it does nothing: in a virtual environment `site` runs every `.pth` file twice.
    """
    global _witness
    if _witness is None:
        _witness = _Witness(Path(folder))
        _witness.start()


class _Witness:
    """Writes what a watch sees: one file for each program and each fork."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._watch = Watch()
        self._leave = os._exit
        self._forks_to_execute = False
        self._is_ending = False
        self._patience_s = PATIENCE_S

    def start(self) -> None:
        self._begin()
        self._watch.start()
        sys.addaudithook(self._hear)
        atexit.register(self._end, "exit")
        os.register_at_fork(after_in_child=self._begin_fork)
        os._exit = self._exit
        if _signal.getsignal(ASK) == _signal.SIG_DFL:
            _signal.signal(ASK, lambda *_: self._end("SIGTERM"))

    def _begin(self) -> None:
        self._file = self._folder / f"{time.monotonic_ns()}-{os.getpid()}.json"
        self._write({**identity(), "ended": ""})

    def _begin_fork(self) -> None:
        self._is_ending = False
        if not self._forks_to_execute:  # of `subprocess`: another program in a moment
            self._begin()

    def _end(self, how: str) -> None:
        if self._is_ending:  # asked in the midst of it
            return
        self._is_ending = True
        with suppress(Exception):  # it must not end what the user does; doctor will miss it
            self._write(self._watch.look(how))
        self._is_ending = False

    def _write(self, seen: dict[str, Any]) -> None:
        with suppress(OSError):
            temporary = self._file.with_suffix(".new")
            temporary.write_bytes(json.dumps(seen, default=str).encode())
            temporary.chmod(0o600)  # whatever the umask
            temporary.replace(self._file)

    def _exit(self, status: int) -> NoReturn:
        self._end("exit")
        self._leave(status)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "os.exec":
            self._end("exec")
        elif event in ("os.fork", "os.forkpty"):
            self._forks_to_execute = False
        elif event == "subprocess.Popen":
            self._forks_to_execute = True
        elif event == "os.kill" and args[1] == _signal.SIGTERM:
            with suppress(Exception):
                self._ask(args[0])

    def _ask(self, pid: int) -> None:
        """Have a child of ours say what there is to see, before it is ended."""
        files = sorted(self._folder.glob(f"*-{pid}.json"))
        if not files:
            return
        before = files[-1].stat().st_mtime_ns
        os.kill(pid, ASK)
        until = time.monotonic() + self._patience_s
        while files[-1].stat().st_mtime_ns == before:
            if time.monotonic() > until:
                self._patience_s = 0.0
                return
            time.sleep(POLL_S)


_witness: _Witness | None = None
