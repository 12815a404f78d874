"""What `scripts/image --save` kept starts, and builds again, where there is no network at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.conftest import MakeStack, Stack, any_stack, cannot_run

pytestmark = any_stack

RAISE_LOOPBACK = """
import fcntl, socket, struct, sys
with socket.socket() as control:
    fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x1))  # SIOCSIFFLAGS, IFF_UP
"""


class Island:
    """A Docker engine of its own, with empty stores, in a network namespace without routes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = f"unix://{folder}/docker.sock"
        options = [f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
        options += [f"--pidfile={folder}/pid", f"--host={self.socket}"]
        command = ["unshare", "--net", "sh", "-c", 'python3 -c "$0"; exec dockerd "$@"']
        self.log = (folder / "log").open("wb")
        self.engine = subprocess.Popen(
            [*command, RAISE_LOOPBACK, *options], stdout=self.log, stderr=self.log
        )

    def run(self, *command: str, folder: Path = Path("/"), **env: str) -> str:
        """Run a command in the namespace, with this engine; it must succeed."""
        result = subprocess.run(
            ["nsenter", f"--net=/proc/{self.engine.pid}/ns/net", *command],
            cwd=folder,
            env={**os.environ, **env, "DOCKER_HOST": self.socket},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    def wait(self) -> None:
        for _ in range(300):
            if Path(self.folder, "docker.sock").exists():
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def close(self) -> None:
        self.engine.terminate()
        self.engine.wait(60)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def island(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Island]:
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        cannot_run("a network namespace can only be made by root")
    island = Island(tmp_path_factory.mktemp("island"))
    try:
        island.wait()
        yield island
    finally:
        island.close()


@pytest.fixture(scope="module")
def kept(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("kept") / "saved image"
    stack.must("./scripts/image", "--save", str(folder))
    yield folder
    shutil.rmtree(folder)


def up(island: Island, stack: Stack, kept: Path, **env: str) -> str:
    command = ["./scripts/up", "--from", str(kept)]
    return island.run(*command, folder=stack.folder, **{**stack.env, **env})


def look_at(island: Island, said: str) -> str:
    url = re.findall(r"^JupyterLab +(\S+)$", said, re.M)[0]
    code = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)"
    return island.run(sys.executable, "-c", code, url)


def test_the_namespace_has_no_way_out(island: Island) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"

    routes = island.run("cat", "/proc/net/route").splitlines()[1:]
    assert [route for route in routes if route.split()[1] == "00000000"] == []
    with pytest.raises(AssertionError, match="Network is unreachable"):
        island.run(sys.executable, "-c", code)


def test_a_saved_image_starts_without_a_network(island: Island, stack: Stack, kept: Path) -> None:
    said = up(island, stack, kept)
    try:
        assert "building" not in said
        assert look_at(island, said) == "200\n"
    finally:
        island.run("docker", "compose", "down", "--volumes", folder=stack.folder, **stack.env)


@pytest.mark.nightly
def test_another_checkout_is_built_from_what_was_saved(
    island: Island, make_stack: MakeStack, kept: Path
) -> None:
    stack = make_stack()
    with (stack.folder / "docker/profile").open("a") as profile:
        profile.write("MADE_OFFLINE=yes\n")

    said = up(island, stack, kept, SOURCE_COMMIT="0" * 40 + "-changed")
    try:
        shell = ["docker", "compose", "exec", "-T", "jupyter", "bash", "-lc", "echo $MADE_OFFLINE"]
        assert "building it from what was saved" in said
        assert island.run(*shell, folder=stack.folder, **stack.env) == "yes\n"
    finally:
        island.run("docker", "compose", "down", "--volumes", folder=stack.folder, **stack.env)


def test_a_damaged_folder_is_refused(stack: Stack, kept: Path) -> None:
    described = kept / "saved.json"
    before = described.read_text()
    described.write_text(before + " ")
    try:
        result = stack.run("./scripts/up", "--from", str(kept))
    finally:
        described.write_text(before)

    assert result.returncode == 2
    assert "saved.json: FAILED" in result.stderr
    assert f"error: {kept} is not what was saved" in result.stderr


def test_a_folder_that_holds_nothing_is_named(stack: Stack, tmp_path: Path) -> None:
    result = stack.run("./scripts/up", "--from", str(tmp_path))

    assert result.returncode == 2
    assert f"error: {tmp_path} holds no saved image" in result.stderr


def test_all_that_it_takes_is_kept(kept: Path) -> None:
    sums = (kept / "SHA256SUMS").read_text()
    names = {line.split("  ./")[1] for line in sums.splitlines()}

    assert {"base.tar", "image.tar", "saved.json", "packages/debs/Packages"} <= names
    assert len([name for name in names if name.endswith(".deb")]) > 50
    assert len([name for name in names if name.endswith(".whl")]) > 150
    assert json.loads((kept / "saved.json").read_text())["stack"] == "tf"
