"""Numbers of bytes and seconds as people say them."""

from __future__ import annotations


def size(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"


def seconds(duration_s: float) -> str:
    """Return a duration in words."""
    if duration_s < 120:
        return f"{duration_s:.1f} s"
    minutes, rest = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def profile(name: str, threads: int) -> str:
    """Return a profile in words, with its number of threads where it fixes one.

    Args:
        name: `repeatable` or `portable`.
        threads: 0 where it fixes none.
    """
    if not threads:
        return name
    return f"{name} with {threads} thread{'s' if threads > 1 else ''}"
