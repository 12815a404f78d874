"""Modules that draw from `random` what must be unique: a server's port, a subscriber's name.

In processes that are seeded alike they would all draw the same, and shift what the user draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro_env.processes import Seeder

MODULES = ("jupyter_server.serverapp", "ray._private.gcs_pubsub", "ray._private.node")


def follow(seeder: Seeder) -> None:
    """Give each of them that is imported a generator that nobody seeds."""
    del seeder
    import random
    import sys

    for name in MODULES:
        if name in sys.modules:
            sys.modules[name].random = random.SystemRandom()  # type: ignore[attr-defined]
