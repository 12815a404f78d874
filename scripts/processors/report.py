"""Outcomes as Markdown: a line for each group, and one for each operation that is not like it."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.markdown import table

from processors.comparison import Places, differing, failing


def report(
    within: Places,
    without: Places,
    reason: Callable[[str], str],
    plain: Callable[[str], str] = str,
) -> str:
    """Return the table of groups and CPUs, and the list of what is not the same.

    Args:
        within: With the profile.
        without: Without it.
        reason: Why an operation is known not to be portable; empty where it should be.
        plain: What an operation with the profile is called without it.
    """
    first, *others = within
    apart, alone = differing(within), differing(without)
    failed = failing(within)
    groups: dict[str, list[str]] = {}
    for name, outcome in within[first].items():
        groups.setdefault(outcome.group, []).append(name)
    rows = []
    for group, names in groups.items():
        rows.append(
            [
                group,
                str(len(names)),
                *(
                    _differ([name for name in names if place in apart.get(name, ())])
                    for place in others
                ),
                str(len({plain(name) for name in names} & set(alone))),
            ]
        )
        for name in names:
            if name in apart or name in failed:
                cells = ["differs" if place in apart.get(name, ()) else "same" for place in others]
                if name in failed:
                    cells = ["failed"] * len(others)
                changed = "differs" if plain(name) in alone else "same"
                rows.append([f"— {name}", "", *cells, changed])
    head = ["", "operations", *others, "differ without the profile"]
    reasons: dict[str, list[str]] = {}
    for name in {**apart, **failed}:
        why = failed.get(name) or reason(name) or "should be portable"
        reasons.setdefault(why, []).append(f"`{name}`")
    lines = [f"- {why}: {', '.join(names)}\n" for why, names in reasons.items()]
    return table(head, *rows).text + _list("What is not the same", lines)


def _differ(names: list[str]) -> str:
    return f"{len(names)} differ" if names else "same"


def _list(title: str, lines: list[str]) -> str:
    return f"\n{title}:\n\n{''.join(lines)}" if lines else ""
