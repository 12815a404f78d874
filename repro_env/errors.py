"""Everything we raise on purpose.

ReproError
├── SettingError    an environment variable whose value can't be honoured
├── SeedError       a seed, or a key of a stream, that can't be honoured
├── StateError      generator states that can't be read, or not by this process
├── HookError       an environment that can't be given the start-up hook
├── CommandError    a command that can't be started, or not as it was recorded
└── RecordError     a record, or its run, that can't be found, read or written
"""


class ReproError(Exception):
    """A promise that can't be kept: the message says what and why, the hint names one action."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> "tuple[object, ...]":
        return _rebuild, (type(self), self.args[0], self.hint)  # a worker's error reaches its pool

    def __str__(self) -> str:
        return f"{self.args[0]}\n  what to do: {self.hint}"


def _rebuild(kind: "type[ReproError]", message: str, hint: str) -> "ReproError":
    return kind(message, hint=hint)


class SettingError(ReproError):
    """An environment variable whose value can't be honoured."""


class SeedError(ReproError):
    """A seed, or a key of a stream, that can't be honoured."""


class StateError(ReproError):
    """Generator states that can't be read, or that don't fit this process."""


class HookError(ReproError):
    """An environment that can't be given the start-up hook, or not be freed of it."""


class CommandError(ReproError):
    """A command that can't be started, or not as it was recorded."""


class RecordError(ReproError):
    """A record, or its run, that can't be found, read or written."""


def describe(error: Exception) -> str:
    """Return the lines a door prints before it leaves: what is wrong, and what to do."""
    if isinstance(error, ReproError):
        return f"error: {error}\n"
    return (
        f"error: repro-env could not seed this process: {type(error).__name__}: {error}\n"
        "  what to do: set REPRO_DISABLE=1 to run without seeds, and report this\n"
    )
