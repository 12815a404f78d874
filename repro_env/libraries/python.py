"""Python's own `random`."""


def seed(value: int) -> None:
    """Seed the module's shared generator."""
    import random

    random.seed(value)
