"""What follows from the types of records and answers: their JSON Schemas, and the page."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Union, get_args, get_origin, get_type_hints

import msgspec

from repro_env import answers
from repro_env.records import record
from repro_env.verification import factors

PAGE = r"""
# The record of a run

Rendered by `scripts/records` from `repro_env/records/record.py`, `definition.py` and `observation.py`.

`repro run` leaves `.repro/runs/ID/run.json`: one file of JSON that says all that decided a run's outputs, and what they were.
It is written when the command starts and completed when it has ended; a run whose record still says `running` while nobody holds its folder's lock was interrupted.
Beside it lie `outputs.sha256`, which `sha256sum --check` reads, and `stdout.log` and `stderr.log`.

This is format {version}. [`record.schema.json`](record.schema.json) is its JSON Schema; unknown fields and unknown versions are refused.
Each released format has a record in `tests/golden/` that every later version must read.

## Conventions

- What could not be found out is `{{"status": "unavailable", "reason": "..."}}`; nothing is `null`.
- Paths and arguments are text in which a backslash is `\\`, and each byte that doesn't print is `\x` and two hex digits: names of files may hold any bytes.
- Digests are sha256 in hex. `docs/digests.md` defines content digests.
- `digest` is sha256 of the file itself with these 64 digits as zeros. It shows damage; it does not prove who wrote the record.
- `definition_digest` is sha256 of `definition` in canonical JSON (RFC 8785): runs with the same one were the same in all that is known to decide outputs.
- Of variables only those of the catalogue of knobs enter the record. An argument that looks like a secret is replaced by `***`, and one that is the value of a variable with a secret's name by that name, as `${{WANDB_API_KEY}}`.
- The code is a git tree under `refs/repro/ID`, apart from branches, index and work tree. Ignored files are not in it, nor what `code.left_out` names: files over 10 MiB, and those whose names are those of secrets.

## Fields

{fields}
## Answers of other commands

`repro list`, `diff`, `replay`, `verify` and `gc` answer `--json` in the types of [`answers.schema.json`](answers.schema.json); `repro list` with a list of `Listed`, `repro diff` with `RunsCompared` or `FilesCompared`, `repro verify` with `Verification`.
`repro show --json` prints the record itself.
"""


FACTORS = "<!-- rendered by scripts/records from repro_env/verification/factors.py -->"
END = "<!-- end -->"
ON_REQUEST = "On request only, since they do matter, and `all` doesn't stand for them:"


def render(project: Path) -> dict[Path, str]:
    """Return the files that follow from the types, and what each must hold."""
    docs = project / "docs"
    return {
        docs / "record-format.md": _page(),
        docs / "record.schema.json": record.schema(),
        docs / "answers.schema.json": answers.schema(),
        docs / "verify.md": _with_factors((docs / "verify.md").read_text()),
    }


def _with_factors(page: str) -> str:
    """Return the guide to verify, with the table of factors as it is now."""
    begin, end = (page.index(mark) for mark in (FACTORS, END))
    head = "| factor | what it is | how it is varied | what that does not reach |\n| --- | --- | --- | --- |"
    return f"{page[:begin]}{FACTORS}\n{_rows(head, True)}\n\n{ON_REQUEST}\n\n{_rows(head, False)}\n{page[end:]}"


def _rows(head: str, must_not_matter: bool) -> str:
    rows = [
        f"| `{one.name}` | {one.what} | {one.how} | {one.limits} |"
        for one in factors.FACTORS
        if one.must_not_matter == must_not_matter
    ]
    return "\n".join([head, *rows])


def _page() -> str:
    fields = "\n".join(map(_section, _types(record.Record)))
    return PAGE.lstrip().format(version=record.FORMAT, fields=fields)


def _types(top: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """Return a type and those of its fields, each once, from the outside in."""
    found = [top]
    for one in found:  # grows
        for hint in get_type_hints(one).values():
            found += [inner for inner in _structs(hint) if inner not in found]
    return found


def _structs(hint: object) -> list[type[msgspec.Struct]]:
    if get_origin(hint) is None and inspect.isclass(hint) and issubclass(hint, msgspec.Struct):
        return [hint]
    return [inner for argument in get_args(hint) for inner in _structs(argument)]


def _section(one: type[msgspec.Struct]) -> str:
    doc = inspect.getdoc(one) or ""
    rows = [
        f"| `{name}` | {_in_words(hint)} | {_meaning(doc, name)} |"
        for name, hint in get_type_hints(one).items()
    ]
    first = doc.splitlines()[0]
    head = f"### {one.__name__}\n\n{first}\n\n| field | type | meaning |\n| --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n"


def _meaning(doc: str, name: str) -> str:
    found = re.search(rf"^    {name}: (.+?)(?=^    \w+: |\Z)", doc, re.M | re.S)
    if found is None:
        raise ValueError(f"{name} has no meaning in: {doc}")
    return " ".join(found[1].split())


def _in_words(hint: object) -> str:
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if get_origin(hint) is None and inspect.isclass(hint):  # on Python 3.9 `list[str]` is one too
        return names.get(hint) or f"[{hint.__name__}](#{hint.__name__.lower()})"
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is list:
        return f"list of {_in_words(arguments[0])}"
    if kind is dict:
        return f"object of {_in_words(arguments[1])}"
    if kind is Union:
        return " or ".join(map(_in_words, arguments))
    return ", ".join(f"`{msgspec.json.encode(one).decode()}`" for one in arguments)
