"""What the catalogue of knobs is made of: the rows' type, and the words that rows share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from repro_env.settings import is_one_of

if TYPE_CHECKING:
    from repro_env.settings import Values

BEFORE_INTERPRETER = "before the interpreter starts"
BEFORE_IMPORT = "before the library is imported"
BEFORE_CUDA = "before CUDA is first used"
ANY_TIME = "at any time"

PYTHON = ("sys",)
NUMPY = ("numpy",)
TORCH = ("torch",)
TENSORFLOW = ("tensorflow",)
FRAMEWORKS = ("torch", "tensorflow")
NOT_SET = ""  # a value: the variable must not be there
THREADS = "{threads}"  # a value: the profile's number of threads


class Profile(NamedTuple):
    """Which knobs are set.

    Args:
        name: `repeatable`, the same bits on the same machine; or `portable`, on another CPU, too.
        threads: How many threads computations are split among under `portable`; else 0.
    """

    name: str = "repeatable"
    threads: int = 0


class Knob(NamedTuple):
    """One variable or switch of a framework that removes one source of nondeterminism.

    Args:
        name: An environment variable; or a switch, as one writes it in Python.
        modules: The knob matters to a process that has loaded one of these.
        repeatable: Its value under the profile `repeatable`; None where that sets none.
        portable: The same under the profile `portable`, where `THREADS` stands for `REPRO_THREADS`.
        when: The latest moment at which setting it still works.
        why: What goes wrong without it.
        source: Where that is documented or measured.
        legal: The values that a process may start with: words, or whole numbers in a range; empty
            stands for any.
        good: Values that serve as well as the profile's.
        required: Whether a process with a seed must not start without it.
        since: The oldest version of the library, as (major, minor), that knows it.
        read: What reads it back: an attribute, or a function without arguments, by its full name.
        gpu: Whether only code for GPUs reads it.
    """

    name: str
    modules: tuple[str, ...]
    repeatable: str | None
    portable: str | None
    when: str
    why: str
    source: str
    legal: Values = ()
    good: Values = ()
    required: bool = False
    since: tuple[int, int] = (0, 0)
    read: str = ""
    gpu: bool = False

    @property
    def is_variable(self) -> bool:
        """Whether it is an environment variable; else a switch."""
        return "." not in self.name

    def wanted(self, profile: Profile) -> str | None:
        """Return its value under a profile."""
        if profile.name != "portable":
            return self.repeatable
        return str(profile.threads) if self.portable == THREADS else self.portable

    def serves(self, text: str | None, profile: Profile) -> bool:
        """Say whether a value keeps the profile's promise; None stands for no value."""
        wanted = self.wanted(profile)
        if wanted == NOT_SET and text is None:
            return True
        if profile.name == "portable" and self.repeatable not in (None, self.portable):
            return text == wanted  # one that tells the profiles apart
        return text is not None and (text == wanted or is_one_of(text, self.good))
