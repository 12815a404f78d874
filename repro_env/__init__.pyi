from repro_env.errors import HookError, ReproError, SeedError, SettingError, StateError
from repro_env.generators import (
    dataloader_generator,
    seed_for,
    stream,
    tf_generator,
    torch_generator,
)
from repro_env.seed import seed_everything, seed_worker, unseeded_generators
from repro_env.state import isolated_rng, load_rng, restore_rng, rng_state, save_rng
from repro_env.stepping import step

__version__: str
__all__ = [
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
]
