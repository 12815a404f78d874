"""One thing that is not the same in two runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from repro_env.records.definition import Strict, Unavailable

YES: Final = "yes"
NO: Final = "no"
UNKNOWN: Final = "unknown"

Answer = Literal["yes", "no", "unknown"]
Group = Literal["code", "inputs", "environment", "outputs"]


class Finding(Strict, frozen=True):
    """One thing that is not the same in two runs.

    Args:
        group: What it belongs to.
        what: Its name.
        was: In the first run.
        now: In the second.
        can_change_bits: Whether that can be why outputs differ; `unknown` where it can't be
            told. Of an output: whether its bytes or its content differ, which is `yes`.
        why: The reason for that.
    """

    group: Group
    what: str
    was: str
    now: str
    can_change_bits: Answer
    why: str


def compared(
    what: str,
    was: object,
    now: object,
    decides: Answer,
    why: str,
    group: Group = "environment",
) -> Iterator[Finding]:
    """Say whether two values differ, and whether that can be why outputs do.

    Args:
        what: Their name.
        was: In the first run.
        now: In the second.
        decides: Whether a difference can change bits, where both are known.
        why: The reason for that.
        group: What it belongs to.
    """
    if was == now:
        return
    is_known = not isinstance(was, Unavailable) and not isinstance(now, Unavailable)
    yield Finding(group, what, _text(was), _text(now), decides if is_known else UNKNOWN, why)


def _text(value: object) -> str:
    if isinstance(value, Unavailable):
        return f"unavailable: {value.reason}"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, Strict):
        fields = (str(getattr(value, name)) for name in value.__struct_fields__)
        return " ".join(fields)
    return str(value)
