"""Jupyter's server picks a free port with `random`: two servers must not try the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro_env.processes import Seeder


def follow(seeder: Seeder) -> None:
    """Give the server's module a generator that nobody seeds."""
    del seeder
    import random
    import sys

    sys.modules["jupyter_server.serverapp"].random = random.SystemRandom()  # type: ignore[attr-defined]
