"""The environment's variables that decide how a process is seeded, read in this one place.

On the path of every Python start: it imports nothing but the catalogue.
"""

from repro_env import knobs

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from repro_env.errors import SettingError

DEFAULT_SEED = "42"


def is_disabled(environ: "Mapping[str, str]") -> bool:
    """Say whether `REPRO_DISABLE` switches the start-up hook off.

    Raises:
        SettingError: It is neither 1, nor 0, nor empty.
    """
    text = environ.get("REPRO_DISABLE", "")
    if text not in ("", "0", "1"):
        raise _error(
            f"REPRO_DISABLE={text!r} is neither 0 nor 1", "set REPRO_DISABLE=1, or unset it"
        )
    return text == "1"


def read_seed(environ: "Mapping[str, str]") -> "int | None":
    """Return the seed this process must start with, or None where nobody asked for one.

    Raises:
        SettingError: A knob that the promise rests on has an illegal value.
    """
    if is_disabled(environ) or "REPRO_SEED" not in environ:
        return None
    knobs.check(environ)
    return int(environ["REPRO_SEED"])


def read_seed_or_default(environ: "Mapping[str, str]") -> int:
    """Return the seed of the environment, or 42 where it has none.

    Raises:
        SettingError: It is no whole number in 0..2^32-1.
    """
    text = environ.get("REPRO_SEED", DEFAULT_SEED)
    knobs.check({"REPRO_SEED": text, "PYTHONHASHSEED": "0"})
    return int(text)


def write_seed(environ: "MutableMapping[str, str]", seed: int) -> None:
    """Have the Python processes that this one starts begin with that seed too."""
    environ["REPRO_SEED"] = str(seed)
    environ.setdefault("PYTHONHASHSEED", "0")  # or they refuse to start


def read_unseeded(environ: "Mapping[str, str]") -> str:
    """Return what becomes of a NumPy generator without a seed: derive, warn or off.

    Raises:
        SettingError: `REPRO_UNSEEDED` is none of them.
    """
    text = environ.get("REPRO_UNSEEDED", "derive")
    knobs.check({"REPRO_UNSEEDED": text, "PYTHONHASHSEED": "0"})
    return text


def read_rank(environ: "Mapping[str, str]") -> "int | None":
    """Return this process's rank among several, as torchrun sets it; None where there is one.

    Raises:
        SettingError: `RANK` and `WORLD_SIZE` contradict each other.

    Source:
        https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
    """
    size = environ.get("WORLD_SIZE", "")
    rank = environ.get("RANK", "")
    if not rank or size in ("", "1"):
        return None
    if rank.isdecimal() and size.isdecimal() and int(rank) < int(size):
        return int(rank)
    raise _error(
        f"RANK={rank!r} is not a whole number below WORLD_SIZE={size!r}",
        "unset both, or set them as torchrun does",
    )


def _error(message: str, hint: str) -> "SettingError":
    from repro_env.errors import SettingError

    return SettingError(message, hint=hint)
