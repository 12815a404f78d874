"""The environment's variables that decide how a process is seeded, read in this one place.

On the path of every Python start: it imports nothing but what follows from the catalogue of knobs.
"""

from repro_env.legal import LEGAL

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Literal, Union

    from repro_env.errors import SettingError

    Profile = Literal["repeatable", "portable"]
    Values = Union[tuple[str, ...], range]

DEFAULT_SEED = "42"
SEEDS = range(2**32)


def check(environ: "Mapping[str, str]") -> None:
    """Refuse a value that breaks the promise.

    Raises:
        SettingError: A knob has an illegal value, or a required one is missing.
    """
    for name, values, image, is_required in LEGAL:
        text = environ.get(name)
        advice = f"set {name}={image}, the image's own value" if image else f"unset {name}"
        if text is None and is_required:
            raise _error(f"{name} is not set", advice)
        if text is not None and not is_one_of(text, values):
            raise _error(f"{name}={text!r} is not {in_words(values)}", advice)


def is_one_of(text: str, values: "Values") -> bool:
    """Say whether a text is one of these words, or a whole number in this range."""
    if isinstance(values, range):
        plain = text.isascii() and text.isdigit() and len(text) <= len(str(values[-1]))
        return plain and int(text) in values
    return text in values


def in_words(values: "Values") -> str:
    """Return legal values as a person would say them."""
    if isinstance(values, range):
        return f"a whole number in {values[0]}..{values[-1]}"
    return f"one of {', '.join(values)}" if values else "any value"


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
    check(environ)
    return int(environ["REPRO_SEED"])


def read_profile(environ: "Mapping[str, str]") -> "tuple[Profile, int]":
    """Return the profile, and how many threads computations are split among under `portable`.

    Returns:
        `("portable", THREADS)`; or `("repeatable", 0)`, where nothing is set.

    Raises:
        SettingError: There is no such profile, or no such number of threads.
    """
    name = environ.get("REPRO_PROFILE", "repeatable")
    if (name == "repeatable" and "REPRO_THREADS" not in environ) or is_disabled(environ):
        return "repeatable", 0
    found = {one: environ[one] for one in ("REPRO_PROFILE", "REPRO_THREADS") if one in environ}
    check({**found, "PYTHONHASHSEED": "0"})
    if name == "portable":
        return "portable", int(found.get("REPRO_THREADS", "1"))
    raise _error(
        f"REPRO_THREADS={found['REPRO_THREADS']!r} counts only with REPRO_PROFILE=portable",
        "set both, or unset it; for one run: repro run --profile portable --threads N",
    )


def read_seed_or_default(environ: "Mapping[str, str]") -> int:
    """Return the seed of the environment, or 42 where it has none.

    Raises:
        SettingError: It is no whole number in 0..2^32-1.
    """
    text = environ.get("REPRO_SEED", DEFAULT_SEED)
    check({"REPRO_SEED": text, "PYTHONHASHSEED": "0"})
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
    check({"REPRO_UNSEEDED": text, "PYTHONHASHSEED": "0"})
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


def read_image_digest(environ: "Mapping[str, str]") -> str:
    """Return the id of the container's image, as its launcher says it; empty where it doesn't.

    Raises:
        SettingError: `REPRO_IMAGE_DIGEST` is no digest.
    """
    text = environ.get("REPRO_IMAGE_DIGEST", "")
    digits = text[len("sha256:") :]
    if text and not (
        text.startswith("sha256:") and len(digits) == 64 and set(digits) <= set("0123456789abcdef")
    ):
        raise _error(
            f"REPRO_IMAGE_DIGEST={text!r} is not sha256: and 64 hex digits",
            "unset it, or set it as `docker image inspect --format {{.Id}}` says it",
        )
    return text


def _error(message: str, hint: str) -> "SettingError":
    from repro_env.errors import SettingError

    return SettingError(message, hint=hint)
