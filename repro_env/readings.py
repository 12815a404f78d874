"""Read a process's knobs back from within. Imports no library, draws nothing, changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from repro_env import knobs, profile, seeding
from repro_env.cpu_knobs import CPU_KNOBS
from repro_env.knob import Knob
from repro_env.loaded import UnreadableError

FRAMEWORKS = ("numpy", "torch", "tensorflow")
PROBED = "repro-env"  # the text whose hash shows which seed hashes have
OF_PORTABLE = ("repro_env.libraries.cpu.", "repro_env.libraries.eigen.")
# What else decides bits, besides the knobs.
FACTS = {
    "torch threads": "torch.get_num_threads()",
    "torch cuda": "torch.version.cuda",
    "torch architectures": "torch._C._cuda_getArchFlags()",
    "tensorflow threads": "tensorflow.config.threading.get_intra_op_parallelism_threads()",
    "tensorflow build": "tensorflow.sysconfig.get_build_info()",
}


def evaluate(path: str) -> Any:
    """Return an attribute of what is loaded, or what a function there returns.

    Args:
        path: Its full name; with `()` at the end the function is called.

    Raises:
        UnreadableError: With the reason.
    """
    *modules, name = path.removesuffix("()").split(".")
    if modules[0] == "repro_env":
        __import__(".".join(modules))
    depths = range(len(modules), 0, -1)
    loaded = next((n for n in depths if ".".join(modules[:n]) in sys.modules), 0)
    if not loaded:
        raise UnreadableError(f"{modules[0]} is not loaded")
    thing: Any = sys.modules[".".join(modules[:loaded])]
    try:
        for attribute in (*modules[loaded:], name):
            thing = getattr(thing, attribute)
        return thing() if path.endswith("()") else thing
    except UnreadableError:
        raise
    except AttributeError:
        owner = f"{modules[0]} {version(modules[0])}".strip()
        raise UnreadableError(f"{owner} has no {path}") from None
    except Exception as error:  # a library's own; it must not end the user's process
        raise UnreadableError(f"{path} raised {type(error).__name__}: {error}") from None


def knobs_in_effect(
    modules: Collection[str], after_import: bool = False
) -> dict[str, dict[str, str]]:
    """Return each readable knob of these modules: its value, or why it can't be read.

    Args:
        modules: The modules.
        after_import: Whether they were imported only just now: what a library reads when it first
            computes is left to it, since asking for it would have it read now.
    """
    found: dict[str, dict[str, str]] = {}
    for knob in knobs.KNOBS:
        if _is_read(knob, after_import) and not set(modules).isdisjoint(knob.modules):
            try:
                found[knob.name] = {"value": str(evaluate(knob.read))}
            except UnreadableError as error:
                found[knob.name] = {"unreadable": str(error)}
    return found


def _is_read(knob: Knob, after_import: bool) -> bool:
    if knob.read.startswith(OF_PORTABLE):
        return bool(profile.threads) and not after_import
    return bool(knob.read) and not (after_import and knob in CPU_KNOBS)


def facts() -> dict[str, Any]:
    """Return what loaded frameworks say of themselves; what they can't say is left out."""
    found: dict[str, Any] = {}
    for name, path in FACTS.items():
        try:
            found[name] = evaluate(path)
        except UnreadableError:
            continue
    if is_cuda_in_use():
        found.update(_cuda_facts())
    return found


def _cuda_facts() -> dict[str, Any]:
    torch: Any = sys.modules["torch"]
    devices = range(torch.cuda.device_count())
    properties = [torch.cuda.get_device_properties(device) for device in devices]
    return {
        "torch cudnn": torch.backends.cudnn.version(),
        "torch multiprocessors": [one.multi_processor_count for one in properties],
    }


def is_loaded(module: str) -> bool:
    """Say whether a module has been imported, to its end."""
    found = sys.modules.get(module)  # None too where it is blocked
    return found is not None and not getattr(
        getattr(found, "__spec__", None), "_initializing", False
    )


def version(module: str) -> str:
    """Return a loaded module's version; empty where it has none."""
    return str(getattr(sys.modules.get(module), "__version__", ""))


def versions() -> dict[str, str]:
    """Return the loaded frameworks and their versions."""
    return {name: version(name) for name in FRAMEWORKS if is_loaded(name)}


def variables_at_exec() -> dict[str, str]:
    """Return the knobs' variables that this program was started with."""
    try:
        text = Path("/proc/self/environ").read_bytes()
    except OSError:  # no Linux
        return variables_now()
    pairs = (item.partition(b"=") for item in text.split(b"\0"))
    return _knobs_of({os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs})


def variables_now() -> dict[str, str]:
    """Return the knobs' variables as they are now."""
    return _knobs_of(dict(os.environ))


def _knobs_of(environ: dict[str, str]) -> dict[str, str]:
    # By name: nobody's secrets leave the process.
    names = [knob.name for knob in knobs.variables()]
    return {name: environ[name] for name in names if name in environ}


def seeds() -> dict[str, Any]:
    """Return what is seeded here, with what, and how often a seed had to be given by us."""
    seeder = seeding.active
    if seeder is None:
        return {"seed": None, "place": "", "libraries": [], "unseeded": 0}
    process = seeder.process
    return {
        "seed": process.seed,
        "place": process.place,
        "libraries": seeder.seeded,
        "unseeded": process.unseeded,
    }


def seed_in_effect() -> int | None:
    """Return the seed that this process draws from; None where it has none."""
    return seeding.active.process.seed if seeding.active else None


def profile_in_effect() -> str:
    """Return the profile that this process has set."""
    return "portable" if profile.threads else "repeatable"


def threads_in_effect() -> int | None:
    """Return how many threads computations are split among; None where no profile says."""
    return profile.threads or None


def is_cuda_in_use() -> bool:
    """Say whether PyTorch has begun with CUDA."""
    return bool(getattr(sys.modules.get("torch.cuda"), "_initialized", False))


def blas() -> list[str]:
    """Return the files of BLAS and OpenMP libraries that are loaded."""
    try:
        maps = Path("/proc/self/maps").read_bytes().decode(errors="replace").splitlines()
    except OSError:
        return []
    files = {line.split(maxsplit=5)[5] for line in maps if line.count("/") and ".so" in line}
    kinds = ("openblas", "libmkl_rt", "libblis", "libblas", "libgomp", "libiomp", "libomp")
    return sorted(file for file in files if any(kind in file.rpartition("/")[2] for kind in kinds))
