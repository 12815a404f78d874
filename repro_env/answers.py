"""What commands answer to machines (`--json`); `docs/answers.schema.json` is rendered from it."""

from __future__ import annotations

import json
from typing import Any, Literal, Union

import msgspec

from repro_env.content.verdict import Verdict
from repro_env.records.compare import Comparison
from repro_env.records.definition import Strict, Unavailable
from repro_env.records.finding import Finding
from repro_env.records.record import tidied
from repro_env.runs.collect import Collected
from repro_env.verification.outcome import Verification

State = Literal["running", "interrupted", "complete", "unreadable"]


class Listed(Strict, frozen=True):
    """One run, as `repro list` has it.

    Args:
        id: Its name.
        state: How it stands; `unreadable` where its record is damaged.
        exit_status: The command's own.
        started: When, in UTC.
        duration_s: How long the command ran.
        command: The program and its arguments.
        outputs: How many files it made or changed.
        reason: What `--reason` said; of an unreadable one, what is wrong with it.
        replays: The id of the run that it replayed; empty if none.
    """

    id: str
    state: State
    exit_status: Union[int, Unavailable]
    started: str
    duration_s: Union[float, Unavailable]
    command: list[str]
    outputs: int
    reason: str
    replays: str


class ArrayDifference(Strict, frozen=True):
    """How two arrays of one type and shape differ.

    Args:
        elements: How many each has.
        differing: How many of them differ.
        largest_ulps: The largest distance, in units in the last place; null where elements are
            no floating-point numbers.
        first_index: Of the first that differs, row by row.
        was: That element in A.
        now: The same in B.
    """

    elements: int
    differing: int
    largest_ulps: Union[int, None]
    first_index: list[int]
    was: str
    now: str


class FileDifference(Strict, frozen=True):
    """One thing that two files or folders differ in.

    Args:
        path: Of the file, below the folder; empty for two files.
        part: The part of the file; empty for the file as a whole.
        kind: What kind of difference it is.
        text: The same in words.
        array: Of arrays of one type and shape: how far apart they are.
    """

    path: str
    part: str
    kind: str
    text: str
    array: Union[ArrayDifference, None] = None


class FilesCompared(Strict, frozen=True):
    """What `repro diff` says of two files or folders.

    Args:
        verdict: On the whole.
        why: Of identical content: what is written otherwise.
        differences: All of them, by path.
    """

    verdict: Verdict
    why: str
    differences: list[FileDifference]


class RunsCompared(Strict, frozen=True):
    """What `repro diff` says of two runs.

    Args:
        comparison: Their records.
        details: The code's files that differ, where both trees are kept here; and what differs in
            outputs whose files are still there as the records say.
    """

    comparison: Comparison
    details: list[FileDifference]


class Replay(Strict, frozen=True):
    """What `repro replay` says.

    Args:
        was: The run that was replayed.
        now: The new run; empty with `--dry-run`.
        forecast: What differs here and can change bits, or of which that can't be told; and what
            differs between the CPUs and can't, since the profile is `portable`.
        compared: The two runs; null with `--dry-run`.
    """

    was: str
    now: str
    forecast: list[Finding]
    compared: Union[RunsCompared, None]


ANSWERS = (Listed, FilesCompared, RunsCompared, Replay, Collected, Verification)


def to_json(answer: Any) -> str:
    """Return an answer, or a list of them, as JSON."""
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"


def schema() -> str:
    """Return the JSON Schema of each answer, by name."""
    _, components = msgspec.json.schema_components(ANSWERS, ref_template="#/$defs/{name}")
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": tidied(components)}
    return json.dumps(whole, indent=2) + "\n"
