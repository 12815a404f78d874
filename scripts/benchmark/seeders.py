"""A seeded process that has drawn from torch, against other packages' ways to get one."""

from __future__ import annotations

from benchmark.markdown import Report, compare
from benchmark.stack import Stack
from benchmark.starts import time_starts
from benchmark.turns import Comparison

SEEDING_RUNS = 30
SEEDING_TARGET = 1.0

DRAW = "import torch; torch.rand(1)"
# Each as its documentation calls it, with the arguments that it has by default.
SEEDERS = {
    "lightning_fabric": "seed_everything",
    "accelerate.utils": "set_seed",
    "transformers": "set_seed",
}


def measure_seeding(stack: Stack) -> Report:
    """Compare a draw under the hook with the same draw after each package's seeding."""
    image = stack.strangers_image
    return compare(
        "the package's",
        "the hook's",
        *(_compare_seeder(image, module, name) for module, name in SEEDERS.items()),
    )


def _compare_seeder(image: str, module: str, name: str) -> Comparison:
    seed = f"from {module} import {name}; {name}(42)"
    seconds = time_starts(image, DRAW, f"{seed}; {DRAW}", SEEDING_RUNS)
    return Comparison(f"`{module}.{name}`", *seconds, SEEDING_TARGET)
