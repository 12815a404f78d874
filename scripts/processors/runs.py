"""The image's operations and trainings, run on one CPU: what each gave, or why it gave nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from benchmark.engine import PROJECT, in_container

from processors.errors import PortabilityError

LIBRARIES = {"tf": ("numpy", "torch", "tensorflow"), "torch": ("numpy", "torch")}
TRAININGS = {"tf": ("digits_tf.py", "digits_torch.py"), "torch": ("digits_torch.py",)}
TRAINING_GROUP = "trainings"
EPOCHS = 2  # an emulated one takes half a minute or more
HERE = "this CPU"
LIMIT_S = 1500
TIMED_OUT = 124  # timeout(1)
PYTHON = "/opt/venv/bin/python"
# Of the checkout, so that what stands here is asked, whatever the image was built from.
MOUNTED = ("scripts/processors", "examples")
CODE = "/portability"
HOOK = "/opt/venv/lib/python3*/site-packages/repro_env"


class Place(NamedTuple):
    """Where something runs.

    Args:
        cpu: A model that the emulator knows, or `HERE`.
        cpus: Which of the host's CPUs it may use, as `--cpuset-cpus` takes it; empty for all.
    """

    cpu: str = HERE
    cpus: str = ""


class Outcome(NamedTuple):
    """What one operation gave.

    Args:
        group: What it belongs to.
        digest: Of its results; empty where it failed.
        error: Why; empty where it did not.
    """

    group: str
    digest: str
    error: str = ""


Outcomes = Mapping[str, Outcome]  # by the operation's name


class Runner(NamedTuple):
    """What all runs of a question share.

    Args:
        stack: The stack's name.
        emulator: The emulator's path; None where no CPU is emulated.
        operations: The names, or parts of names, of those to run; all where there are none.
        trainings: Whether the examples are trained, too.
    """

    stack: str
    emulator: Path | None
    operations: Sequence[str] = ()
    trainings: bool = True

    @property
    def image(self) -> str:
        """The stack's image."""
        return f"repro-env:{self.stack}"

    def run(self, place: Place, variables: Mapping[str, str]) -> Outcomes:
        """Return what all that is asked for gives there, with these variables.

        Raises:
            PortabilityError: The operations could not be begun.
        """
        libraries = [f"--library={name}" for name in LIBRARIES[self.stack]]
        told = self._python(
            place, variables, "-m", "processors.operations", *libraries, *self.operations
        )
        found = read_operations(told.stdout)
        if told.returncode or not found:
            sys.stderr.write(told.stderr)
            raise PortabilityError(
                f"the operations ended with status {told.returncode} on {place.cpu}",
                "mend what the lines above say"
                if told.returncode
                else "name operations as docs/portability.md does",
            )
        if self.trainings:
            for name in TRAININGS[self.stack]:
                found[name] = self._train(name, place, variables)
        return found

    def _train(self, name: str, place: Place, variables: Mapping[str, str]) -> Outcome:
        options = ("--epochs", str(EPOCHS), "--out", "/tmp/out")
        told = self._python(place, variables, f"{CODE}/examples/{name}", *options)
        printed = [
            line for line in told.stdout.splitlines() if re.match(r"epoch|test|digest", line)
        ]
        if told.returncode or not any(line.startswith("digest ") for line in printed):
            words = told.stderr.strip().splitlines()[-1:]
            return Outcome(TRAINING_GROUP, "", " ".join([f"status {told.returncode}", *words]))
        return Outcome(TRAINING_GROUP, "\n".join(printed))

    def _python(
        self, place: Place, variables: Mapping[str, str], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        emulated = [] if place.cpu == HERE else ["/qemu", "-cpu", place.cpu]
        limit = ["timeout", "--kill-after=10", str(LIMIT_S)]  # in the container, or that went on
        command = [*self._container(place, variables), *limit, *emulated, PYTHON, *arguments]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        if told.returncode == TIMED_OUT:
            raise PortabilityError(
                f"`{arguments[-1]}` took more than {LIMIT_S} s on {place.cpu}",
                "try again: an emulated process may hang, or the machine is too busy",
            )
        told.stderr = without_noise(told.stderr)
        return told

    def _container(self, place: Place, variables: Mapping[str, str]) -> list[str]:
        mounts = [
            (PROJECT / "repro_env", _hook(self.image)),
            *((PROJECT / name, f"{CODE}/{Path(name).name}") for name in MOUNTED),
        ]
        if self.emulator:
            mounts.append((self.emulator, "/qemu"))
        return [
            *("docker", "run", "--rm", "--network", "none", "--shm-size", "1g"),
            *("--user", "1000:100", "--workdir", "/tmp"),
            *(f"--cpuset-cpus={place.cpus}",) * bool(place.cpus),
            *(f"--volume={here}:{there}:ro" for here, there in mounts),
            *(f"--env=PYTHONPATH={CODE}", "--env=PYTHONDONTWRITEBYTECODE=1"),
            *(f"--env={name}={value}" for name, value in variables.items()),
            self.image,
        ]


@cache
def _hook(image: str) -> str:
    """Return where an image has this project's package."""
    return in_container(image, "sh", "-c", f"echo {HOOK}")


def read_operations(text: str) -> dict[str, Outcome]:
    """Return the outcomes that the program in the image has printed, line by line."""
    found = {}
    for line in filter(None, text.splitlines()):
        told = json.loads(line)
        outcome = Outcome(told["group"], told.get("digest", ""), told.get("error", ""))
        found[told["operation"]] = outcome
    return found


def without_noise(text: str) -> str:
    """Return what was said on stderr, without the emulator's warnings of what it leaves out."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if "TCG doesn't support requested feature" not in line)


def run_all(
    runner: Runner, wanted: Mapping[str, tuple[Place, Mapping[str, str]]], at_once: int
) -> dict[str, Outcomes]:
    """Return the outcomes of several runs, each with the name it is wanted under.

    Args:
        runner: What they share.
        wanted: Where each is run, and with which variables.
        at_once: How many run side by side.
    """

    def one(name: str) -> Outcomes:
        sys.stderr.write(f"==> {runner.stack}, {name} ...\n")
        began = time.monotonic()
        found = runner.run(*wanted[name])
        took = time.monotonic() - began
        sys.stderr.write(f"==> {runner.stack}, {name}: {len(found)} in {took:.0f} s\n")
        return found

    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip(wanted, pool.map(one, wanted)))
