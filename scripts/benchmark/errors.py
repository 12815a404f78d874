"""What this package raises on purpose."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A figure that can't be had: the message says why, the hint names one action."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def describe(self) -> str:
        """Return the two lines that the command prints before it leaves."""
        return f"error: {self}\n  what to do: {self.hint}\n"
