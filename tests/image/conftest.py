"""Real containers: a checkout of the project with an owner, its services, ways to reach them."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import docker
import pytest
from docker.models.containers import Container

from tests.conftest import PROJECT

STACK = os.environ.get("STACK") or "tf"
IMAGE = f"repro-env:{STACK}"
REQUIREMENTS = {"tf": "requirements.txt", "torch": "requirements/torch.txt"}[STACK]

# For a module's `pytestmark`: what no stack changes is tested with one of them.
any_stack = pytest.mark.any_stack
CHOSEN_BY_UP = ("COMPOSE_FILE", "HOST_UID", "HOST_GID")


def cannot_run(reason: str) -> NoReturn:
    """Leave tests out with a line that says why; in CI, where nothing may be left out, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def locked() -> dict[str, str]:
    """The versions of the stack's Python packages, by name."""
    pins = re.findall(r"^([\w.-]+)==([^\s\\]+)", (PROJECT / REQUIREMENTS).read_text(), re.M)
    return dict(pins)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@functools.cache
def source() -> dict[str, str]:
    """The commit that our image names, and its time: a checkout of the tests has no git."""
    told = subprocess.run(
        ["bash", "-c", ". scripts/environment.sh; choose_stack; choose_source 2>/dev/null; env -0"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    variables = dict(pair.split("=", 1) for pair in told.split("\0") if pair)
    return {name: variables[name] for name in ("SOURCE_COMMIT", "SOURCE_DATE_EPOCH")}


class Stack:
    """A checkout and its two services, under a name and ports of their own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.jupyter_port = free_port()
        self.ssh_port = free_port()
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in CHOSEN_BY_UP},
            "COMPOSE_PROJECT_NAME": name,
            "JUPYTER_PORT": str(self.jupyter_port),
            "SSH_PORT": str(self.ssh_port),
            **source(),
        }

    def run(self, *command: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.env, **env},
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",  # SSH's own protocol, where a test looks at its first line
            check=False,
        )

    def must(self, *command: str, stdin: str = "", **env: str) -> str:
        result = self.run(*command, stdin=stdin, **env)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def up(self, **env: str) -> str:
        return self.must("./scripts/up", "--detach", **env)

    def down(self) -> None:
        self.run("docker", "compose", "down", "--timeout", "5")
        label = f"com.docker.compose.project={self.env['COMPOSE_PROJECT_NAME']}"
        for volume in docker.from_env().volumes.list(filters={"label": label}):
            volume.remove()  # one for each uid that the services ran as

    @property
    def ssh_command(self) -> list[str]:
        """The command that `scripts/up` prints, as a shell would split it."""
        return [*shlex.split(self.ssh("--print")), "-o", "BatchMode=yes"]

    def ssh(self, *command: str, stdin: str = "") -> str:
        return self.must("./scripts/ssh", *command, stdin=stdin)

    def container(self, service: str) -> Container:
        name = f"{self.env['COMPOSE_PROJECT_NAME']}-{service}-1"
        return docker.from_env().containers.get(name)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.jupyter_port}"

    @property
    def token(self) -> str:
        listed = self.must(
            "docker", "compose", "exec", "-T", "jupyter", "jupyter", "server", "list", "--json"
        )
        return str(json.loads(listed)["token"])


MakeStack = Callable[..., Stack]


@contextlib.contextmanager
def stacks(folders: pytest.TempPathFactory) -> Iterator[MakeStack]:
    """Make checkouts of what is here now, each owned by a uid; take down what was started."""
    made: list[Stack] = []

    def make(owner: int = 1000, name: str = "project") -> Stack:
        if os.getuid() not in (0, owner):
            cannot_run(f"a project folder of uid {owner} can only be made by root")
        folder = folders.mktemp("checkout") / name
        _copy_sources(folder)
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", f"{owner}:{owner}", folder], check=True)
        made.append(Stack(folder, f"repro-test-{os.getpid()}-{folder.parent.name}"))
        return made[-1]

    try:
        yield make
    finally:
        for stack in made:
            stack.down()


@pytest.fixture
def make_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStack]:
    """Make checkouts that are gone after the test."""
    with stacks(tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="session")
def make_lasting_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStack]:
    """Make checkouts that tests share."""
    with stacks(tmp_path_factory) as make:
        yield make


def _copy_sources(folder: Path) -> None:
    """Copy what a clone of the work tree would hold: never a key, a token or an .env of ours."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)


@pytest.fixture(scope="session")
def emulator() -> str:
    """Where there is a qemu-x86_64 that can be mounted into a container."""
    found = subprocess.run(
        ["scripts/qemu"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if found.returncode:
        cannot_run(found.stderr)
    return found.stdout.strip()


@pytest.fixture(scope="session")
def stack(make_lasting_stack: MakeStack) -> Stack:
    """Both services, up, for a project that belongs to uid 1000, as most do."""
    stack = make_lasting_stack()
    stack.up()
    return stack
