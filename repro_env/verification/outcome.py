"""What a verify has found: its types, and its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal, Union

import msgspec

from repro_env.content.verdict import Verdict
from repro_env.errors import RecordError
from repro_env.records.definition import RunId, Strict

FORMAT: Final = 1
FILE = "verification.json"
KEPT = "files"  # beside it, while attempts run: the files that they start from

# In the order in which they are looked for: what comes first decides what follows.
KINDS = ("environment", "inputs", "generators", "step", "status", "output", "cell", "printed")
Kind = Literal["environment", "inputs", "generators", "step", "status", "output", "cell", "printed"]
Grade = Literal["none", "repeatable", "robust"]


class Divergence(Strict, frozen=True):
    """The first thing of one kind in which two attempts differ.

    Args:
        kind: What kind of thing it is.
        what: Its name: `parameter fc1.weight`, `numpy`, `metrics.json`.
        text: What differs, in a sentence.
        was: In the reference; empty where there is no short way to say it.
        now: In the attempt.
        step: Of a step: its number as the program counts; None elsewhere.
        entry: Of a step: its place in the reference's stream, from 0; None elsewhere.
    """

    kind: Kind
    what: str
    text: str
    was: str = ""
    now: str = ""
    step: Union[int, None] = None
    entry: Union[int, None] = None


class Attempt(Strict, frozen=True):
    """One of the executions that were compared.

    Args:
        run: Its record's name.
        exit_status: The command's own; 128 and the signal's number where one ended it.
        timed_out: Whether `--timeout` ended it.
        duration_s: How long it took.
        varied: The factors that were not as in the reference.
        verdict: What it is to the reference.
        why: Of identical content: why other bytes are harmless.
        divergences: At most one of each kind, in their order.
    """

    run: RunId
    exit_status: int
    timed_out: bool
    duration_s: float
    varied: list[str]
    verdict: Verdict
    why: str
    divergences: list[Divergence]


class NotVaried(Strict, frozen=True):
    """A factor that could not be varied here.

    Args:
        factor: Its name.
        reason: Why.
    """

    factor: str
    reason: str


class Cause(Strict, frozen=True):
    """Where two more runs parted, watched closely around the first step that differs.

    Args:
        text: In a sentence.
        step: The step's number as the program counts.
        module: The first module whose output differs while its inputs agree; empty if none.
        details: Which tensors differ there, by how much.
        runs: The two runs that were watched.
    """

    text: str
    step: int
    module: str
    details: list[str]
    runs: list[RunId]


class Verification(Strict, frozen=True):
    """What a verify has found.

    Args:
        format: The version of this format.
        id: Its name.
        written_by: The version of repro-env.
        started: When, in UTC.
        ended: When, in UTC.
        command: The program and its arguments.
        reference: The run that all attempts are compared with: the first attempt, or the recorded
            run that was named.
        attempts: The attempts, the first of them the reference where none was named.
        verdict: The worst of the attempts'.
        agreeing: How many attempts agree with the reference, itself included.
        shown_rate: Of runs that differ: a share above this one would have shown, at `confidence`;
            None where attempts differ.
        confidence: 0.95.
        grade: What was shown: `none` where attempts differ.
        robust_to: The factors that were varied while the attempts agreed.
        not_varied: Those that were asked for and can't be varied here.
        guilty: The factors that break the agreement; empty where none was found.
        cause: What the closer look found, with `--steps`; None where there was none.
        notes: What the reader should know.
        compared: What there was to compare, apart from the exit status.
        problem: Why the verdict says nothing: the command failed alike in every attempt, or left
            nothing to compare; empty if it does.
    """

    format: Literal[1]
    id: RunId
    written_by: str
    started: str
    ended: str
    command: list[str]
    reference: RunId
    attempts: list[Attempt]
    verdict: Verdict
    agreeing: int
    shown_rate: Union[float, None]
    confidence: float
    grade: Grade
    robust_to: list[str]
    not_varied: list[NotVaried]
    guilty: list[str]
    cause: Union[Cause, None]
    notes: list[str]
    compared: list[str] = []  # noqa: RUF012  # a field of msgspec, which copies it
    problem: str = ""


def read(file: Path) -> Verification:
    """Return the verification in a file.

    Raises:
        RecordError: There is none, or it is damaged.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Verification)
    except OSError as error:
        raise RecordError(
            f"{str(file)!r} can't be read: {error.strerror}", hint="see `repro list`"
        ) from None
    except (
        msgspec.MsgspecError,
        UnicodeDecodeError,
        RecursionError,
        json.JSONDecodeError,
    ) as error:
        raise RecordError(
            f"{str(file)!r} is no verification: {error}", hint="verify again: repro verify"
        ) from None


def write(folder: Path, verification: Verification) -> None:
    """Write a verification into its folder, whole or not at all.

    Raises:
        RecordError: It can't be written.
    """
    temporary = folder / f"{FILE}.new"
    try:
        temporary.write_bytes(to_bytes(verification))
        temporary.replace(folder / FILE)
    except OSError as error:
        raise RecordError(
            f"{str(folder / FILE)!r} can't be written: {error.strerror}",
            hint="free space on the disk; the attempts are kept: see `repro list`",
        ) from None


def to_bytes(verification: Verification) -> bytes:
    """Return the bytes of a verification's file."""
    return msgspec.json.format(msgspec.json.encode(verification), indent=1) + b"\n"
