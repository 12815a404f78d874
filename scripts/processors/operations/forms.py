"""Functions of tensors that a library with gradients is asked for, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from processors.operations import inputs

MANY = 150_001  # so many that threads share them

Function = Callable[..., Any]
OfType = Callable[[str], Any]


class Forms(NamedTuple):
    """What a function is given, in one library.

    Args:
        tensor: Return NumPy's array as the library's.
        differentiated: Return what a function gives for arguments, and the gradients of those.
    """

    tensor: Callable[[Any], Any]
    differentiated: Callable[[Function, Sequence[Any]], list[Any]]

    def of(self, function: Function, *shapes: Sequence[int]) -> OfType:
        """Return a function of tensors of these shapes."""

        def run(dtype: str) -> Any:
            given = [
                self.tensor(inputs.values(*shape, dtype=dtype, name=f"x{n}"))
                for n, shape in enumerate(shapes)
            ]
            return self.differentiated(function, given)

        return run

    def of_signed(self, function: Function) -> OfType:
        """Return a function of numbers of either sign, small and large."""
        return self._of_many(function, inputs.values, 16)

    def of_positive(self, function: Function) -> OfType:
        """Return a function of positive numbers, small and large."""
        return self._of_many(function, inputs.positive, 64)

    def of_square(self, function: Function, make: Function = inputs.spread) -> OfType:
        """Return a function of square matrices."""
        return lambda dtype: self.differentiated(function, [self.tensor(make(37, dtype=dtype))])

    def _of_many(self, function: Function, make: Function, times: int) -> OfType:
        def run(dtype: str) -> Any:
            numbers = self.tensor(make(MANY, dtype=dtype))
            return [self.differentiated(function, [numbers]), function(numbers[1::3] * times)]

        return run
