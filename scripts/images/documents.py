"""Two JSON documents to the fields in which they differ."""

from __future__ import annotations

from typing import Any, NamedTuple

ABSENT = "(absent)"


class Aspect(NamedTuple):
    """One thing that is not the same: a field of a document, a property of a file."""

    name: str
    was: str
    now: str


def differing_fields(was: object, now: object) -> list[Aspect]:
    """Compare two documents, or parts of them.

    Returns:
        Each differing field under its dotted name; an environment variable under its own.
    """
    first, second = _flat("", was), _flat("", now)
    return [
        Aspect(name, first.get(name, ABSENT), second.get(name, ABSENT))
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name)
    ]


def _flat(name: str, part: Any) -> dict[str, str]:
    if name.rpartition(".")[2] == "Env" and part:
        part = dict(variable.partition("=")[::2] for variable in part)
    if isinstance(part, dict) and part:
        inner = {f"{name}.{key}".lstrip("."): value for key, value in part.items()}
    elif isinstance(part, list) and any(isinstance(value, (dict, list)) for value in part):
        inner = {f"{name}[{number}]": value for number, value in enumerate(part)}
    else:
        return {name: part if isinstance(part, str) else str(part)}
    return {
        key: text for inside, value in inner.items() for key, text in _flat(inside, value).items()
    }
