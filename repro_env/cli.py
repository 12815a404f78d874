"""The command `repro`.

Exit status: 0 yes, or done; 1 no; 2 the question could not be asked or answered.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from repro_env.arguments import RUNS
from repro_env.errors import ReproError, describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    _open_streams()
    ours, command = _split(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    asked, more = parser.parse_known_args(ours)
    if more:
        before = " (a command stands after --)" if asked.takes_command and not command else ""
        parser.error(f"unrecognized arguments: {' '.join(more)}{before}")
    if command and not asked.takes_command:
        parser.error("no command is expected after --")
    asked.command = command
    try:
        status: int = asked.answer(asked)
        sys.stdout.flush()
    except ReproError as error:
        sys.stderr.write(describe(error))
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except Exception as error:  # a status of 1 would be an answer
        if isinstance(error, BrokenPipeError):  # who reads has seen enough
            pass
        elif isinstance(error, OSError) and error.strerror:
            advice = "mend that, and try again"
            sys.stderr.write(f"error: {_about(error)}\n  what to do: {advice}\n")
        else:
            sys.stderr.write(f"error: {type(error).__name__}: {error}\n  what to do: report this\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries to write again
        return 2
    return status


def _about(error: OSError) -> str:
    """Return what the system refused, and of which file."""
    return f"{error.filename!r}: {error.strerror}" if error.filename else str(error.strerror)


def _open_streams() -> None:
    """Have streams that take every text, also where the caller has closed them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or Path(os.devnull).open("w")  # noqa: SIM115
        stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, stream)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return our own arguments, and the user's command after `--`."""
    own = list(arguments)
    if "--" not in own:
        return own, []
    at = own.index("--")
    return own[:at], own[at + 1 :]


def _install(asked: argparse.Namespace) -> int:
    from repro_env import hook

    folder = hook.install(asked.python)
    print(f"{asked.python} has the hook now, in {folder}: REPRO_SEED and PYTHONHASHSEED seed it")
    return 0


def _remove(asked: argparse.Namespace) -> int:
    from repro_env import hook

    folders = hook.remove(asked.python)
    print(f"{asked.python} had {'the' if folders else 'no'} hook", *folders)
    return 0


def _doctor(asked: argparse.Namespace) -> int:
    from repro_env import doctor, report

    if not asked.command and sys.stderr.isatty():
        print("importing the frameworks that are installed here ...", file=sys.stderr)
    diagnosis = doctor.examine(asked.command, quiet=asked.json)
    sys.stdout.write(report.to_json(diagnosis) if asked.json else report.text(diagnosis))
    return diagnosis.status


def _late(name: str) -> Callable[[argparse.Namespace], int]:
    """Return what answers a command; it is imported when it is needed, so help need not wait."""
    module, _, function = name.partition(":")

    def answer(asked: argparse.Namespace) -> int:
        status: int = getattr(import_module(f"repro_env.{module}"), function)(asked)
        return status

    return answer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="repro", description="Runs that repeat bit for bit.")
    parser.set_defaults(takes_command=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_runs(commands)
    parser_of_doctor = commands.add_parser(
        "doctor",
        help="say whether every determinism knob took effect, or which did not and why",
        usage="repro doctor [--json] [-- COMMAND ...]",
        description="Look into COMMAND's Python processes as they end; without one, into a process "
        "that imports the frameworks that are installed here. Exit status: 0 all is well, 1 "
        "something is not, 2 that can't be told.",
    )
    parser_of_doctor.add_argument(
        "--json", action="store_true", help="for machines; COMMAND's own output goes to stderr"
    )
    parser_of_doctor.set_defaults(answer=_doctor, takes_command=True)
    parser_of_hook = commands.add_parser(
        "hook", help="give another Python environment the start-up hook, or take it away"
    )
    actions = parser_of_hook.add_subparsers(required=True, metavar="ACTION")
    for name, answer, said in (
        ("install", _install, "put the hook into an interpreter's environment, and try it"),
        ("remove", _remove, "take it out again"),
    ):
        action = actions.add_parser(name, help=said, description=said)
        action.add_argument("python", metavar="PYTHON", help="such as .venv/bin/python")
        action.set_defaults(answer=answer)
    return parser


def _add_runs(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, answer, usage, said, description, arguments in RUNS:
        parser = commands.add_parser(
            name,
            allow_abbrev=False,
            help=said,
            usage=f"repro {name} {usage}",
            description=f"{said[0].upper()}{said[1:]}. {description}",
        )
        for names, options in arguments:
            parser.add_argument(*names, **options)
        parser.set_defaults(answer=_late(answer), takes_command="-- COMMAND" in usage)


if __name__ == "__main__":
    sys.exit(main())
