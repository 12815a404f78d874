"""What another machine's CPU gave, as `scripts/portability --json` printed it there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from processors.errors import PortabilityError
from processors.runs import HERE, Outcome, Outcomes

SIDES = ("with", "without")


class Elsewhere(NamedTuple):
    """One stack's outcomes on another machine.

    Args:
        within: With the profile.
        without: Without it.
    """

    within: Outcomes
    without: Outcomes


def read_elsewhere(file: Path, stack: str) -> Elsewhere:
    """Return what the machine that a file comes from gave on its own CPU.

    Raises:
        PortabilityError: It can't be read, is something else, or has not that stack.
    """
    advice = f"make it on the other machine: scripts/portability --stack {stack} --here --json"
    try:
        told = json.loads(file.read_text())
        sides: Mapping[str, Any] = told["stacks"][stack]
        return Elsewhere(*(_outcomes(sides[side][HERE]) for side in SIDES))
    except OSError as error:
        raise PortabilityError(f"{file} can't be read: {error.strerror}", advice) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PortabilityError(f"{file} has no outcomes of the {stack} stack", advice) from None


def _outcomes(told: Mapping[str, Mapping[str, str]]) -> Outcomes:
    return {name: Outcome(**outcome) for name, outcome in told.items()}
