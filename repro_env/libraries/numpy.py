"""NumPy's global generator."""


def seed(value: int) -> None:
    """Seed the legacy global generator, which `numpy.random.rand` and its like draw from."""
    from numpy import random  # `numpy.random` is no attribute yet while NumPy itself is importing

    random.seed(value)
