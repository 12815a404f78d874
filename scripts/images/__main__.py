"""The command: one subcommand a module, chosen from the table below.

Only the chosen module is imported: some need packages that others do without.
Exit status: 0 yes or the same, 1 no or different, 2 the question can't be answered.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import NoReturn, Protocol, cast

from images.errors import ImageError

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
PIPE_CLOSED = 128 + signal.SIGPIPE


# A module of this package, and the first line of its docstring.
COMMANDS: Mapping[str, str] = {
    "diff": "Tell what changed between two images: packages, settings, files, size.",
    "provenance": "Say what an image was built from: SLSA provenance, unsigned.",
    "sbom": "Write an image's bill of materials: CycloneDX JSON.",
    "vulnerabilities": "Report what is known against what is installed.",
    "verify": "Tell whether two saved images are the same, bit for bit, and where they are not.",
}


class Command(Protocol):
    """What a module offers to be a subcommand."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what the subcommand takes."""

    def main(self, args: argparse.Namespace) -> int:
        """Do it; return the exit status."""


def main(arguments: Sequence[str]) -> int:
    """Run the subcommand; turn what it raises into lines and a status."""
    chosen = arguments[0] if arguments and arguments[0] in COMMANDS else None
    command = cast("Command", importlib.import_module(f"images.{chosen}")) if chosen else None
    args = _parser(chosen, command).parse_args(arguments)
    return _status(command, args) if command else 2


def _status(command: Command, args: argparse.Namespace) -> int:
    try:
        status = command.main(args)
        sys.stdout.flush()
    except ImageError as error:
        sys.stderr.write(error.describe())
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes at its exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return status


def _parser(chosen: str | None, command: Command | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="images", description="Ask about images.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, about in COMMANDS.items():
        added = commands.add_parser(name, help=about, description=about)
        if command and name == chosen:
            command.add_arguments(added)
    return parser


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Turn a signal into an exception, so that containers are removed on the way out."""
    del number, frame
    sys.exit(TERMINATED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    sys.exit(main(sys.argv[1:]))
