"""Generators of one's own, named by strings and whole numbers.

What a stream draws follows from the run's seed and its name alone: not from what drew before, nor
in which process or order. So a new layer or another validation loop shifts nothing, and a task
draws the same on whichever worker it lands.

    noise = repro_env.stream("augment", epoch, index)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from repro_env import seeding, settings, streams

if TYPE_CHECKING:
    import numpy
    import tensorflow
    import torch

    from repro_env.streams import Key


def seed_for(name: str, *keys: Key, shared: bool = False) -> int:
    """Return a seed for a generator of one's own.

    Args:
        name: What it is for.
        keys: Strings and whole numbers that tell it from the others of that name.
        shared: Whether all ranks of a distributed run get the same; else each gets its own.

    Returns:
        A whole number in 0..2^128-1. The run's seed is that of `seed_everything` or of the
        start-up hook; where neither ran, `REPRO_SEED`, or 42.

    Raises:
        SeedError: The name is no string, or a key neither a string nor a whole number.
    """
    if not isinstance(name, str):
        from repro_env.errors import SeedError

        raise SeedError(
            f"the name {name!r} of a stream is a {type(name).__name__}, not a string",
            hint="say what the stream is for, and give numbers after that: stream('augment', 3)",
        )
    seeder = seeding.active
    seed = seeder.process.seed if seeder else settings.read_seed_or_default(os.environ)
    rank = None if shared else settings.read_rank(os.environ)
    if rank is None:
        return streams.derive(seed, "stream", name, *keys)
    return streams.derive(seed, "stream of rank", rank, name, *keys)


def stream(name: str, *keys: Key, shared: bool = False) -> numpy.random.Generator:
    """Return a new NumPy generator, at the start of the stream of that name.

    It is `numpy.random.default_rng(seed_for(name, *keys))`.

    Raises:
        SeedError: As of `seed_for`, whose arguments these are.
    """
    from numpy.random import default_rng

    return default_rng(seed_for(name, *keys, shared=shared))


def torch_generator(
    name: str, *keys: Key, shared: bool = False, device: str | torch.device = "cpu"
) -> torch.Generator:
    """Return a new generator of PyTorch's, at the start of the stream of that name.

    On the CPU its whole state is set, since `manual_seed` keeps 32 bits there; on a GPU the seed
    keeps 64.

    Args:
        name: As of `seed_for`, like `keys` and `shared`.
        keys: See there.
        shared: See there.
        device: Where it draws.

    Raises:
        SeedError: As of `seed_for`.
    """
    import torch

    from repro_env.libraries.torch import seed_generator

    generator = torch.Generator(device)
    seed_generator(generator, seed_for(name, *keys, shared=shared))
    return generator


def tf_generator(name: str, *keys: Key, shared: bool = False) -> tensorflow.random.Generator:
    """Return a new generator of TensorFlow's, at the start of the stream of that name.

    It is a Philox generator: the seed's lower 64 bits are its key, the others the upper half of
    its counter.

    Raises:
        SeedError: As of `seed_for`, whose arguments these are.
    """
    import tensorflow

    seed = seed_for(name, *keys, shared=shared)
    state = [0, _signed(seed >> 64), _signed(seed % 2**64)]  # counter low, counter high, key
    return tensorflow.random.Generator.from_state(state, alg="philox")


def dataloader_generator(name: str = "dataloader", *keys: Key) -> torch.Generator:
    """Return a generator for a `DataLoader`: it shuffles alike whatever drew before.

    It is shared by all ranks, as a sampler over ranks needs it; the workers still differ. Two
    loaders with the same name and keys shuffle alike, so give each its own, and each epoch, where
    a loader is made for each: `dataloader_generator("train", epoch)`.

    Args:
        name: As of `seed_for`, like `keys`.
        keys: See there.

    Raises:
        SeedError: As of `seed_for`.
    """
    return torch_generator(name, *keys, shared=True)


def _signed(word: int) -> int:
    """Return 64 bits as TensorFlow's integers hold them."""
    return word - 2**64 if word >= 2**63 else word
