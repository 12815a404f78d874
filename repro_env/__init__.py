"""Runs that repeat bit for bit: seeds, named streams, generator states.

Nothing is imported here until it is asked for: the start-up hook pays for every module, in every
Python process. Type checkers read `__init__.pyi`.
"""

__version__ = "0.1.0"
__all__ = (
    "HookError",
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
    "step",
    "stream",
    "tf_generator",
    "torch_generator",
    "unseeded_generators",
)


def __getattr__(name: str) -> object:
    if name not in __all__:  # such as `seeding`, at the hook's own `from repro_env import seeding`
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    names = ("errors", "seed", "generators", "stepping", "state")
    modules = (import_module(f"{__name__}.{module}") for module in names)
    value = next(getattr(module, name) for module in modules if hasattr(module, name))
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
