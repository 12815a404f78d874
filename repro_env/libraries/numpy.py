"""NumPy's global generator."""


def seed(value: int) -> None:
    """Seed the legacy global generator, which `numpy.random.rand` and its like draw from."""
    import numpy.random

    numpy.random.seed(value)
