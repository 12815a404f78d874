"""Ray's workers: Python processes that Ray's own server starts, each with a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro_env.processes import Seeder

OPTION = "--startup-token="


def follow(seeder: Seeder) -> None:
    """In a worker, seed again by its number; the process that calls `ray.init` has none."""
    import sys

    from repro_env import processes

    for argument in sys.argv:
        if argument.startswith(OPTION):
            number = argument[len(OPTION) :]
            seeder.move(processes.child("", f"ray {number}"))
