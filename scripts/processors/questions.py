"""The three questions: other CPUs, other numbers of CPUs, and what each knob is for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from benchmark.markdown import table
from benchmark.stack import Stack

from processors.comparison import Places, Verdict, differing, failing, judge, named
from processors.elsewhere import Elsewhere
from processors.errors import PortabilityError
from processors.operations.__main__ import CACHE_SIZES
from processors.report import report
from processors.runs import HERE, LIBRARIES, Place, Runner, run_all
from repro_env.portable import VALUES
from repro_env.unportable import reason

WITHIN, WITHOUT = "with the profile", "without it"
PROFILE = "REPRO_PROFILE"


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
    text = f"Each operation{_chosen(runner)} with {shown} threads, beside one CPU.\n\n"
    text += report(within, without, _reason(runner.stack), _operation)
    return Answer(runner.stack, within, without, text)


@cache
def _reason(stack: str) -> Callable[[str], str]:
    """Return what says why an operation is known not to be portable, in the stack's versions."""
    locked = {package.name: package.version for package in Stack(stack).lock.python}
    return lambda name: reason(_operation(name), locked)


def _chosen(runner: Runner) -> str:
    """Return what a table says of its operations where they were chosen by their names."""
    parts = ", ".join(f"`{part}`" for part in runner.operations)
    return f" named {parts}" if parts else ""


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
NO_VARIABLES = {CACHE_SIZES: "tensorflow.eigen.cache_sizes"}  # under the profile the hook sets it
NOTHING, WITHOUT_KNOB = "nothing is left out", "without "


def ask_knobs(runner: Runner, cpus: Sequence[str]) -> tuple[str, Verdict]:
    """Leave out each knob, or give it another value, and return the table of what then differs.

    Eigen's cache sizes show nothing but beside a CPU with another level 1 cache, such as `max`.
    """
    changes = _changes(runner.stack)
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
    differ: dict[str, list[str]] = {}
    failed: dict[str, list[str]] = {}
    for change in changes:
        compared = {name: found[f"{change}, {name}"] for name in places}
        apart = [name for name in differing(compared) if not known(name)]
        broken = {name: why for name, why in failing(compared).items() if not known(name)}
        cells = [_groups(names, compared) for names in (apart, list(broken))]
        rows.append([change, str(len(apart)), cells[0], str(len(broken)), cells[1]])
        differ[change] = apart
        failed[change] = [f"{change}: {name} ({why})" for name, why in broken.items()]
    which = f"{len(found[f'{NOTHING}, 1 CPU'])} operations{_chosen(runner)}"
    text = f"Of {which}, on one CPU of this machine and on {named(list(cpus))}:\n\n"
    text += table(["", "differ", "which", "failed", "which"], *rows).text
    return text, _judge_knobs(differ, failed, len(places))


def _changes(stack: str) -> dict[str, dict[str, str]]:
    """Return the variables that are set instead of the profile, by what is changed in it."""
    whole = {
        name: value.format(threads=1)
        for name, value in (*VALUES, (CACHE_SIZES, "1"))
        if "tensorflow" in LIBRARIES[stack] or not name.startswith("TF_")
    }
    changes = {NOTHING: whole}
    for left in whole:
        others = {name: text for name, text in whole.items() if name != left}
        changes[f"{WITHOUT_KNOB}`{NO_VARIABLES.get(left, left)}`"] = others
    changes.update({f"`{name}={text}`": {**whole, name: text} for name, text in ALTERNATIVES})
    return changes


def _judge_knobs(
    differ: Mapping[str, Sequence[str]], failed: Mapping[str, Sequence[str]], places: int
) -> Verdict:
    """Return the verdict on what differs and what failed, by what is changed."""
    left = {
        change: change.removeprefix(WITHOUT_KNOB).strip("`")
        for change in differ
        if change.startswith(WITHOUT_KNOB)
    }
    needed = [knob for change, knob in left.items() if differ[change]]
    idle = [knob for change, knob in left.items() if not differ[change] and not failed[change]]
    words = f"needed on these {places} CPUs: {named(needed) or 'none'}"
    words += f"; not needed on them: {named(idle) or 'none'}"
    failures = [each for several in failed.values() for each in several]
    if failures:
        words += f"; can't tell: {len(failures)} failed: {named(failures)}"
    return Verdict(1 if differ[NOTHING] else 2 if failures else 0, words)


def _groups(names: Sequence[str], places: Places) -> str:
    outcomes = {name: each for place in places.values() for name, each in place.items()}
    groups = [outcomes[name].group for name in names]
    return ", ".join(f"{group} ({groups.count(group)})" for group in dict.fromkeys(groups))
