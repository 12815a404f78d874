"""PyTorch: CPU and every CUDA device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from repro_env.processes import Seeder

# The CPU generator's state, as `torch.Generator.get_state` lays it out: eight bytes of seed, how
# many words are left, whether it is seeded, which comes next, and the 624 words of MT19937.
# Source: https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/CPUGeneratorImpl.cpp
STATE_BYTES = 5056
WORDS_AT = 24
WORDS = 624
WORD_BYTES = 8  # 32 bits in each


def seed(value: int) -> None:
    """Seed the CPU's generator now and each CUDA device's when CUDA starts."""
    import torch

    torch.manual_seed(value % 2**64)
    if value >= 2**32:  # of which the CPU's would keep the lower half of the half
        seed_generator(torch.default_generator, value)


def wait() -> None:
    """Before a fork: wait for draws that are under way, or the child's would be locked for ever.

    A draw that another thread begins just then can still lock it: nobody else can hold that lock.
    """
    import torch

    torch.default_generator.get_state()


def seed_generator(generator: torch.Generator, value: int) -> None:
    """Set a generator to the start of the stream of a 128-bit seed.

    The CPU's words are SHAKE-256 of the seed's sixteen bytes, the highest first, as 32-bit
    little-endian words.
    """
    import torch

    from repro_env import streams

    generator.manual_seed(value % 2**64)
    if generator.device.type != "cpu":
        return
    state = bytearray(generator.get_state().tolist())
    if len(state) != STATE_BYTES:
        raise RuntimeError(f"torch {torch.__version__} has a generator state of {len(state)} bytes")
    words = streams.expand(value, 4 * WORDS)
    for word in range(WORDS):
        at = WORDS_AT + WORD_BYTES * word
        state[at : at + 4] = words[4 * word : 4 * word + 4]
    generator.set_state(torch.frombuffer(state, dtype=torch.uint8))


def make_deterministic(seeder: Seeder) -> None:
    """Take deterministic kernels, and raise where an operation has none.

    Source:
        https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    del seeder
    import os

    import torch

    # The public function, since torch 2.10, imports the compiler to tell it the same: 1.1 s more.
    # With its variable the compiler knows by itself, whenever it is imported.
    if os.environ.get("TORCHINDUCTOR_DETERMINISTIC") == "1":
        torch._C._set_deterministic_algorithms(True, warn_only=False)
    else:
        torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def cpu_capability() -> str:
    """Return the vector width that PyTorch's own kernels take, such as AVX2."""
    import re

    import torch

    if hasattr(torch.backends, "cpu"):  # since 2.1
        return str(torch.backends.cpu.get_cpu_capability())
    found = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
    return found[1] if found else "unknown"


def version() -> str:
    """Return what the meaning of a state depends on."""
    import torch

    return str(torch.__version__)


def generators() -> dict[str, Any]:
    """Return the CPU's generator, and each CUDA device's once CUDA has begun."""
    import torch

    found = {"torch cpu": torch.default_generator}
    if torch.cuda.is_initialized():
        for number, generator in enumerate(torch.cuda.default_generators):
            found[f"torch cuda:{number}"] = generator
    return found


def begin_cuda() -> None:
    """Begin with CUDA, where there is any, so that its generators can be set."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.init()


def reseed_cuda() -> None:
    """Give CUDA the seed of the CPU's generator: now, or when CUDA begins."""
    import torch

    torch.cuda.manual_seed_all(torch.initial_seed())


def is_generator(thing: object) -> bool:
    """Say whether it is a generator of this library."""
    import torch

    return isinstance(thing, torch.Generator)


def get_state(generator: torch.Generator) -> Any:
    """Return a generator's state as JSON's types: its bytes in base 64."""
    from base64 import b64encode

    return b64encode(bytes(generator.get_state().tolist())).decode()


def set_state(generator: torch.Generator, state: Any) -> None:
    """Set what `get_state` returned."""
    from base64 import b64decode

    import torch

    text = bytearray(b64decode(state, validate=True))
    generator.set_state(torch.frombuffer(text, dtype=torch.uint8))


def check_state(generator: torch.Generator, state: Any) -> None:
    """Raise what `set_state` would, and change nothing."""
    import torch

    set_state(torch.Generator(generator.device), state)
