"""The Docker engine: what a command in it prints, and what it says of images and of itself."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.errors import BenchmarkError

PROJECT = Path(__file__).resolve().parents[2]
# How a container sees this package, and where it finds it.
OUR_CODE = ("--volume", f"{PROJECT}/scripts:/bench:ro", "--workdir", "/bench")
BENCH = "repro-env-bench"  # the compose project, the images and the volumes that are ours alone


def output(*command: str, env: Mapping[str, str] | None = None, quiet: bool = False) -> str:
    """Return what a command prints; what it says on stderr goes to ours.

    Args:
        command: the words of the command, run in the project's folder.
        env: its environment, where that is not ours.
        quiet: keep what it says on stderr until it fails.

    Raises:
        BenchmarkError: it fails.
    """
    pipe = subprocess.PIPE
    told = subprocess.run(
        command,
        cwd=PROJECT,
        env=env,
        stdout=pipe,
        stderr=pipe if quiet else None,
        text=True,
        check=False,
    )
    if told.returncode:
        sys.stderr.write(told.stderr or "")
        raise failed(command, told.returncode)
    return told.stdout.strip()


def failed(command: Sequence[str], status: int) -> BenchmarkError:
    """Return the error for a command that ended so."""
    shown = " ".join(command)[:100]
    return BenchmarkError(f"`{shown}` ended with status {status}", "mend what the lines above say")


def in_container(image: str, *command: str, options: Sequence[str] = ()) -> str:
    """Return what a command prints in a fresh container, as root and without a network."""
    alone = ("docker", "run", "--rm", "--network", "none", "--user", "0:0", *options)
    return output(*alone, "--entrypoint", command[0], image, *command[1:])


def unpacked_bytes(image: str) -> int:
    """Return the size of an image's layers on disk, whatever the engine keeps beside them."""
    history = output("docker", "history", "--human=false", "--format", "{{.Size}}", image)
    return sum(map(int, history.split()))


def describe_machine(image: str) -> str:
    """Return the date and the machine in one line, as the engine sees them.

    Args:
        image: one with a `cat`.
    """
    engine = json.loads(output("docker", "info", "--format", "{{json .}}"))
    model = re.search(r"model name\s*: (.*)", in_container(image, "cat", "/proc/cpuinfo"))
    facts = [
        f"{engine['NCPU']}-core {model[1] if model else engine['Architecture']}",
        f"{engine['MemTotal'] / 2**30:.0f} GiB",
        "a GPU" if "nvidia" in engine["Runtimes"] else "no GPU",
        engine["OperatingSystem"],
        f"Docker {engine['ServerVersion']}",
    ]
    return f"{datetime.date.today()}, {', '.join(facts)}"
