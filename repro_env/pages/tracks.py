"""Step streams of several runs, side by side: one track for each process and source of steps.

Entries belong together by the step's number, and by how often that number came before: streams of
unequal length and order are aligned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from repro_env.steps.stream import Entry, Stream

_Key = tuple[int, int]  # a step, and how often its number came before


class Track(NamedTuple):
    """Entries of several runs that belong together.

    Args:
        place: Which process of a run it is, in words.
        source: What made the steps.
        steps: Each place's number, as the program counts.
        entries: By run: its entry at each place, None where it has none.
    """

    place: str
    source: str
    steps: list[int]
    entries: dict[str, list[Entry | None]]


def aligned(streams: Mapping[str, Sequence[Stream]], runs: Iterable[str]) -> list[Track]:
    """Return the tracks of some runs.

    Args:
        streams: By run.
        runs: The first of them gives the order: of tracks, and of the steps in them.
    """
    found: dict[tuple[str, str], dict[str, dict[_Key, Entry]]] = {}
    for run in runs:
        for place, stream in _named(streams.get(run, ())):
            for source, entries in _by_source(stream.entries):
                found.setdefault((place, source), {})[run] = entries
    return [_track(*name, by_run) for name, by_run in found.items()]


def _named(streams: Sequence[Stream]) -> Iterator[tuple[str, Stream]]:
    """Name each process by its place, and by a number where others had that place before."""
    seen: Counter[str] = Counter()
    for stream in streams:
        seen[stream.place] += 1
        count = seen[stream.place]
        # The place of a second main process is a number alone.
        is_main = not stream.place or stream.place.startswith("(")
        name = f"main process {stream.place}".rstrip() if is_main else stream.place
        yield (f"{name} ({count})" if count > 1 else name), stream


def _by_source(entries: Sequence[Entry]) -> Iterator[tuple[str, dict[_Key, Entry]]]:
    found: dict[str, dict[_Key, Entry]] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for entry in entries:
        name = entry.source, entry.step
        found.setdefault(entry.source, {})[entry.step, seen[name]] = entry
        seen[name] += 1
    yield from found.items()


def _track(place: str, source: str, by_run: Mapping[str, Mapping[_Key, Entry]]) -> Track:
    keys = list(dict.fromkeys(chain.from_iterable(by_run.values())))
    entries = {run: [found.get(key) for key in keys] for run, found in by_run.items()}
    return Track(place, source, [step for step, _ in keys], entries)
