"""Which process of a run this is, and what follows from that for what it draws."""

from __future__ import annotations

import os
import sys
from typing import Protocol

from repro_env import settings, streams


class Process(Protocol):
    """What a library needs to know of this process (`seeding.Process`)."""

    seed: int
    place: str
    begun: str

    def count_unseeded(self) -> int:
        """Return how many generators were asked for without a seed, with this one."""


class Seeder(Protocol):
    """What a library may ask of what keeps it seeded (`seeding.Seeder`)."""

    @property
    def process(self) -> Process:
        """This process, as it is now."""

    def move(self, place: str) -> None:
        """Be another process from now on, and seed again."""

    def begin_child(self, place: str, seed: int) -> None:
        """Be a child that `multiprocessing` began."""


def child(parent: str, name: str) -> str:
    """Return a process's place by its parent's place and its own name there."""
    return f"{parent}/{name}" if parent else name


def whereabouts(process: Process) -> str:
    """Return a process's place among all of the run's: its rank, who started it, as what.

    A worker of a DataLoader is named by the seed that its loader gave it, which says the loader's
    state, the epoch and the worker: so it draws the same however many processes came before.
    """
    rank = settings.read_rank(os.environ)
    seed = _loader_seed()
    place = process.place
    if seed is not None:
        place = f"loader {seed}{place[len(process.begun) :]}"  # with what it forked since
    return "/".join(filter(None, ("" if rank is None else f"rank {rank}", place)))


def derive(process: Process, *path: streams.Key) -> int:
    """Return a seed of 128 bits that no other process of the run draws from."""
    return streams.derive(process.seed, *path, whereabouts(process))


def _loader_seed() -> int | None:
    """Return the seed that torch gave this worker of a DataLoader; None anywhere else."""
    module = sys.modules.get("torch.utils.data._utils.worker")
    info = getattr(module, "_worker_info", None)
    return None if info is None else int(info.seed)
