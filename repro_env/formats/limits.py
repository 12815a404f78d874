"""How much may come out of a packed file: a small one can unfold to what takes days to read."""

from __future__ import annotations

from pathlib import Path

from repro_env.formats import UnreadableError

FREE = 2**27  # bytes that may come out of the smallest file
FACTOR = 1000  # and out of each of its bytes: about what deflate can do


class Budget:
    """What may still come out of one file."""

    def __init__(self, path: Path) -> None:
        self._left = FREE + FACTOR * path.stat().st_size

    def spend(self, size_bytes: int) -> None:
        """Count what comes out.

        Raises:
            UnreadableError: It is far more than the file.
        """
        self._left -= size_bytes
        if self._left < 0:
            raise UnreadableError("it unfolds to far more than its size")
