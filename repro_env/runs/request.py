"""What somebody asks to be run, and in which environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from repro_env import knobs, profile, settings
from repro_env.errors import CommandError, SettingError
from repro_env.records.definition import Code
from repro_env.records.observation import Origin
from repro_env.runs import redaction

PARAMETER = "REPRO_PARAM_"


class Trial(NamedTuple):
    """What sets one attempt of a verify apart from a run; its standard input is empty.

    Args:
        variables: Variables that are other ones than the command would have.
        prepare: Called in the command's process just before the command is executed.
        timeout_s: After that many seconds the command is ended, with all that it has started;
            None never.
        plan: What the trace is to hold (`trace.tracer`), as JSON's types.
        descriptors: What the command inherits, besides its standard streams.
        root: Where outputs may lie that nobody named; the folder alone if None.
    """

    variables: Mapping[str, str] = {}
    prepare: Callable[[], None] | None = None
    timeout_s: float | None = None
    plan: Mapping[str, object] = {}
    descriptors: Sequence[int] = ()
    root: Path | None = None


class Request(NamedTuple):
    """A command, and what is known of it beforehand.

    Args:
        command: The program and its arguments; or a notebook alone, which is executed.
        folder: Where it runs.
        inputs: Files and folders that it reads, relative to the folder or absolute.
        outputs: Those that it makes; empty for all that it makes or changes below the folder.
        parameters: What the command finds as `REPRO_PARAM_NAME`.
        reason: Why it is run.
        seed: `REPRO_SEED`, as a text; the environment's if None.
        profile: `REPRO_PROFILE`, as a text; the environment's if None.
        threads: `REPRO_THREADS`, as a text; the environment's if None.
        variables: The catalogue's variables, where they are to be as in another run.
        top: Of the copy that was checked out, where the folder is in one.
        code: What was checked out there.
        replays: The records that it replays, oldest first.
        trial: What makes it an attempt of a verify; None for a run.
    """

    command: Sequence[str]
    folder: Path
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    parameters: Mapping[str, str] = {}
    reason: str = ""
    seed: str | None = None
    profile: str | None = None
    threads: str | None = None
    variables: Mapping[str, str] | None = None
    top: Path | None = None
    code: Code | None = None
    replays: Sequence[Origin] = ()
    trial: Trial | None = None


def environ_of(request: Request, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that the command is to have.

    Args:
        request: What is to be run.
        environ: Ours: what it sets stays, unless the run is to be as another.

    Raises:
        CommandError: A parameter can't be one.
        SettingError: A knob has an illegal value.
    """
    _check(request.parameters, environ)
    if request.variables is None:
        ours = _without_profile(request, environ)
        wanted = {**knobs.image_variables(), **ours, **_asked(request)}
    else:
        names = {knob.name for knob in knobs.variables()}
        kept = {name: value for name, value in environ.items() if name not in names}
        # No others, whatever a stranger's record holds.
        given = {name: value for name, value in request.variables.items() if name in names}
        wanted = {**kept, **given}
    if request.trial is not None:
        wanted.update(request.trial.variables)
    settings.check(wanted)
    settings.is_disabled(wanted)
    wanted.update(_of_profile(wanted))
    kept = {name: value for name, value in wanted.items() if not name.startswith(PARAMETER)}
    handed = {PARAMETER + name: value for name, value in request.parameters.items()}
    if request.top is not None:  # git must not find the project around the copy
        handed["GIT_CEILING_DIRECTORIES"] = str(request.top.parent)
    return {**kept, **handed}


def _asked(request: Request) -> dict[str, str]:
    """Return the settings that were asked for by options."""
    asked = {
        "REPRO_SEED": request.seed,
        "REPRO_PROFILE": request.profile,
        "REPRO_THREADS": request.threads,
    }
    return {name: text for name, text in asked.items() if text is not None}


def _without_profile(request: Request, environ: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without what its own profile has set, where another is asked for."""
    name, threads = settings.read_profile(environ)
    if request.profile is None and request.threads is None:
        return dict(environ)
    taken = set(profile.variables(threads) if name == "portable" else ())
    if request.profile == "repeatable":
        taken.add("REPRO_THREADS")
    return {name: text for name, text in environ.items() if name not in taken}


def _of_profile(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return what the profile sets: Pythons without the hook, and other programs, have it too.

    Raises:
        SettingError: It can't be kept on this machine, or a variable says otherwise.
    """
    if settings.is_disabled(wanted) and wanted.get("REPRO_PROFILE") == "portable":
        raise SettingError(
            "REPRO_DISABLE=1 switches off what the profile portable needs", hint="unset one of them"
        )
    name, threads = settings.read_profile(wanted)
    if name != "portable":
        return {}
    profile.check_cpu()
    profile.check(wanted, threads)
    return {**profile.variables(threads), "REPRO_THREADS": str(threads)}


def program(command: Sequence[str]) -> list[str]:
    """Return what is executed: the command itself, or what executes a notebook."""
    if len(command) == 1 and command[0].endswith(".ipynb"):
        return ["jupyter", "nbconvert", "--to", "notebook", "--execute", command[0]]
    return list(command)


def _check(parameters: Mapping[str, str], environ: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise CommandError(
                f"--param {name}=...: {name!r} is no name of letters, digits and _",
                hint="name it as a variable of a shell, such as learning_rate",
            )
        if redaction.is_secret(name) or redaction.redact([value], environ)[1]:
            raise CommandError(
                f"--param {name} holds a secret, and parameters enter the record",
                hint="hand it over as an environment variable: none of them is recorded but knobs",
            )
