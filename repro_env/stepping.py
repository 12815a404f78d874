"""What a program says of its own steps, for those that wonder where two runs part."""

from __future__ import annotations

import operator
from typing import SupportsIndex


def step(k: SupportsIndex, **arrays: object) -> None:
    """Say that step `k` of a loop has ended, and what it left, to `repro verify --steps`.

    Steps of PyTorch's optimizers and batches of Keras are followed without it; this is for other
    loops. Where nobody traces it does nothing. It keeps none of the arrays, and changes none.

    Args:
        k: The step's number, as the program counts.
        arrays: What to compare, by names of your own: numbers, arrays of NumPy, PyTorch or
            TensorFlow, and lists and dictionaries of these.

    Raises:
        ReproError: `k` is no whole number.
    """
    try:
        number = operator.index(k)
    except TypeError:
        from repro_env.errors import ReproError

        raise ReproError(
            f"the step {k!r} is a {type(k).__name__}, not a whole number",
            hint="count the steps of your loop: repro_env.step(3, loss=loss)",
        ) from None
    from repro_env.trace import tracer

    if tracer.active is not None:
        tracer.active.step(number, arrays)
