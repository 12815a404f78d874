"""NumPy's global generator, and the entropy of generators that are made without a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from repro_env.processes import Seeder

WORD = 2**32


def seed(value: int) -> None:
    """Seed the legacy global generator, which `numpy.random.rand` and its like draw from."""
    import sys

    words = [value >> shift & (WORD - 1) for shift in range(0, 128, 32)]
    # No attribute of `numpy` yet while that is being imported.
    sys.modules["numpy.random"].seed(value if value < WORD else words)


def unlock() -> None:
    """In a forked child: free the generator's lock, which a thread of the parent may have held."""
    import sys

    sys.modules["numpy.random"].mtrand._rand._bit_generator.lock._at_fork_reinit()


def version() -> str:
    """Return what the meaning of a state depends on."""
    import numpy

    return str(numpy.__version__)


def generators() -> dict[str, Any]:
    """Return the legacy global generator."""
    import numpy

    return {"numpy": numpy.random.mtrand._rand}


def is_generator(thing: object) -> bool:
    """Say whether it is a generator of this library."""
    import numpy

    return isinstance(thing, (numpy.random.Generator, numpy.random.RandomState))


def get_state(generator: Any) -> Any:
    """Return a generator's state as JSON's types."""
    if hasattr(generator, "bit_generator"):
        return _plain(generator.bit_generator.state)
    return _plain(generator.get_state(legacy=False))


def set_state(generator: Any, state: Any) -> None:
    """Set what `get_state` returned."""
    if hasattr(generator, "bit_generator"):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)


def check_state(generator: Any, state: Any) -> None:
    """Raise what `set_state` would, and change nothing."""
    bits = getattr(generator, "bit_generator", None) or generator._bit_generator
    set_state(type(generator)(type(bits)(0)), state)
    # NumPy takes any position, and would read there: beyond its words, beyond Philox's four.
    if not 0 <= state["state"].get("pos", 0) <= 624 or not 0 <= state.get("buffer_pos", 0) <= 4:
        raise ValueError("the position is beyond the words")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def follow(seeder: Seeder) -> None:
    """Count generators without a seed; give each a seed of its own, or say where it was made.

    `default_rng()`, `SeedSequence()`, `RandomState()` and every bit generator ask one function.

    Source:
        https://github.com/numpy/numpy/blob/main/numpy/random/bit_generator.pyx (`randbits`)
    """
    import os
    import secrets
    import sys

    from repro_env import settings

    mode = settings.read_unseeded(os.environ)
    if mode == "off":
        return
    draw = _derived(seeder) if mode == "derive" else _warned(seeder, secrets.randbits)

    def randbits(bits: int) -> int:
        caller = sys._getframe(1).f_globals.get("__name__")
        if caller == "numpy.random._pickle":  # its state comes with it, in a moment
            return secrets.randbits(bits)
        return draw(bits)

    vars(randbits)["mode"] = mode
    module: Any = sys.modules["numpy.random.bit_generator"]
    module.randbits = randbits


def unseeded_in_effect() -> str:
    """Return what becomes of a generator without a seed: derive, warn or off."""
    import sys

    randbits = sys.modules["numpy.random.bit_generator"].randbits
    return str(getattr(randbits, "mode", "off"))


def _derived(seeder: Seeder) -> Callable[[int], int]:
    def draw(bits: int) -> int:
        from repro_env import processes, streams

        this = seeder.process
        found = processes.derive(this, "unseeded", this.count_unseeded())
        return int.from_bytes(streams.expand(found, -(-bits // 8)), "big") >> -bits % 8

    return draw


def _warned(seeder: Seeder, system: Callable[[int], int]) -> Callable[[int], int]:
    import warnings

    def draw(bits: int) -> int:
        seeder.process.count_unseeded()
        warnings.warn(
            "a NumPy generator without a seed: what it draws will not repeat; "
            "give it one, as repro_env.stream('a name') does, or set REPRO_UNSEEDED=derive",
            RuntimeWarning,
            stacklevel=3,
        )
        return system(bits)

    return draw
