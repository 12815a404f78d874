"""What these tests share: fresh processes with the image's environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from repro_env import knobs
from tests.conftest import SEEDED, Run

IN_IMAGE = {**SEEDED, **knobs.image_variables()}

Told = Callable[..., Any]


@pytest.fixture(scope="session")
def told_already() -> dict[Any, Any]:
    return {}


@pytest.fixture
def told(run: Run, told_already: dict[Any, Any]) -> Told:
    """Run code in a fresh process and return what it prints, as JSON.

    Such a run takes up to ten seconds, so each is made once; `turn` tells two of the same apart.
    """

    def tell(code: str, turn: int = 1, **env: str) -> Any:
        key = (code, turn, *sorted(env.items()))
        if key not in told_already:
            result = run(code, env={**IN_IMAGE, **env})
            assert result.returncode == 0, result.stderr
            told_already[key] = json.loads(result.stdout.splitlines()[-1])
        return told_already[key]

    return tell
