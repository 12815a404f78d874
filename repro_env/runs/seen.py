"""What was seen of a run's Python processes, as the record's types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from repro_env import paths
from repro_env.records.definition import Knobs, Unavailable
from repro_env.records.observation import Change, Process, main_of
from repro_env.runs import redaction

MOST = 100  # processes, in a record


def processes(reports: Sequence[dict[str, Any]], environ: Mapping[str, str]) -> list[Process]:
    """Return a run's Python processes, the first ones of very many.

    Args:
        reports: What was seen of each (`watching.Watch.look`).
        environ: The environment, where secrets have names.
    """
    return [_process(report, environ) for report in reports[:MOST]]


def knobs_of(found: Sequence[Process]) -> Knobs | Unavailable:
    """Return the knobs that were in effect in the main process as it ended."""
    main = main_of(found)
    if main is None:
        return Unavailable("no Python process with the hook was seen")
    if not main.ended:
        return Unavailable("the main process was not seen as it ended")
    return Knobs(main.knobs_at_end)


def _process(report: dict[str, Any], environ: Mapping[str, str]) -> Process:
    seeds = report.get("seeds", {})
    start = _values(report.get("after import", {}))
    end = _values(report.get("in effect", {}))
    variables_at_start = _texts(report.get("at exec", {}))
    variables_at_end = _texts(report.get("now", {}))
    seed = seeds.get("seed")
    return Process(
        pid=report["pid"],
        parent=report["parent"],
        command=_words(redaction.redact(report["command"], environ)[0]),
        python=report.get("python", ""),
        ended=report["ended"],
        path=_words(map(str, report.get("path", []))),
        libraries=report.get("libraries", {}),
        seed=Unavailable("it has none") if seed is None else seed,
        place=seeds.get("place", ""),
        seeded=seeds.get("libraries", []),
        unseeded=seeds.get("unseeded", 0),
        variables_at_start=variables_at_start,
        variables_at_end=variables_at_end,
        knobs_at_start=start,
        knobs_at_end=end,
        changes=[
            *_changes(variables_at_start, variables_at_end, report.get("changes", ())),
            *_changes(start, {name: end.get(name, "") for name in start}, ()),
        ],
        facts={name: _text(value) for name, value in report.get("facts", {}).items()},
        blas=_words(report.get("blas", [])),
        generators=report.get("generators", {}),
    )


def _changes(
    was: Mapping[str, str], now: Mapping[str, str], seen: Iterable[Mapping[str, Any]]
) -> list[Change]:
    """Return what differs between start and end, with the line that did it last."""
    where = {one["name"]: paths.to_text(one["where"]) for one in seen}
    return [
        Change(name, was.get(name, ""), now.get(name, ""), where.get(name, ""))
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    ]


def _values(readings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        name: paths.to_text(read.get("value", f"unreadable: {read.get('unreadable')}"))
        for name, read in sorted(readings.items())
    }


def _texts(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: paths.to_text(value) for name, value in sorted(variables.items())}


def _words(words: Iterable[str]) -> list[str]:
    return [paths.to_text(word) for word in words]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return paths.to_text(text)
