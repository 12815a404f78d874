"""Children of `multiprocessing`, started in any of its ways, and of what is built on it.

A child is told its parent's place and the run's seed by the configuration that a `Process` takes
from its parent, and that travels with it wherever it starts. It is numbered in the order in which
the parent made its `Process` objects.

Every way to start one ends in `BaseProcess._bootstrap`. `multiprocessing.util.register_after_fork`
would be the documented place, but since Python 3.11 spawned children don't call what is there.

Source:
    https://github.com/python/cpython/blob/3.13/Lib/multiprocessing/process.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repro_env.processes import Process, Seeder

CONFIG = "repro_env"


def follow(seeder: Seeder) -> None:
    """Have children seed themselves before they run their target."""
    from multiprocessing.process import BaseProcess

    from repro_env import processes

    tell_children(seeder.process)
    begin: Any = BaseProcess._bootstrap  # type: ignore[attr-defined]

    def _bootstrap(self: Any, *args: Any, **kwargs: Any) -> Any:
        parent = self._config.get(CONFIG)
        if parent is not None:  # else made before its parent was seeded
            seed, place = parent
            seeder.move(processes.child(place, f"process {self._identity[-1]}"), seed)
            self._config[CONFIG] = (seeder.process.seed, seeder.process.place)
        return begin(self, *args, **kwargs)

    BaseProcess._bootstrap = _bootstrap  # type: ignore[attr-defined]


def tell_children(process: Process) -> None:
    """Write down, for the children to come, whose children they are."""
    from multiprocessing.process import current_process

    current_process()._config[CONFIG] = (process.seed, process.place)  # type: ignore[attr-defined]
