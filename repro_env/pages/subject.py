"""What a page is about: runs, in the page's order and under the page's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from repro_env.pages.markup import Html, code, element
from repro_env.pages.tracks import Track, aligned
from repro_env.records.record import Record
from repro_env.steps.stream import Stream
from repro_env.verification.outcome import Verification

FEW = 12  # rows of a table that need not be folded
NOT_FOLLOWED = element("p", "No steps were followed: ", code("repro verify --steps"), " does that.")
SHORT = ("run", "status", "took", "size")  # heads of cells that are not broken
MANY = 500  # rows beyond which a table is cut: a page must stay a page


class Subject(NamedTuple):
    """What a page is about.

    Args:
        verification: What a verify has found; None for a run that was never verified.
        records: By run.
        streams: By run.
    """

    verification: Verification | None
    records: Mapping[str, Record]
    streams: Mapping[str, Sequence[Stream]]

    def runs(self) -> list[str]:
        """Return the runs: the reference first, then the attempts in their order."""
        if self.verification is None:
            return list(self.records)
        attempts = (attempt.run for attempt in self.verification.attempts)
        return list(dict.fromkeys([self.verification.reference, *attempts]))

    def name(self, run: str) -> str:
        """Return what the page calls a run."""
        if self.verification is None:
            return run
        attempts = [attempt.run for attempt in self.verification.attempts]
        is_reference = run == self.verification.reference
        if run not in attempts:
            return "reference"
        return f"attempt {attempts.index(run) + 1}" + (" (reference)" if is_reference else "")

    def names(self, runs: Iterable[str]) -> str:
        """Return what the page calls several runs: `attempts 1, 2 and 3`."""
        return listed([self.name(run) for run in runs])

    def kept(self) -> list[Record]:
        """Return the records that are here, in the order of the runs."""
        return [self.records[run] for run in self.runs() if run in self.records]

    def followed(self) -> list[str]:
        """Return the runs whose steps were followed: the first is what others are held against."""
        return [run for run in self.runs() if self.streams.get(run)]

    def tracks(self) -> list[Track]:
        """Return the steps of all runs, side by side."""
        return aligned(self.streams, self.followed())


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def section(title: str, *children: Html | None) -> Html:
    """Return a part of the page."""
    return element("section", element("h2", title), children)


def table(caption: str, heads: Sequence[str], rows: Sequence[Html]) -> Html:
    """Return a table; where the window is narrow, its rows stand below each other as cards."""
    head = element("tr", (element("th", one, scope="col") for one in heads))
    return element(
        "table",
        element("caption", caption),
        element("thead", head) if heads else None,
        element("tbody", rows),
        class_="cards" if heads else None,
    )


def row(heads: Sequence[str], name: str | Html, *cells: str | Html | None) -> Html:
    """Return a row of a table; each cell knows its head, which stands before it in narrow windows.

    Args:
        heads: The table's.
        name: What the row is about.
        cells: The rest.
    """
    rest = (
        element("td", cell, data_head=head, class_="short" if head in SHORT else None)
        for head, cell in zip(heads[1:], cells)
    )
    return element("tr", element("th", name, scope="row"), rest)


def pairs(caption: str, rows: Iterable[tuple[str, str | None]]) -> Html:
    """Return a table of names and values, without those that are None."""
    return table(caption, (), list(cut([_pair(*row) for row in rows if row[1] is not None], 2)))


def folded(summary: str, *children: Html | None) -> Html:
    """Return what is shown when one asks for it."""
    return element("details", element("summary", summary), children)


def cut(rows: Sequence[Html], columns: int) -> Iterator[Html]:
    """Return the rows of a table, but not without end."""
    yield from rows[:MANY]
    if len(rows) > MANY:
        said = f"and {len(rows) - MANY:,} more"
        yield element("tr", element("td", said, colspan=columns))


def _pair(name: str, value: str | None) -> Html:
    return element("tr", element("th", name, scope="row"), element("td", value))
