"""NumPy's global generator."""


def seed(value: int) -> None:
    """Seed the legacy global generator, which `numpy.random.rand` and its like draw from."""
    import sys

    # No attribute of `numpy` yet while that is being imported.
    sys.modules["numpy.random"].seed(value)
