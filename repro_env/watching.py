"""Watch what happens to the knobs of this process. What it computes stays as it is."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro_env import knobs, profile, readings, seeding, state

if TYPE_CHECKING:
    from types import FrameType

ENVIRON = ("os", "collections.abc")  # modules of which `os.environ` is made
OURS = os.path.dirname(__file__)  # noqa: PTH120
MOST_CHANGES = 100  # the first and the last count


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
        seeding.watchers.append(self._prepared)

    def look(self, ended: str) -> dict[str, Any]:
        """Return what there is to see now, as JSON's types.

        Args:
            ended: How the process is about to end, or `still running`.
        """
        libraries = readings.versions()
        return {
            **identity(),
            "executable": sys.executable,
            "path": list(sys.path),
            "python": ".".join(map(str, sys.version_info[:3])),
            "ignores variables": bool(sys.flags.ignore_environment),
            "ended": ended,
            "hash": hash(readings.PROBED),
            "seeds": {**readings.seeds(), "at": self.seeded},
            "libraries": libraries,
            "profile": [readings.profile_in_effect(), profile.threads],
            "at exec": {**self.at_exec, **profile.applied},  # the hook was in time
            "now": readings.variables_now(),
            "changes": self.changes,
            "after import": self.after_import,
            "in effect": readings.knobs_in_effect(["sys", *libraries]),
            "facts": readings.facts(),
            "blas": readings.blas(),
            "generators": _generators(),
        }

    def _prepared(self, name: str) -> None:
        """Note when a library was seeded, and its switches as the hook left them."""
        self.seeded[name] = round(time.monotonic() - self._begun, 3)
        library = name.partition(".")[0]
        self.after_import.update(readings.knobs_in_effect([library], after_import=True))

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event in ("os.putenv", "os.unsetenv"):
            with suppress(Exception):  # it would end what the user does
                self._changed(*map(os.fsdecode, args))

    def _changed(self, name: str, value: str | None = None) -> None:
        where = _where(sys._getframe(2)) if name in self._names else ""
        if where:
            loaded = [one for one in readings.FRAMEWORKS if readings.is_loaded(one)]
            cuda = readings.is_cuda_in_use()
            self.changes.append(
                {"name": name, "value": value, "where": where, "loaded": loaded, "cuda": cuda}
            )
            del self.changes[MOST_CHANGES // 2 : -MOST_CHANGES // 2]


def identity() -> dict[str, Any]:
    """Return which process this is."""
    return {"pid": os.getpid(), "parent": os.getppid(), "command": _command()}


def _generators() -> dict[str, str]:
    """Return the digest of each generator's state; none where one can't be read."""
    with suppress(Exception):  # whatever a program has put into their places
        states = sorted(state.rng_state().states.items())
        texts = {name: json.dumps(one, sort_keys=True) for name, one in states if name != state.OWN}
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    return {}


def _command() -> list[str]:
    try:
        text = Path("/proc/self/cmdline").read_bytes()
    except OSError:  # no Linux
        return [str(sys.executable), *sys.argv]
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
