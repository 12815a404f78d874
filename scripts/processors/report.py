"""Outcomes as Markdown: a line for each group, and one for each operation that is not like it."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.markdown import table

from processors.comparison import Places, differing, failing


def report(within: Places, without: Places, reason: Callable[[str], str]) -> str:
    """Return the table of groups and CPUs, and the lists of what is not as it should be."""
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
                str(sum(name in alone for name in names)),
            ]
        )
        for name in names:
            if name in apart or name in failed:
                cells = ["differs" if place in apart.get(name, ()) else "same" for place in others]
                if name in failed:
                    cells = ["failed"] * len(others)
                changed = "differs" if name in alone else "same"
                rows.append([f"— {name}", "", *cells, changed])
    head = ["", "operations", *others, "differ without the profile"]
    lists = [
        f"- `{name}`: {failed.get(name) or reason(name) or 'should be portable'}\n"
        for name in {**apart, **failed}
    ]
    return f"{table(head, *rows).text}\n{_list('What is not the same', lists)}"


def _differ(names: list[str]) -> str:
    return f"{len(names)} differ" if names else "same"


def _list(title: str, lines: list[str]) -> str:
    return f"{title}:\n\n{''.join(lines)}\n" if lines else ""
