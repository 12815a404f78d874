"""Ray's workers: Python processes that Ray's own server starts, each with a name.

Older versions number them. In Ray 2.60 the name is random, so that what a worker draws
differs from run to run; what a task must repeat it draws from a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro_env.processes import Seeder

SCRIPT = "default_worker.py"
OPTIONS = ("--startup-token=", "--worker-id=")


def follow(seeder: Seeder) -> None:
    """In a worker, seed again by its name; the process that calls `ray.init` has none."""
    import sys

    from repro_env import processes

    name = next((argument for argument in sys.argv if argument.startswith(OPTIONS)), None)
    is_worker = sys.argv[0].endswith(SCRIPT) and not seeder.process.place  # not a child of one
    if name is not None and is_worker:
        seeder.move(processes.child("", f"ray {name}"))
