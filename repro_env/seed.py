"""Seed by a call: in environments without the start-up hook, and with another seed than its."""

from __future__ import annotations

import os
from typing import NoReturn

from repro_env import profile, seeding, settings, streams
from repro_env.errors import SeedError


def seed_everything(seed: int | None = None) -> int:
    """Seed every loaded library now, and the others when they are imported.

    The Python processes that this one starts begin with the same seed: it is written into this
    process's environment. In a worker, too, it is the plain seed that is set, so call it in the
    main process only.

    Args:
        seed: A whole number in 0..2^32-1; None takes `REPRO_SEED`, or 42.

    Returns:
        The seed.

    Raises:
        SeedError: It is no such number; then nothing was seeded.
        SettingError: `REPRO_SEED`, `REPRO_UNSEEDED` or `REPRO_PROFILE` can't be honoured; then
            nothing was seeded.
    """
    name, threads = settings.read_profile(os.environ)
    if name == "portable":
        profile.apply(threads, _raise)
    value = settings.read_seed_or_default(os.environ) if seed is None else _checked(seed)
    settings.read_unseeded(os.environ)
    settings.write_seed(os.environ, value)
    seeder = seeding.install(value, _raise)
    seeder.find_strangers()
    seeder.move("", value, begun="")
    return value


def seed_worker(worker_id: int) -> None:
    """Seed all that is loaded in a `DataLoader`'s worker: give it as `worker_init_fn`.

    Workers differ by worker, epoch and rank. Where the start-up hook runs they do so without it;
    this is for environments that have none.

    Args:
        worker_id: The worker's number; torch passes it, and has put it into the worker's seed.
    """
    import torch

    del worker_id
    seeder = seeding.install(settings.read_seed_or_default(os.environ), _raise)
    place = f"loader {torch.initial_seed()}"
    seeder.move(place, begun=place)


def unseeded_generators() -> int:
    """Return how many generators NumPy was asked for without a seed, in this process."""
    return 0 if seeding.active is None else seeding.active.process.unseeded


def _checked(seed: int) -> int:
    value = streams.whole_number(seed)
    if value is None or value not in settings.SEEDS:
        raise SeedError(
            f"the seed {streams.words(seed)} is not a whole number in 0..{settings.SEEDS[-1]}",
            hint="give one, such as 42, or none to take REPRO_SEED",
        )
    return value


def _raise(error: Exception) -> NoReturn:
    raise error
