"""The command `repro`.

Exit status: 0 done, 2 it could not be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from repro_env import hook
from repro_env.errors import ReproError, describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    asked = _parser().parse_args(arguments)
    try:
        asked.run(asked)
    except ReproError as error:
        sys.stderr.write(describe(error))
        return 2
    return 0


def _install(asked: argparse.Namespace) -> None:
    folder = hook.install(asked.python)
    print(f"{asked.python} has the hook now, in {folder}: REPRO_SEED and PYTHONHASHSEED seed it")


def _remove(asked: argparse.Namespace) -> None:
    folders = hook.remove(asked.python)
    print(f"{asked.python} had {'the' if folders else 'no'} hook", *folders)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="repro", description="Runs that repeat bit for bit.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    parser_of_hook = commands.add_parser(
        "hook", help="give another Python environment the start-up hook, or take it away"
    )
    actions = parser_of_hook.add_subparsers(required=True, metavar="ACTION")
    for name, run, said in (
        ("install", _install, "put the hook into an interpreter's environment, and try it"),
        ("remove", _remove, "take it out again"),
    ):
        action = actions.add_parser(name, help=said, description=said)
        action.add_argument("python", metavar="PYTHON", help="such as .venv/bin/python")
        action.set_defaults(run=run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
