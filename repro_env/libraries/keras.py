"""Keras's hidden generator, which picks the seeds of layers that were given none.

`tf.keras.utils.set_random_seed` seeds it too, but rewinds `random` and NumPy with it, in the
middle of whatever the user has drawn: so it is set directly.
"""

from __future__ import annotations

import sys
from typing import Any


def seed(value: int) -> None:
    """Seed the hidden generator of the calling thread (it is thread-local)."""
    import random

    backend: Any = sys.modules["keras.backend"]  # `keras` itself may still be half imported
    if hasattr(backend, "_SEED_GENERATOR"):  # Keras 3 has none: it draws from `random`
        backend._SEED_GENERATOR.generator = random.Random(value)


def version() -> str:
    """Return what the meaning of a state depends on."""
    import keras

    return str(keras.__version__)


def generators() -> dict[str, Any]:
    """Return the calling thread's hidden generator, where it has been seeded."""
    from keras import backend

    hidden: Any = getattr(backend, "_SEED_GENERATOR", None)
    return {"keras": hidden.generator} if hasattr(hidden, "generator") else {}
