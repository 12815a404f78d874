"""The three questions: other CPUs, other numbers of CPUs, and what each knob is for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from benchmark.markdown import table
from benchmark.stack import Stack

from processors.comparison import Places, Verdict, differing, judge, named
from processors.elsewhere import Elsewhere
from processors.errors import PortabilityError
from processors.report import report
from processors.runs import HERE, LIBRARIES, Outcomes, Place, Runner, run_all
from repro_env.portable import VALUES
from repro_env.unportable import reason

WITHIN, WITHOUT = "with the profile", "without it"
PROFILE = "REPRO_PROFILE"
Answers = Mapping[str, Places]  # by the stack


class Answer(NamedTuple):
    """What one stack's runs gave.

    Args:
        stack: Its name.
        within: With the profile, by the place.
        without: Without it.
        text: Their table.
    """

    stack: str
    within: Places
    without: Places
    text: str


def portable(threads: int = 1) -> dict[str, str]:
    """Return the variables that ask for the profile."""
    return {PROFILE: "portable", "REPRO_THREADS": str(threads)}


def repeatable() -> dict[str, str]:
    """Return the variables that ask for the default profile."""
    return {PROFILE: "repeatable"}


def ask_cpus(
    runner: Runner, cpus: Sequence[str], elsewhere: Mapping[str, Elsewhere] = MappingProxyType({})
) -> Answer:
    """Compare this CPU with emulated ones, and with those of other machines, by their names."""
    places = {HERE: Place(), **{cpu: Place(cpu) for cpu in cpus}}
    wanted = {
        f"{name}, {side}": (place, variables)
        for side, variables in ((WITHIN, portable()), (WITHOUT, repeatable()))
        for name, place in places.items()
    }
    found = run_all(runner, wanted, os.cpu_count() or 1)
    within, without = (
        {name: found[f"{name}, {side}"] for name in places} for side in (WITHIN, WITHOUT)
    )
    within.update({name: there.within for name, there in elsewhere.items()})
    without.update({name: there.without for name, there in elsewhere.items()})
    text = report(within, without, _reason(runner.stack))
    return Answer(runner.stack, within, without, text)


def ask_threads(runner: Runner, counts: Sequence[int], cpu: str) -> Answer:
    """Compare one CPU with two, with all and with an emulated one, for each number of threads.

    Raises:
        PortabilityError: This machine has but one.
    """
    if len(os.sched_getaffinity(0)) < 2:
        raise PortabilityError("this machine has one CPU alone", "ask on one that has two or more")
    first, second = sorted(os.sched_getaffinity(0))[:2]
    places = {
        "1 CPU": Place(cpus=str(first)),
        "2 CPUs": Place(cpus=f"{first},{second}"),
        "all CPUs": Place(),
        cpu: Place(cpu),
    }
    wanted: dict[str, tuple[Place, Mapping[str, str]]] = {
        f"{name}, {count} threads": (place, portable(count))
        for count in counts
        for name, place in places.items()
    }
    # One after another where they are to have the CPUs for themselves would only cost time: a busy
    # machine must not change the bits either.
    wanted.update({f"{name}, {WITHOUT}": (places[name], repeatable()) for name in list(places)[:2]})
    found = run_all(runner, wanted, os.cpu_count() or 1)
    within = {
        name: {
            f"{operation}, {count} threads": outcome
            for count in counts
            for operation, outcome in found[f"{name}, {count} threads"].items()
        }
        for name in places
    }
    without = {name: found[f"{name}, {WITHOUT}"] for name in list(places)[:2]}
    shown = ", ".join(map(str, counts))
    text = f"Each operation with {shown} threads, beside one CPU.\n\n"
    text += report(within, without, _reason(runner.stack), _operation)
    return Answer(runner.stack, within, without, text)


@cache
def _reason(stack: str) -> Callable[[str], str]:
    """Return what says why an operation is known not to be portable, in the stack's versions."""
    locked = {package.name: package.version for package in Stack(stack).lock.python}
    return lambda name: reason(_operation(name), locked)


def _operation(name: str) -> str:
    """Return an operation's name without the number of threads."""
    return name.rpartition(",")[0] if name.endswith(" threads") else name


def judge_all(answers: Sequence[Answer], apart: str = "CPUs") -> Verdict:
    """Return the verdict on all stacks together."""
    if len(answers) == 1:
        stack = answers[0].stack
        return judge(
            answers[0].within,
            answers[0].without,
            _reason(stack),
            apart,
        )

    def prefixed(places: Sequence[tuple[str, Places]]) -> Places:
        return {
            place: {
                f"{stack}: {name}": outcome
                for stack, outcomes in places
                for name, outcome in outcomes[place].items()
            }
            for place in places[0][1]
        }

    def why(name: str) -> str:
        stack, _, operation = name.partition(": ")
        return _reason(stack)(operation)

    within = prefixed([(answer.stack, answer.within) for answer in answers])
    without = prefixed([(answer.stack, answer.without) for answer in answers])
    return judge(within, without, why, apart)


# What a knob could be instead, where that would cost less.
ALTERNATIVES = (
    ("MKL_CBWR", "AVX2"),
    ("MKL_CBWR", "AVX2,STRICT"),
    ("MKL_CBWR", "AUTO"),
    ("ATEN_CPU_CAPABILITY", "default"),
)


def ask_knobs(runner: Runner, cpus: Sequence[str]) -> tuple[str, Verdict]:
    """Leave out each knob, or give it another value, and return the table of what then differs."""
    whole = {
        name: value.format(threads=1)
        for name, value in VALUES
        if "tensorflow" in LIBRARIES[runner.stack] or not name.startswith("TF_")
    }
    changes: dict[str, dict[str, str]] = {"nothing is left out": whole}
    for left in whole:
        changes[f"without `{left}`"] = {name: text for name, text in whole.items() if name != left}
    for name, text in ALTERNATIVES:
        changes[f"`{name}={text}`"] = {**whole, name: text}
    # One place with a single CPU, and the others with all, so that numbers of threads count, too.
    places = {"1 CPU": Place(cpus=str(min(os.sched_getaffinity(0))))}
    places.update({cpu: Place(cpu) for cpu in cpus})
    wanted = {
        f"{change}, {name}": (place, {**repeatable(), **variables})
        for change, variables in changes.items()
        for name, place in places.items()
    }
    found = run_all(runner, wanted, os.cpu_count() or 1)
    known = _reason(runner.stack)
    rows: list[list[str]] = []
    needed: list[str] = []
    idle: list[str] = []
    for change in changes:
        compared = {name: found[f"{change}, {name}"] for name in places}
        differ = [name for name in differing(compared) if not known(name)]
        rows.append([change, str(len(differ)), _groups(differ, compared["1 CPU"])])
        if change.startswith("without "):
            (needed if differ else idle).append(change.removeprefix("without ").strip("`"))
    count = len(found["nothing is left out, 1 CPU"])
    text = f"Of {count} operations, on one CPU of this machine and on {named(list(cpus))}:\n\n"
    text += table(["", "differ", "which"], *rows).text
    words = f"needed on these {len(places)} CPUs: {named(needed) or 'none'}; not needed on them:"
    broken = rows[0][1] != "0"
    verdict = Verdict(int(broken), f"{words} {named(idle) or 'none'}")
    return text, verdict


def _groups(names: Sequence[str], outcomes: Outcomes) -> str:
    groups = [outcomes[name].group for name in names]
    return ", ".join(f"{group} ({groups.count(group)})" for group in dict.fromkeys(groups))
