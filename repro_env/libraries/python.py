"""Python's own `random`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random


def seed(value: int) -> None:
    """Seed the module's shared generator."""
    import random

    random.seed(value)


def locale_in_effect() -> str:
    """Return the locale: `C.UTF-8` where every category is that, or C; else what Python says."""
    import _locale

    text = _locale.setlocale(_locale.LC_ALL)
    parts = dict(part.split("=") for part in text.split(";")) if ";" in text else {"LC_CTYPE": text}
    plain = {*parts.values()} <= {"C", "C.UTF-8"}
    return "C.UTF-8" if plain and parts["LC_CTYPE"] == "C.UTF-8" else text


def time_zone_in_effect() -> str:
    """Return the names of the zone's times, without and with summer's; `UTC` has one."""
    import time

    return "/".join(dict.fromkeys(time.tzname))


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
