"""The cause of a difference, from two close looks at the step where it begins.

The rule: the first thing whose outputs differ while its inputs agree is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from repro_env.content import differences
from repro_env.errors import RecordError, ReproError
from repro_env.steps import looks
from repro_env.steps.looks import Call, Look, Rows

MOST_DETAILS = 10


class Found(NamedTuple):
    """The cause, as far as two close looks tell.

    Args:
        text: In one sentence.
        step: The step's number.
        module: The first module whose output differs while its inputs agree; empty if none.
        details: Which tensors differ there, and by how much.
    """

    text: str
    step: int
    module: str
    details: tuple[str, ...]


class _Cause(NamedTuple):
    text: str
    parts: Sequence[str]  # names in the files of values
    module: str = ""


def cause(a: Path, b: Path) -> Found | None:
    """Return the cause of a difference, from the trace folders of two runs that were watched.

    Returns:
        None where they agree, or one of them did not reach the step.

    Raises:
        RecordError: One is damaged, or they were watched at different steps.
    """
    mine, theirs = looks.read(a), looks.read(b)
    return None if mine is None or theirs is None else find(mine, theirs)


def find(a: Look, b: Look) -> Found | None:
    """Return the cause of the difference between two looks at the same step; None if they agree.

    Raises:
        RecordError: They are of different steps, or digested by different hashes.
    """
    if (a.source, a.step, a.hash) != (b.source, b.step, b.hash):
        raise RecordError(
            "two close looks are at different steps, or by different hashes",
            hint="verify again: repro verify --steps",
        )
    first = next((one for one in (rule(a, b) for rule in RULES) if one), None)
    if first is None:
        return None
    return Found(first.text, a.step, first.module, _details(a, b, first.parts))


def _outside(a: Look, b: Look) -> _Cause | None:
    """See what was changed before the step, by none of the entries that agree."""
    names = [name for name in _differing(a.start, b.start) if not name.startswith("generator ")]
    names.sort(key=lambda name: not name.startswith("parameter "))
    parts = [f"start: {name}" for name in names]
    if names and a.step <= 1:
        return _Cause(f"{_words(names)} differed before step {a.step}", parts)
    if names:
        when = f"between step {a.step - 1} and step {a.step}"
        return _Cause(f"{_words(names)} changed outside of the optimizer, {when}", parts)
    names = _differing(a.backward, b.backward)
    if names:
        when = f"in step {a.step}, before its gradients were computed"
        return _Cause(f"{_words(names)} changed outside of the optimizer, {when}", ())
    return None


def _generators(a: Look, b: Look) -> _Cause | None:
    names = [name for name in _differing(a.start, b.start) if name.startswith("generator ")]
    if not names:
        return None
    text = f"{_words(names)} had drawn, or was seeded, otherwise before step {a.step}"
    return _Cause(text, ())


def _module(a: Look, b: Look) -> _Cause | None:
    for mine, theirs in _paired(a, b):
        names = _differing(mine.outputs, theirs.outputs)
        if names and not _differing(mine.inputs, theirs.inputs):
            parts = [f"output{' ' * bool(name)}{name} of {mine.module}" for name in names]
            text = f"{mine.module} ({mine.kind}) gave other outputs for the same inputs"
            return _Cause(f"{text} in step {a.step}", parts, mine.module)
    return None


def _batch(a: Look, b: Look) -> _Cause | None:
    found = [pair for pair in _paired(a, b) if _differing(pair[0].inputs, pair[1].inputs)]
    if not found:
        return None
    first, other = min(found, key=lambda pair: pair[0].begun)
    names = ", ".join(f"input {name}" for name in _differing(first.inputs, other.inputs))
    return _Cause(f"the batch of step {a.step} differs: {names} of {first.module}", ())


def _order(a: Look, b: Look) -> _Cause | None:
    """See whether the program went another way through its modules."""
    mine, theirs = ([call.module for call in look.calls] for look in (a, b))
    if mine == theirs:
        return None
    pairs = zip([*mine, "no other"], [*theirs, "no other"])
    was, now = next(pair for pair in pairs if pair[0] != pair[1])
    return _Cause(f"step {a.step} called {was} in one run, and {now} in the other", ())


def _loss(a: Look, b: Look) -> _Cause | None:
    names = [name for name in _differing(a.end, b.end) if name.startswith("loss")]
    if not names:
        return None
    if a.calls:
        text = "though the outputs of all modules agree: its targets do, or what is computed beside"
    else:
        text = "though what it began with agrees: the batch, or what was drawn in it, does"
    return _Cause(f"the loss of step {a.step} differs {text}", ())


def _gradient(a: Look, b: Look) -> _Cause | None:
    names = [name for name in _differing(a.end, b.end) if name.startswith("gradient ")]
    if not names:
        return None
    last = names[-1]  # gradients are computed from the last parameter to the first
    text = f"{last} of step {a.step} differs, the first one computed that does"
    return _Cause(f"{text}, though the loss agrees", [last, *reversed(names[:-1])])


def _optimizer(a: Look, b: Look) -> _Cause | None:
    names = [name for name in _differing(a.end, b.end) if name.startswith("optimizer ")]
    if names:
        text = f"{_words(names)} of step {a.step} differs, though the loss agrees: the gradients do"
        return _Cause(text, names)
    names = [name for name in _differing(a.end, b.end) if name.startswith("parameter ")]
    if not names:
        return None
    text = f"{_words(names)} differs after step {a.step}, though all before it agrees"
    text += ": by the optimizer, or by what ran between backward() and its step"
    return _Cause(text, names)


def _rest(a: Look, b: Look) -> _Cause | None:
    names = _differing(a.end, b.end)
    return _Cause(f"{_words(names)} differs after step {a.step}", names) if names else None


Rule = Callable[[Look, Look], "_Cause | None"]
RULES: tuple[Rule, ...] = (
    _outside,
    _generators,
    _module,
    _batch,
    _order,
    _loss,
    _gradient,
    _optimizer,
    _rest,
)


def _paired(a: Look, b: Look) -> list[tuple[Call, Call]]:
    theirs = {call.module: call for call in b.calls}
    return [(call, theirs[call.module]) for call in a.calls if call.module in theirs]


def _differing(was: Rows, now: Rows) -> list[str]:
    """Return the names whose type, shape or digest differs, or that only one side has."""
    names = dict.fromkeys([*was, *now])
    return [name for name in names if was.get(name) != now.get(name)]


def _words(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def _details(a: Look, b: Look, parts: Sequence[str]) -> tuple[str, ...]:
    """Return by how much the values differ, and what the looks left out."""
    notes = tuple(dict.fromkeys([*a.notes, *b.notes]))
    if not parts:
        return notes
    try:
        compared = differences.of_files(a.values, b.values).differences
    except ReproError as error:
        return (f"the values can't be compared: {error.args[0]}", *notes)
    texts = {one.part: one.text for one in compared}
    found = [f"{part}: {texts[part]}" for part in parts if part in texts]
    return (*found[:MOST_DETAILS], *notes)
