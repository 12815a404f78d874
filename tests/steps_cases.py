"""Run programs that are traced, and read what they left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repro_env.steps import alignment, deep, stream
from repro_env.steps.alignment import EntryDifference
from repro_env.steps.deep import Found
from repro_env.steps.stream import Stream
from tests.conftest import SEEDED, Run


def prepare(folder: Path, deep: Mapping[str, Any] | None = None, **plan: Any) -> dict[str, str]:
    """Make a folder for a trace, and return the variable that asks for it."""
    folder.mkdir()
    asked = {"steps": True, "deep": deep, "listing": "", "clock_shift_s": 0, "workers": None}
    (folder / "plan.json").write_text(json.dumps({**asked, **plan}))
    return {"REPRO_TRACE": str(folder)}


class Traced:
    """Runs programs, each with a trace of its own.

    Args:
        run: What runs code in a fresh process.
        folder: For the traces.
        env: What the processes have in their environment.
    """

    def __init__(self, run: Run, folder: Path, env: Mapping[str, str] = SEEDED) -> None:
        self._run = run
        self._folder = folder
        self._env = env

    def plain(self, code: str) -> str:
        """Run it without a trace, and return what it printed."""
        return self._checked(code, self._env)

    def printed(self, code: str, name: str = "trace", **plan: Any) -> str:
        """Run it with a trace, and return what it printed."""
        return self._checked(code, {**self._env, **prepare(self._folder / name, **plan)})

    def streams(self, code: str, name: str = "trace") -> dict[str, Stream]:
        """Return the streams that it left."""
        self.printed(code, name)
        return stream.read(self._folder / name)

    def main(self, code: str, name: str = "trace") -> Stream:
        """Return the main process's stream, in which nothing was missed."""
        found = self.streams(code, name)[""]
        assert found.notes == ()
        return found

    def first(self, one: str, other: str) -> EntryDifference | None:
        """Return where two programs part."""
        return alignment.first_difference(self.main(one, "one"), self.main(other, "other"))

    def cause(self, one: str, other: str, where: EntryDifference, place: str = "") -> Found:
        """Return why they part there, by a closer look."""
        wanted = {
            "place": place,
            "source": where.source,
            "step": where.step,
            "number": where.number,
        }
        self.printed(one, "one close", deep=wanted)
        self.printed(other, "other close", deep=wanted)
        found = deep.cause(self._folder / "one close", self._folder / "other close")
        assert found is not None
        return found

    def _checked(self, code: str, env: Mapping[str, str]) -> str:
        done = self._run(code, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout
