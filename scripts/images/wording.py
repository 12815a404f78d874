"""How sizes, steps and differences read on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from images.compare import FIRST, PathDifference
from images.documents import Aspect

LINES_SHOWN = 40
STEP_WIDTH = 80
DIGEST_WIDTH = len("sha256:") + 12
VALUE_WIDTH = 200


def size(size_bytes: int) -> str:
    """Return a size in decimal units, as Docker counts."""
    amount = float(abs(size_bytes))
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    sign = "-" if size_bytes < 0 else ""
    return f"{sign}{amount:.0f} {unit}" if unit == "B" else f"{sign}{amount:.1f} {unit}"


def shortened(text: str, width: int) -> str:
    """Return text on one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3] + "..."


def capped(lines: Sequence[str], shown: int | None) -> list[str]:
    """Return the first lines, and how many more there are; all of them for None."""
    if shown is None or len(lines) <= shown:
        return list(lines)
    return [*lines[:shown], f"and {len(lines) - shown} more (--all shows them)"]


def aspect(found: Aspect) -> str:
    """Return what differs, and how."""
    return f"{found.name} {_value(found.was)} -> {_value(found.now)}"


def path(found: PathDifference) -> str:
    """Return one line for a path of two archives."""
    if found.aspects:
        return f"{found.path}: {', '.join(map(aspect, found.aspects))}"
    return f"only in {'the first' if found.side == FIRST else 'the second'}: {found.path}"


def indented(lines: Sequence[str], spaces: int = 2) -> list[str]:
    """Return the lines, moved to the right."""
    return [" " * spaces + line for line in lines]


def _value(text: str) -> str:
    if text.startswith("sha256:"):
        return text[:DIGEST_WIDTH]
    return shortened(text, VALUE_WIDTH) or "(empty)"
