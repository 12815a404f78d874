"""The same operations in several places: which of them differ, and what that says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from processors.runs import TRAINING_GROUP, Outcomes

MOST_NAMED = 20
Places = Mapping[str, Outcomes]  # by what the place is called; the first is compared with
MISSING = "missing"


class Verdict(NamedTuple):
    """What a comparison says.

    Args:
        status: 0 the same, 1 different, or nothing proved, 2 it can't be asked.
        words: In one line.
    """

    status: int
    words: str


def differing(places: Places) -> dict[str, list[str]]:
    """Return the operations that differ, each with the places that don't give the first's bits."""
    first, *others = places
    found = {}
    for name, expected in places[first].items():
        apart = [
            place
            for place in others
            if name in places[place] and _differs(expected, places[place][name])
        ]
        if apart:
            found[name] = apart
    return found


def _differs(one: object, other: object) -> bool:
    digests = [getattr(each, "digest", "") for each in (one, other)]
    return all(digests) and digests[0] != digests[1]


def failing(places: Places) -> dict[str, str]:
    """Return the operations that gave no bits somewhere, each with the first reason."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(name for outcomes in places.values() for name in outcomes):
        for place, outcomes in places.items():
            error = outcomes[name].error if name in outcomes else MISSING
            if error and name not in found:
                found[name] = f"{error} ({place})"
    return found


def judge(
    within: Places, without: Places, reason: Callable[[str], str], apart: str = "CPUs"
) -> Verdict:
    """Return the verdict on operations with the profile and without it.

    Args:
        within: With the profile.
        without: Without it, where something must differ, or the question has asked nothing.
        reason: Why an operation is known not to be portable; empty where it should be.
        apart: What the places are, in the plural.
    """
    all_names = list(within[next(iter(within))])
    names = [name for name in all_names if not reason(name)]
    failed = {name: why for name, why in failing(within).items() if not reason(name)}
    differ = [name for name in differing(within) if not reason(name)]
    changed = [name for name in differing(without) if not reason(name)]
    count = f"{len(within)} {apart}"
    known = _known(len(all_names) - len(names))
    if differ:
        share = f"{len(differ)} of {len(names)}"
        return Verdict(1, f"not portable: {share} differ on {count}: {named(differ)}{known}")
    if failed:
        shown = named([f"{name} ({why})" for name, why in failed.items()])
        return Verdict(2, f"can't tell: {len(failed)} of {len(names)} failed: {shown}")
    if len(within) == 1:
        return Verdict(0, f"nothing is compared: {_counted(within, names)} on one CPU alone")
    if not names:
        return Verdict(2, "can't tell: nothing was compared that should be portable")
    if not changed:
        return Verdict(
            1,
            f"proves nothing: without the profile, too, nothing of {_counted(within, names)}"
            f" differs on {count}",
        )
    have = "has" if len(names) == 1 else "have"
    return Verdict(
        0,
        f"portable: {_counted(within, names)} {have} the same bits on {count};"
        f" without the profile {len(changed)} differ{known}",
    )


def named(names: list[str]) -> str:
    """Return names in a row, the first of very many."""
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"


def _known(count: int) -> str:
    return f"; {count} known not to be portable are not counted" if count else ""


def _counted(places: Places, names: list[str]) -> str:
    groups = [places[next(iter(places))][name].group for name in names]
    trainings = groups.count(TRAINING_GROUP)
    operations = _several(len(groups) - trainings, "operation")
    if not trainings:
        return operations
    return f"{operations} and {_several(trainings, 'training')}"


def _several(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
