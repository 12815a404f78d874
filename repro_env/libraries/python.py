"""Python's own `random`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random


def seed(value: int) -> None:
    """Seed the module's shared generator."""
    import random

    random.seed(value)


def version() -> str:
    """Return what the meaning of a state depends on."""
    import sys

    return f"{sys.version_info.major}.{sys.version_info.minor}"


def generators() -> dict[str, Any]:
    """Return the module's shared generator."""
    import random

    return {"python": random.getstate.__self__}  # type: ignore[attr-defined]


def is_generator(thing: object) -> bool:
    """Say whether it is a generator of this library."""
    import random

    return isinstance(thing, random.Random) and not isinstance(thing, random.SystemRandom)


def get_state(generator: random.Random) -> Any:
    """Return a generator's state as JSON's types."""
    version, words, gauss = generator.getstate()
    return {"version": version, "words": list(words), "gauss": gauss}


def set_state(generator: random.Random, state: Any) -> None:
    """Set what `get_state` returned."""
    generator.setstate((state["version"], tuple(state["words"]), state["gauss"]))


def check_state(generator: random.Random, state: Any) -> None:
    """Raise what `set_state` would, and change nothing."""
    del generator
    import random

    set_state(random.Random(0), state)
