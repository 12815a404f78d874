"""Run a command, and see its Python processes from within and from outside."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from repro_env import witness
from repro_env.descendants import Descendants, Python
from repro_env.errors import CommandError

PATIENCE_S = 5


class Launched(NamedTuple):
    """A command that has ended.

    Args:
        status: Its exit status; negative where a signal ended it.
        reports: What was seen of its Python processes (`watching.Watch.look`), in the order in
            which they began; without programs that another Python program has replaced.
        strangers: Its Python processes without the hook.
        signal: The number of a signal that came to us meanwhile; 0 if none.
    """

    status: int
    reports: list[dict[str, Any]]
    strangers: list[Python]
    signal: int


def launch(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    folder: Path | None = None,
    reports: Path | None = None,
    stdin: int | None = None,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
    prepare: Callable[[], None] | None = None,
    descriptors: Sequence[int] = (),
    wait: Callable[[subprocess.Popen[bytes]], int] = lambda process: process.wait(),
) -> Launched:
    """Run a command until it ends.

    Args:
        command: The program and its arguments.
        environ: Its environment.
        folder: Where it runs; here if None.
        reports: A folder that is not there, for what its processes report meanwhile; a temporary
            one if None. It is removed.
        stdin: What it reads from, as for `subprocess.Popen`.
        stdout: Where it prints to, likewise.
        stderr: The same for errors.
        prepare: Called in its process just before it is executed.
        descriptors: What it inherits, besides its standard streams.
        wait: What waits for it and returns its status.

    Raises:
        CommandError: It can't be started.
    """
    with _folder(reports) as reported:
        try:
            process = subprocess.Popen(
                command,
                env={**environ, witness.VARIABLE: str(reported)},
                cwd=folder,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                preexec_fn=prepare,
                pass_fds=descriptors,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise CommandError(
                f"{command[0]!r} can't be started: {getattr(error, 'strerror', None) or error}",
                hint="name a program after --, such as: -- python train.py",
            ) from None
        descendants = Descendants()
        with _interrupts_left_to(process) as came:
            try:
                status = wait(process)
                descendants.wait(PATIENCE_S)
            finally:
                pythons = descendants.stop()
        seen = _read(reported)
    return Launched(
        status, _without_replaced(seen), _without_hook(pythons, seen), came[-1] if came else 0
    )


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(mode=0o700)
    folder = wanted or Path(tempfile.mkdtemp(prefix="repro-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))]


@contextmanager
def _interrupts_left_to(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Have Ctrl-C end the command, which says what it has seen, and pass other signals on to it.

    What is ignored stays so, as the hang-up under `nohup`.

    Yields:
        The numbers of those that came.
    """
    came: list[int] = []

    def leave(number: int, _: object) -> None:  # the terminal has sent it to the command too
        came.append(number)

    def pass_on(number: int, _: object) -> None:
        came.append(number)
        process.send_signal(number)

    wanted = {signal.SIGINT: leave, signal.SIGTERM: pass_on, signal.SIGHUP: pass_on}
    handlers = {
        number: signal.signal(number, handler)
        for number, handler in wanted.items()
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield came
    finally:
        for number, before in handlers.items():
            signal.signal(number, before)


def _without_replaced(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out programs that another Python program has replaced in their process."""
    last = {report["pid"]: number for number, report in enumerate(reports)}
    return [
        report
        for number, report in enumerate(reports)
        if report["ended"] != "exec" or number == last[report["pid"]]
    ]


def _without_hook(pythons: list[Python], reports: list[dict[str, Any]]) -> list[Python]:
    """Leave out those that have reported, by whatever name they go now."""
    said = {report["pid"] for report in reports if report["ended"] != "exec"}
    programs = {(report["pid"], tuple(report["command"])) for report in reports}
    silent = [one for one in pythons if one.pid not in said]
    return [one for one in silent if (one.pid, one.command) not in programs]
