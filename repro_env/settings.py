"""The environment's `REPRO_*` variables, read in this one place.

On the path of every Python start: it imports nothing but the catalogue.
"""

from repro_env import knobs

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Mapping


def is_disabled(environ: "Mapping[str, str]") -> bool:
    """Say whether `REPRO_DISABLE` switches the start-up hook off.

    Raises:
        SettingError: It is neither 1, nor 0, nor empty.
    """
    text = environ.get("REPRO_DISABLE", "")
    if text not in ("", "0", "1"):
        from repro_env.errors import SettingError

        raise SettingError(
            f"REPRO_DISABLE={text!r} is neither 0 nor 1", hint="set REPRO_DISABLE=1, or unset it"
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
