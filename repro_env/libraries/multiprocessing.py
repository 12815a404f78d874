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

from multiprocessing import process as pythons
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repro_env.processes import Process, Seeder

CONFIG = "repro_env"


def follow(seeder: Seeder) -> None:
    """Have children seed themselves before they run their target."""
    import os

    from repro_env import processes, settings

    BaseProcess: Any = pythons.BaseProcess  # noqa: N806
    tell_children(seeder.process)
    begin = BaseProcess._bootstrap

    def _bootstrap(self: Any, *args: Any, **kwargs: Any) -> Any:
        parent = self._config.get(CONFIG)
        if parent is not None:  # else made before its parent was seeded
            seed, place = parent
            seeder.begin_child(processes.child(place, f"process {self._identity[-1]}"), seed)
            settings.write_seed(os.environ, seed)  # a fork server's may be an older one
            self._config[CONFIG] = (seeder.process.seed, seeder.process.place)
        return begin(self, *args, **kwargs)

    BaseProcess._bootstrap = _bootstrap


def tell_children(process: Process) -> None:
    """Write down, for the children to come, whose children they are."""
    this: Any = pythons.current_process()
    this._config[CONFIG] = (process.seed, process.place)
