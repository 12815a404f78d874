"""Look into real processes with `repro doctor`, and find a knob's row in what it says."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from repro_env import knobs
from tests.conftest import KEPT

IN_IMAGE = knobs.image_variables()


class Said(NamedTuple):
    """What `repro doctor --json` said, and what the command printed beside it."""

    status: int
    said: dict[str, Any]
    printed: str

    def verdicts(self, process: int = -1) -> dict[str, str]:
        """Each knob's verdict, in the process that began last, or in another."""
        rows = self.said["processes"][process]["knobs"]
        return {row["knob"]: row["verdict"] for row in rows}

    def row(self, knob: str, process: int = -1) -> dict[str, str]:
        rows: list[dict[str, str]] = self.said["processes"][process]["knobs"]
        return next(row for row in rows if row["knob"] == knob)

    def note(self, about: str) -> dict[str, str]:
        notes: list[dict[str, str]] = self.said["notes"]
        return next(note for note in notes if note["about"] == about)


def look(
    python: Path,
    *command: str | Path,
    env: Mapping[str, str | None] = IN_IMAGE,
    **changes: str | None,
) -> Said:
    """Look into a command, started with these variables alone; None takes one out."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", *KEPT) if name in os.environ}
    asked = {**env, **changes}
    # The doctor itself is healthy: what is wrong is wrong for the command alone.
    words = [f"{name}={value}" for name, value in asked.items() if value is not None]
    unset = [word for name in IN_IMAGE if asked.get(name) is None for word in ("-u", name)]
    asked_for: list[str | Path] = ["--", "env", *unset, *words, *command] if command else []
    result = subprocess.run(
        [python, "-m", "repro_env.cli", "doctor", "--json", *asked_for],
        env={**kept, **IN_IMAGE, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.stdout, result.stderr
    return Said(result.returncode, json.loads(result.stdout), result.stderr)
