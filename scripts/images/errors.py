"""What this package raises on purpose."""

from __future__ import annotations


class ImageError(Exception):
    """A question that can't be answered: the message says why, the hint names one action."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def describe(self) -> str:
        """Return the two lines that a command prints before it leaves."""
        return f"error: {self}\n  what to do: {self.hint}\n"
