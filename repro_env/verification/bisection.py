"""Find the guilty among several suspects by halving: delta debugging.

Source:
    https://doi.org/10.1109/32.988498 (delta debugging), https://cdn.aaai.org/AAAI/2004/AAAI04-027.pdf
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Breaks = Callable[[frozenset[str]], bool]


def guilty(names: Sequence[str], breaks: Breaks) -> list[str]:
    """Return those that break it: the fewest that do so together, then others that also do.

    One among n is found with about 2 log2(n) questions, and one more shows that there is no other.

    Args:
        names: The suspects; all of them together have broken it.
        breaks: Whether it breaks with these alone. Never asked twice of the same.

    Returns:
        In their order; none where an answer contradicts the others, since chance has a hand in it.
    """
    known: dict[frozenset[str], bool] = {frozenset(): False}
    if len(names) == 1:  # it was tried just now
        known[frozenset(names)] = True

    def ask(some: frozenset[str]) -> bool:
        if some not in known:
            known[some] = breaks(some)
        return known[some]

    found: list[str] = []
    left = list(names)
    while left:
        fewest = _fewest(left, frozenset(), ask)
        if not ask(frozenset(fewest)):
            break
        found += fewest
        left = [name for name in left if name not in fewest]
        if not ask(frozenset(left)):
            break
    return [name for name in names if name in found]


def _fewest(suspects: list[str], given: frozenset[str], ask: Breaks) -> list[str]:
    """Return the fewest suspects that break it with what is given, as all of them do."""
    if len(suspects) == 1:
        return suspects
    middle = len(suspects) // 2
    halves = suspects[:middle], suspects[middle:]
    for half in halves:
        if ask(given.union(half)):
            return _fewest(half, given, ask)
    later = _fewest(halves[1], given.union(halves[0]), ask)
    return _fewest(halves[0], given.union(later), ask) + later
