"""albumentations' own generators, seeded by repro-env.

Each transform that is given no seed gets generators derived from this process's seed and a number
of its own: so no two draw alike, and what each draws is the same in each run. They begin anew
when the process is seeded again, as each worker is, and so does a copy, wherever it is unpickled.
A transform that is given a seed, or generators, keeps them.
"""

from __future__ import annotations

import itertools
import random
import weakref
from typing import Any

# The generator that we gave a transform: it is still ours while the transform draws from it.
OURS = "_repro_env_random"


class Generators:
    """What transforms draw from, in this process."""

    def __init__(self) -> None:
        self._seed = 0
        self._live: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count()
        self._numbers_since = itertools.count()  # since the process was seeded

    def seed(self, value: int) -> None:
        """Begin anew: those transforms that there are, and those to come."""
        self._seed, self._numbers_since = value, itertools.count()
        for transform, number in list(self._live.items()):
            if is_ours(transform):
                self._give(transform, "earlier", number)

    def begin(self, transform: Any) -> None:
        """Give a new transform its generators."""
        self._live[transform] = next(self._numbers)
        self._give(transform, "new", next(self._numbers_since))

    def _give(self, transform: Any, kind: str, number: int) -> None:
        import numpy

        transform.py_random = random.Random(f"{self._seed} {kind} {number}")
        transform.random_generator = numpy.random.default_rng(transform.py_random.getrandbits(128))
        setattr(transform, OURS, transform.py_random)


generators: Generators | None = None


def seed(value: int) -> None:
    """Seed all transforms of this process.

    Args:
        value: A whole number in 0..2^32-1.
    """
    global generators
    if generators is None:
        generators = Generators()
        follow(generators)
    generators.seed(value)


def follow(generators: Generators) -> None:
    """Have each transform that is made or unpickled take its generators from us.

    Source:
        https://github.com/albumentations-team/albumentations/blob/2.0.8/albumentations/core
    """
    from albumentations.core.composition import BaseCompose
    from albumentations.core.transforms_interface import BasicTransform

    for kind in (BaseCompose, BasicTransform):
        _follow(kind, generators)


def is_ours(transform: Any) -> bool:
    """Say whether a transform draws from the generators that we gave it."""
    return getattr(transform, OURS, None) is transform.py_random


def _follow(kind: type[Any], generators: Generators) -> None:
    set_its_own = kind.set_random_seed

    def set_random_seed(self: Any, seed: int | None) -> None:
        set_its_own(self, seed)
        if seed is None:
            generators.begin(self)

    def set_state(self: Any, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if is_ours(self):
            generators.begin(self)

    kind.set_random_seed = set_random_seed
    kind.__setstate__ = set_state
