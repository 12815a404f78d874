"""What a page needs of a step stream, apart from how streams are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Entry(NamedTuple):
    """What was digested after one step.

    Args:
        source: What made the step, such as `Adam`.
        step: Its number as the program counts.
        loss: At full precision; None where there is none.
        columns: Name of each thing that was digested, and its type and shape, in causal order.
        digests: Of each column, joined: all have the same length.
    """

    source: str
    step: int
    loss: float | None
    columns: tuple[tuple[str, str], ...]
    digests: str

    def by_column(self) -> dict[str, str]:
        """Return each column's digest."""
        width = len(self.digests) // max(1, len(self.columns))
        return {
            name: self.digests[at * width : (at + 1) * width]
            for at, (name, _) in enumerate(self.columns)
        }


class StreamData(NamedTuple):
    """The steps of one process.

    Args:
        place: Which of the run's processes; empty for the main one.
        entries: In the order in which they were made.
    """

    place: str
    entries: Sequence[Entry]
