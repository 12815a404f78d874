"""The image's size against the sum of what one asked for."""

from __future__ import annotations

from benchmark.engine import in_container, unpacked_bytes
from benchmark.markdown import Report, megabytes, table
from benchmark.stack import Stack
from benchmark.turns import verdict

SIZE_TARGET = 1.05
PACKAGES = '"$VIRTUAL_ENV"/lib/python3*/site-packages'


def measure_size(stack: Stack) -> Report:
    """Compare the image's size with its base and what is installed on it."""
    whole, base = unpacked_bytes(stack.image), unpacked_bytes(stack.build_os())
    packages = int(in_container(stack.image, "sh", "-c", f"du -sb {PACKAGES}").split()[0])
    find = f"find {PACKAGES} -name '*.pyc' -printf '%s\\n'"
    bytecode = sum(map(int, in_container(stack.image, "sh", "-c", find).split()))
    ratio = whole / (base + packages)
    return table(
        ["image", "base and Debian's", "Python's", "its bytecode", "ratio", "target", "kept"],
        [
            *map(megabytes, (whole, base, packages, bytecode)),
            f"**{ratio:.3f}**",
            f"{SIZE_TARGET:.2f}",
            verdict(ratio, ratio, SIZE_TARGET),
        ],
    )
