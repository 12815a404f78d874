"""Everything we raise on purpose.

ReproError
└── SettingError    an environment variable whose value can't be honoured
"""


class ReproError(Exception):
    """A promise that can't be kept: the message says what and why, the hint names one action."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class SettingError(ReproError):
    """An environment variable whose value can't be honoured."""


def describe(error: Exception) -> str:
    """Return the lines a door prints before it leaves: what is wrong, and what to do."""
    if isinstance(error, ReproError):
        return f"error: {error}\n  what to do: {error.hint}\n"
    return (
        f"error: repro-env could not seed this process: {type(error).__name__}: {error}\n"
        "  what to do: set REPRO_DISABLE=1 to run without seeds, and report this\n"
    )
