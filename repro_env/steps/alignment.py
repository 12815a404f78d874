"""Where two step streams part: entries that belong together, and the first that differs.

A is the reference's stream, and B the attempt's.

Entries belong together by their source, their step, and how many of that came before: so streams
of unequal length, or whose sources take turns otherwise, are aligned, and that is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from repro_env.errors import RecordError
from repro_env.steps.stream import Entry, Stream

Key = tuple[str, int, int]  # source, step, how many of these before
How = Literal["values", "type or shape", "only in A", "only in B"]


class Alignment(NamedTuple):
    """Which entries of two streams belong together.

    Args:
        pairs: Their places in A and in B, in A's order.
        only_in_a: Places of entries that B lacks.
        only_in_b: Places of entries that A lacks.
        is_in_order: Whether those that both have come in the same order.
    """

    pairs: tuple[tuple[int, int], ...]
    only_in_a: tuple[int, ...]
    only_in_b: tuple[int, ...]
    is_in_order: bool


class ColumnDifference(NamedTuple):
    """A column that differs in one entry.

    Args:
        name: What it is called: `loss`, `parameter fc1.weight`.
        how: In what.
        was: Its type and shape in A; empty where A lacks it.
        now: In B.
    """

    name: str
    how: How
    was: str
    now: str


class EntryDifference(NamedTuple):
    """An entry that differs.

    Args:
        entry: Its place in A, from 0; where A lacks it, its place in B.
        source: What made it.
        step: Its number.
        number: How many of that source and step come before it.
        columns: The names of what differs, in causal order; empty where one stream lacks the entry.
        differences: How each of them differs.
        loss: In A and in B; None where it is unknown.
        missing: `A` or `B`, where one of them lacks the entry; empty elsewhere.
    """

    entry: int
    source: str
    step: int
    number: int
    columns: tuple[str, ...]
    differences: tuple[ColumnDifference, ...]
    loss: tuple[float | None, float | None]
    missing: Literal["", "A", "B"]

    @property
    def text(self) -> str:
        """Return one sentence on the first thing in it that differs."""
        what = f"step {self.step} of {self.source}"
        if self.missing:
            return f"only {'the attempt' if self.missing == 'A' else 'the reference'} has {what}"
        first, *others = self.differences
        more = f", and {len(others)} more with it" * bool(others)
        return f"{what}: {_words(first, self.loss)}{more}"


def align(a: Stream, b: Stream) -> Alignment:
    """Return which entries belong together."""
    mine, theirs = _keys(a.entries), _keys(b.entries)
    where = {key: place for place, key in enumerate(theirs)}
    pairs = [(place, where[key]) for place, key in enumerate(mine) if key in where]
    known = set(mine)
    return Alignment(
        tuple(pairs),
        tuple(place for place, key in enumerate(mine) if key not in where),
        tuple(place for place, key in enumerate(theirs) if key not in known),
        all(one[1] < next_one[1] for one, next_one in zip(pairs, pairs[1:])),
    )


def first_difference(a: Stream, b: Stream) -> EntryDifference | None:
    """Return the first entry that differs, or that one stream lacks; None if there is none.

    Another order of the same entries is no difference: `align` says it.

    Raises:
        RecordError: The streams were digested by different hashes.
    """
    return next(iter(spread(a, b)), None)


def spread(a: Stream, b: Stream) -> list[EntryDifference]:
    """Return all entries that differ, or that one stream lacks, by their places.

    Raises:
        RecordError: The streams were digested by different hashes.
    """
    if a.hash != b.hash:
        raise RecordError(
            f"one stream has digests by {a.hash}, the other one by {b.hash}",
            hint="verify again, with the same packages installed",
        )
    found = align(a, b)
    mine, theirs = _keys(a.entries), _keys(b.entries)
    differences = [_missing(place, mine[place], a.entries[place], "B") for place in found.only_in_a]
    differences += [_missing(one, theirs[one], b.entries[one], "A") for one in found.only_in_b]
    for place, other in found.pairs:
        was, now = a.entries[place], b.entries[other]
        columns = _compare(was, now)
        if columns:
            names = tuple(one.name for one in columns)
            loss = was.loss, now.loss
            differences.append(EntryDifference(place, *mine[place], names, columns, loss, ""))
    return sorted(differences, key=lambda one: (one.entry, one.missing))


def _keys(entries: Sequence[Entry]) -> list[Key]:
    seen: Counter[tuple[str, int]] = Counter()
    keys = []
    for entry in entries:
        own = entry.source, entry.step
        keys.append((*own, seen[own]))
        seen[own] += 1
    return keys


def _missing(place: int, key: Key, entry: Entry, lacking: Literal["A", "B"]) -> EntryDifference:
    loss = (entry.loss, None) if lacking == "B" else (None, entry.loss)
    return EntryDifference(place, *key, (), (), loss, lacking)


def _compare(was: Entry, now: Entry) -> tuple[ColumnDifference, ...]:
    """Return what differs in two entries: in A's order, then what only B has."""
    if was.columns == now.columns and was.digests == now.digests:
        return ()
    theirs = {name: place for place, (name, _) in enumerate(now.columns)}
    found = []
    for place, (name, kind) in enumerate(was.columns):
        other = theirs.pop(name, None)
        if other is None:
            found.append(ColumnDifference(name, "only in A", kind, ""))
        elif kind != now.columns[other][1]:
            kinds = kind, now.columns[other][1]
            found.append(ColumnDifference(name, "type or shape", *kinds))
        elif was.digest(place) != now.digest(other):
            found.append(ColumnDifference(name, "values", kind, kind))
    found += [
        ColumnDifference(name, "only in B", "", now.columns[at][1]) for name, at in theirs.items()
    ]
    return tuple(found)


def _words(first: ColumnDifference, loss: tuple[float | None, float | None]) -> str:
    if first.how == "type or shape":
        return f"{first.name} is {first.was} in the reference, {first.now} here"
    if first.how != "values":
        return f"{first.name} is there in {'the reference' if first.was else 'this one'} alone"
    if first.name.startswith("loss") and None not in loss and loss[0] != loss[1]:
        return f"{first.name} is {loss[0]!r} in the reference, {loss[1]!r} here"
    return f"{first.name} differs"
