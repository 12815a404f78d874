"""TensorFlow's global seed and deterministic operations."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from repro_env.libraries import python

if TYPE_CHECKING:
    import tensorflow

    from repro_env.processes import Seeder


def seed(value: int) -> None:
    """Set the global seed; this starts no device and no thread pool.

    In a child the kernels that are there already go on counting: to clear them asks for a lock
    that a thread of the parent's may have held. Their numbers repeat all the same.
    """
    import tensorflow

    if value < 2**32:
        tensorflow.random.set_seed(value)
    else:
        Eager().begin(value)


def make_deterministic(seeder: Seeder) -> None:
    """Take deterministic kernels, unless the user's `TF_DETERMINISTIC_OPS` says no.

    Source:
        https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism
    """
    del seeder
    import tensorflow

    if os.environ.get("TF_DETERMINISTIC_OPS") not in ("0", "false"):
        tensorflow.config.experimental.enable_op_determinism()


def version() -> str:
    """Return what the meaning of a state depends on."""
    import tensorflow

    return str(tensorflow.__version__)


class Eager:
    """The seeds of operations that run at once: the global seed, and the draws for each of them.

    Operations inside a `tf.function`, and those with a seed of their own, count in their kernels,
    which nobody can read.
    """

    def __init__(self) -> None:
        self._context = sys.modules["tensorflow.python.eager.context"].context()

    def begin(self, seed: int) -> None:
        """Set the global seed, and leave kernels alone."""
        import random

        self._context._seed, self._context._rng = seed, random.Random(seed)

    def get_state(self) -> Any:
        """Return the state as JSON's types."""
        rng = self._context._rng
        return {
            "seed": self._context._seed,
            "draws": None if rng is None else python.get_state(rng),
        }

    def set_state(self, state: Any) -> None:
        """Set what `get_state` returned, and begin all kernels anew."""
        import tensorflow

        tensorflow.random.set_seed(state["seed"])
        if state["draws"] is not None:
            python.set_state(self._context._rng, state["draws"])

    def check_state(self, state: Any) -> None:
        """Raise what `set_state` would, and change nothing."""
        import random

        if not isinstance(state["seed"], (int, type(None))):
            raise TypeError("seed")
        if state["draws"] is not None:
            python.check_state(random.Random(0), state["draws"])


def generators() -> dict[str, Any]:
    """Return the eager context's draws, and the global generator, where one was made."""
    from tensorflow.python.ops import stateful_random_ops

    found: dict[str, Any] = {"tensorflow": Eager()}
    if stateful_random_ops.global_generator is not None:
        found["tensorflow global generator"] = stateful_random_ops.global_generator
    return found


def is_generator(thing: object) -> bool:
    """Say whether it is a generator of this library."""
    import tensorflow

    return isinstance(thing, (Eager, tensorflow.random.Generator))


def get_state(generator: Eager | tensorflow.random.Generator) -> Any:
    """Return a generator's state as JSON's types."""
    if isinstance(generator, Eager):
        return generator.get_state()
    return {
        "algorithm": int(generator.algorithm),
        "state": generator.state.numpy().tolist(),
    }


def set_state(generator: Eager | tensorflow.random.Generator, state: Any) -> None:
    """Set what `get_state` returned."""
    if isinstance(generator, Eager):
        generator.set_state(state)
    else:
        generator.state.assign(state["state"])


def check_state(generator: Eager | tensorflow.random.Generator, state: Any) -> None:
    """Raise what `set_state` would, and change nothing."""
    import tensorflow

    if isinstance(generator, Eager):
        generator.check_state(state)
        return
    if state["algorithm"] != int(generator.algorithm):
        raise ValueError("algorithm")
    tensorflow.random.Generator.from_state(state["state"], alg=state["algorithm"])
