"""`repro run`, and what commands that run something say on the way.

A module of its own, so that a run waits for no other command's imports.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from repro_env.errors import CommandError
from repro_env.records.record import Record
from repro_env.runs.request import Request
from repro_env.runs.runner import run as run_request
from repro_env.runs.store import Store
from repro_env.words import size

LONG_BYTES = 2**28  # digests of more than that show their progress


def run(asked: argparse.Namespace) -> int:
    """Run a command, and return its status."""
    if not asked.command:
        raise CommandError("there is no command to run", hint="repro run -- python train.py")
    here = Path.cwd()
    request = request_of(asked, here)._replace(reason=asked.reason)
    finished = run_request(request, Store.of(here), progress)
    say_finished(finished.record)
    status = finished.record.observation.exit_status
    assert isinstance(status, int)  # it is over
    return status


def request_of(asked: argparse.Namespace, folder: Path) -> Request:
    """Return the request that a command line stands for.

    Args:
        asked: What was asked for.
        folder: Where the command runs.

    Raises:
        CommandError: Something is named twice, or is no parameter.
    """
    return Request(
        command=asked.command,
        folder=folder,
        inputs=_once("--in", asked.inputs),
        outputs=_once("--out", asked.outputs),
        parameters=_parameters(asked.parameters),
        seed=asked.seed,
        profile=asked.profile,
        threads=asked.threads,
    )


def say_finished(record: Record) -> None:
    """Say how a run ended, and what there is to know of it."""
    for note in record.observation.notes:
        say(note)
    count, total = len(record.outputs), sum(file.size_bytes for file in record.outputs)
    status = record.observation.exit_status
    say(f"run {record.id}: status {status}, {count} outputs, {size(total)}")


def say(text: str) -> None:
    """Say something beside what the command prints."""
    sys.stderr.write(f"repro: {text}\n")


def progress(what: str, total_bytes: int) -> Callable[[int], None]:
    """Show how far digests are, once in a while, where somebody looks on."""
    done = shown_s = 0.0

    def add(count: int) -> None:
        nonlocal done, shown_s
        done += count
        if time.monotonic() - shown_s > 0.2:
            shown_s = time.monotonic()
            share = f"{done / total_bytes:.0%} of {size(total_bytes)}"
            sys.stderr.write(f"\rrepro: {what}: {share}\033[K\r")
            sys.stderr.flush()

    is_shown = total_bytes > LONG_BYTES and sys.stderr.isatty()
    return add if is_shown else lambda _: None


def _once(option: str, names: Sequence[str]) -> list[str]:
    twice = [name for number, name in enumerate(names) if name in names[:number]]
    if twice or "" in names:
        raise CommandError(
            f"{option} {(twice or [''])[0]!r} is named twice, or empty", hint="name it once"
        )
    return list(names)


def _parameters(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or name in found:
            what = "is given twice" if sign else "has no ="
            raise CommandError(f"--param {word!r} {what}", hint="such as --param learning_rate=0.1")
        found[name] = value
    return found
