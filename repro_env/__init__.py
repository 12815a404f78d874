"""Runs that repeat bit for bit: seeds, named streams, generator states.

Nothing is imported here until it is asked for: the start-up hook pays for every module, in every
Python process.
"""

__version__ = "0.1.0"
__all__ = [
    "ReproError",
    "SeedError",
    "SettingError",
    "StateError",
    "dataloader_generator",
    "isolated_rng",
    "load_rng",
    "restore_rng",
    "rng_state",
    "save_rng",
    "seed_everything",
    "seed_for",
    "seed_worker",
    "stream",
    "tf_generator",
    "torch_generator",
    "unseeded_generators",
]

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from repro_env.errors import ReproError, SeedError, SettingError, StateError
    from repro_env.generators import (
        dataloader_generator,
        seed_for,
        stream,
        tf_generator,
        torch_generator,
    )
    from repro_env.seed import seed_everything, seed_worker, unseeded_generators
    from repro_env.state import isolated_rng, load_rng, restore_rng, rng_state, save_rng


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    for module in ("errors", "seed", "generators", "state"):
        value = getattr(import_module(f"{__name__}.{module}"), name, None)
        if value is not None:
            globals()[name] = value
            return value
    raise AssertionError(name)


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
