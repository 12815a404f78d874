"""Where a run's digests are not those of the reference: step by step, for everything digested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from repro_env.pages.tracks import Track
from repro_env.steps.stream import Entry

SAME, MISSING, DIFFERS = range(3)  # what is worse is larger: cells are joined by their maximum
MOST_ROWS = 60
# A column is named by its kind first. Within one step what is computed first stands first.
KINDS = ("generator", "buffer", "loss", "gradient", "optimizer", "parameter", "array")


class Row(NamedTuple):
    """One thing that was digested, or several of one kind.

    Args:
        names: Of what was digested.
        cells: `SAME`, `MISSING` in one of the runs, or `DIFFERS`, for each place of the track.
    """

    names: tuple[str, ...]
    cells: bytes

    def first(self) -> int | None:
        """Return the first place that is not the same, or None."""
        found = [at for at in map(self.cells.find, (MISSING, DIFFERS)) if at >= 0]
        return min(found, default=None)


class Start(NamedTuple):
    """Where two runs part.

    Args:
        place: In the track.
        row: The first row, in causal order, that is not the same there.
    """

    place: int
    row: Row


def rows(track: Track, reference: str, run: str) -> list[Row]:
    """Compare a run with the reference, in causal order."""
    pairs = list(zip(track.entries[reference], track.entries[run]))
    names = _names(entry for pair in pairs for entry in pair)
    cells = {name: bytearray(len(pairs)) for name in names}
    for place, pair in enumerate(pairs):
        for name, state in _states(*pair).items():
            cells[name][place] = state
    return [Row((name,), bytes(cells[name])) for name in names]


def start(found: Sequence[Row]) -> Start | None:
    """Return where two runs part, or None where they do not."""
    places = [(first, at) for at, row in enumerate(found) if (first := row.first()) is not None]
    if not places:
        return None
    place, at = min(places)
    return Start(place, found[at])


def first_place(track: Track, reference: str, run: str) -> int | None:
    """Return where two runs part, in the track, or None where they do not."""
    pairs = enumerate(zip(track.entries[reference], track.entries[run]))
    return next((place for place, pair in pairs if _states(*pair)), None)


def merged(found: Sequence[Row], most: int = MOST_ROWS) -> list[Row]:
    """Join neighbours of one kind until there are few rows; where runs part stays on its own."""
    begin = start(found)
    at_once = -(-len(found) // most)
    groups: list[list[Row]] = []
    for row in found:
        is_apart = begin is not None and begin.row in (row, *(groups[-1] if groups else ()))
        if (
            groups
            and not is_apart
            and len(groups[-1]) < at_once
            and kind(groups[-1][0]) == kind(row)
        ):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [_joined(group) for group in groups]


def binned(cells: bytes, width: int) -> bytes:
    """Return fewer cells, each the worst of as many as `width`."""
    return bytes(max(cells[at : at + width]) for at in range(0, len(cells), width))


def kind(row: Row) -> str:
    """Return what kind of thing a row is: `parameter`, `loss`, or nothing that is known."""
    word = row.names[0].partition(" ")[0]
    return word if word in KINDS else ""


def _names(entries: Iterable[Entry | None]) -> list[str]:
    lists = dict.fromkeys(entry.columns for entry in entries if entry)
    names = dict.fromkeys(name for columns in lists for name, _ in columns)
    return sorted(names, key=_rank)


def _rank(name: str) -> int:
    word = name.partition(" ")[0]
    return KINDS.index(word) if word in KINDS else len(KINDS)


def _states(was: Entry | None, now: Entry | None) -> dict[str, int]:
    """Return the state of each column that is not the same."""
    if was and now and was.digests == now.digests and was.columns == now.columns:
        return {}
    before = was.by_column() if was else {}
    after = now.by_column() if now else {}
    return {
        name: DIFFERS if name in before and name in after else MISSING
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }


def _joined(group: Sequence[Row]) -> Row:
    if len(group) == 1:
        return group[0]
    cells = bytes(map(max, zip(*(row.cells for row in group))))
    return Row(tuple(name for row in group for name in row.names), cells)
