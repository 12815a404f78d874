"""Keras's hidden generator, which picks the seeds of layers that were given none.

`tf.keras.utils.set_random_seed` seeds it too, but rewinds `random` and NumPy with it, in the
middle of whatever the user has drawn: so it is set directly.
"""


def seed(value: int) -> None:
    """Seed the hidden generator of the calling thread (it is thread-local)."""
    import random

    from keras import backend

    if hasattr(backend, "_SEED_GENERATOR"):  # Keras 3 has none: it draws from `random`
        backend._SEED_GENERATOR.generator = random.Random(value)
