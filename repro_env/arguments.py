"""The arguments of the commands around runs, as data."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import suppress
from typing import Any, NamedTuple

RUN = "an id, a prefix of one, `last`, or a run.json"
RUN_OR_VERIFY = "a verify or a run: an id, a prefix of one, or `last`, the default"


class Command(NamedTuple):
    """One command of `repro`.

    Args:
        name: What one types.
        answer: The function that answers it, as `module:function`.
        usage: What follows the name.
        said: What it does, in half a sentence.
        description: What else to know.
        arguments: The names of each, and argparse's options.
    """

    name: str
    answer: str
    usage: str
    said: str
    description: str
    arguments: list[tuple[tuple[str, ...], dict[str, Any]]]


def _flag(name: str, said: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    return (name,), {"action": "store_true", "help": said}


def _many(name: str, metavar: str, to: str, said: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    options = {"action": "append", "default": [], "metavar": metavar, "dest": to, "help": said}
    return (name,), options


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal():
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")


def _days(text: str) -> float:
    with suppress(ValueError):
        days = float(text)
        if 0 <= days <= MOST_DAYS:
            return days
    raise ArgumentTypeError(f"{text!r} is not a number of days in 0..{MOST_DAYS}")


def _attempts(text: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_ATTEMPTS:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a whole number in 1..{MOST_ATTEMPTS}")


def _rate(text: str) -> float:
    with suppress(ValueError):
        rate = float(text)
        if LEAST_RATE <= rate < 1:
            return rate
    raise ArgumentTypeError(f"{text!r} is not a share from {LEAST_RATE} up to below 1")


def _seconds(text: str) -> float:
    with suppress(ValueError):
        seconds = float(text)
        if 0 < seconds <= MOST_SECONDS:
            return seconds
    raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0, up to {MOST_SECONDS}")


def _jobs(text: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_JOBS:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a whole number in 1..{MOST_JOBS}")


MOST_DAYS = 36500
MOST_ATTEMPTS = 100_000
LEAST_RATE = 0.0001  # 29,956 attempts
MOST_SECONDS = 30_000_000
MOST_JOBS = 256
JSON = _flag("--json", "for machines; docs/answers.schema.json says what it holds")
JSON_OF_RUNNING = _flag("--json", "for machines; what the command prints goes to stderr")
DRY_RUN = "--dry-run"
OF_A_COMMAND = [
    _many("--in", "PATH", "inputs", "a file or folder that it reads, to be digested"),
    _many(
        "--out",
        "PATH",
        "outputs",
        "a file or folder that it makes; without any: what it makes or changes below here",
    ),
    _many(
        "--param",
        "K=V",
        "parameters",
        "a parameter: it is recorded, and the command has it as REPRO_PARAM_K",
    ),
    (("--seed",), {"metavar": "N", "help": "instead of REPRO_SEED, or 42"}),
    (
        ("--profile",),
        {
            "metavar": "NAME",
            "help": "instead of REPRO_PROFILE: repeatable, the same bits on the same machine; or "
            "portable, on another CPU, too, at a price of speed",
        },
    ),
    (
        ("--threads",),
        {"metavar": "N", "help": "instead of REPRO_THREADS, which portable fixes: 1 if not said"},
    ),
]

RUNS = (
    Command(
        "run",
        "running:run",
        "[--in PATH]... [--out PATH]... [--param K=V]... [--seed N] [--profile NAME] [--threads N] "
        "[--reason TEXT] -- COMMAND ...",
        "run a command and record all that decides its outputs, and what they are",
        "COMMAND is a program with its arguments, or a notebook. What it prints is passed on; so "
        "is its exit status, which is 2 too where the record can't be made. The record is "
        ".repro/runs/ID/run.json.",
        [
            *OF_A_COMMAND,
            (("--reason",), {"default": "", "metavar": "TEXT", "help": "why you run it"}),
        ],
    ),
    Command(
        "list",
        "commands:list_runs",
        "[--json]",
        "list the project's runs",
        "Interrupted ones too: whatever ended them.",
        [JSON],
    ),
    Command(
        "show",
        "commands:show",
        "[--json] RUN",
        "show what a record says",
        "With --json the record itself: docs/record-format.md.",
        [(("run",), {"metavar": "RUN", "help": RUN}), _flag("--json", "the record itself")],
    ),
    Command(
        "diff",
        "commands:diff",
        "[--json] A B",
        "compare two runs, two files or two folders, by content",
        "Exit status: 0 identical bytes or content, 1 different, 2 that can't be told.",
        [
            (("a",), {"metavar": "A", "help": f"a run ({RUN}), a file or a folder"}),
            (("b",), {"metavar": "B", "help": "another one"}),
            JSON,
        ],
    ),
    Command(
        "replay",
        "commands:replay_run",
        "[--in-place] [--dry-run] [--json] RUN [-- COMMAND ...]",
        "run a run again, from its record, and compare",
        "First it says whether the bits can match here. The code is checked out apart from your "
        "work tree, and the inputs' digests are checked. COMMAND takes the place of the recorded "
        "one where that held secrets. Exit status: 0 identical bytes or content, 1 different, 2 "
        "it can't be replayed; with --dry-run: 0 the bits can match, 1 they may differ.",
        [
            (("run",), {"metavar": "RUN", "help": f"{RUN}, or a .repro.tar"}),
            _flag("--in-place", "run in the project's folder, with the code that is there"),
            _flag(DRY_RUN, "only say whether the bits can match here"),
            JSON_OF_RUNNING,
        ],
    ),
    Command(
        "verify",
        "verifying:verify",
        "[-n N | --until RATE] [--steps] [--vary FACTORS] [--jobs N] [--timeout S] [--json] "
        "[RUN | -- COMMAND ...]",
        "prove that a run repeats bit for bit, or name the first thing that differs",
        "COMMAND, or the recorded RUN, is executed several times in fresh processes, each from the "
        "same files; what an attempt makes or changes is moved to .repro/runs/ID/outputs, and your "
        "files are put back. Compared are status, outputs, generators, and steps. Exit status: 0 "
        "identical bytes or content, 1 different, 2 that can't be told.",
        [
            (("run",), {"metavar": "RUN", "nargs": "?", "help": f"{RUN}, or a .repro.tar"}),
            (
                ("--attempts", "-n"),
                {"metavar": "N", "type": _attempts, "help": "how many attempts; 3 if not said"},
            ),
            (
                ("--until",),
                {
                    "metavar": "RATE",
                    "type": _rate,
                    "help": "as many as show, at 95 %%, that no more than this share of runs "
                    "differs: 0.05 takes 59; it stops at the first that differs",
                },
            ),
            _flag("--steps", "compare each training step, and look closely at the first bad one"),
            (
                ("--vary",),
                {
                    "metavar": "FACTORS",
                    "help": "change what must not matter: all, or some of hash-seed, folder, "
                    "host-name, time-zone, locale, listing-order, addresses, load, start-time; on "
                    "request only, since they do matter: threads, cpu, workers",
                },
            ),
            (
                ("--jobs",),
                {
                    "metavar": "N",
                    "type": _jobs,
                    "default": 1,
                    "help": "how many attempts side by side, each with its own copy of the files",
                },
            ),
            (
                ("--timeout",),
                {"metavar": "S", "type": _seconds, "help": "seconds after which one is ended"},
            ),
            *OF_A_COMMAND,
            _flag("--restore", "only put back the files that a killed verify has kept"),
            JSON_OF_RUNNING,
        ],
    ),
    Command(
        "report",
        "reporting:report",
        "[--output FILE] [RUN]",
        "write what a verify has found, or a run, as one page",
        "The page holds all that it shows, and loads nothing.",
        [
            (("run",), {"metavar": "RUN", "nargs": "?", "default": "last", "help": RUN_OR_VERIFY}),
            (("--output", "-o"), {"metavar": "FILE", "help": "instead of ID.html"}),
        ],
    ),
    Command(
        "pack",
        "commands:pack_run",
        "[--with-inputs] [--output FILE] RUN",
        "write a run into one file that another machine can replay",
        "It holds the record and the code; the inputs by their digests alone.",
        [
            (("run",), {"metavar": "RUN", "help": RUN}),
            _flag("--with-inputs", "the inputs' files too"),
            (("--output", "-o"), {"metavar": "FILE", "help": "instead of ID.repro.tar"}),
        ],
    ),
    Command(
        "gc",
        "commands:collect",
        "[--keep N] [--older-than DAYS] [--dry-run] [--json] [RUN ...]",
        "remove runs, and what interrupted commands have left",
        "Without arguments only the latter. Outputs stay: they are yours.",
        [
            (("runs",), {"metavar": "RUN", "nargs": "*", "help": RUN}),
            (("--keep",), {"metavar": "N", "type": _count, "help": "all but the newest N"}),
            (
                ("--older-than",),
                {"metavar": "DAYS", "type": _days, "help": "those that began before that"},
            ),
            _flag(DRY_RUN, "only say what would go"),
            JSON,
        ],
    ),
)
