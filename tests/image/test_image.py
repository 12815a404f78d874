"""What the image holds, and what it must not."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

import docker
import pytest

from tests.conftest import PROJECT
from tests.image.conftest import IMAGE, REQUIREMENTS, STACK, locked

FRAMEWORKS = {"tf": ["tensorflow", "torch"], "torch": ["torch"]}


def inside(*command: str, user: str = "0:0") -> str:
    """Run a command in the bare image: no entrypoint, root, so that nothing is hidden."""
    bare = [
        "docker",
        "run",
        "--rm",
        "--network",
        "none",
        "--user",
        user,
        "--entrypoint",
        command[0],
    ]
    return subprocess.run(
        [*bare, IMAGE, *command[1:]], capture_output=True, text=True, check=True
    ).stdout


def test_exactly_the_lock_is_installed() -> None:
    listed = inside("python", "-m", "pip", "list", "--format=freeze")

    found = dict(pair.split("==") for pair in listed.lower().replace("_", "-").split())

    assert found.pop("repro-env") == "0.1.0"
    assert found == locked()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param("s/^six==.*/six==1.0.0/", "six: locked 1.0.0, installed 1.", id="version"),
        pytest.param("/^six==/d", "six: locked not at all, installed 1.", id="not locked"),
        pytest.param("$a toolz==1.0.0", "toolz: locked 1.0.0, installed not", id="missing"),
    ],
)
def test_the_build_fails_where_the_lock_is_not_what_is_installed(change: str, said: str) -> None:
    script = f"sed '{change}' {REQUIREMENTS} >/tmp/lock; python docker/prove /tmp/lock"
    command = ["docker", "run", "--rm", "--volume", f"{PROJECT}:/workspace:ro", IMAGE]

    result = subprocess.run(
        [*command, "sh", "-c", script], capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert said in result.stdout


def test_the_frameworks_are_the_locked_ones() -> None:
    names = FRAMEWORKS[STACK]
    versions = ", ".join(f"{name}.__version__" for name in names)

    found = inside("python", "-c", f"import {', '.join(names)}; print({versions})")

    assert [version.split("+")[0] for version in found.split()] == [
        locked()[name] for name in names
    ]


@pytest.mark.parametrize(
    "library",
    [
        "libcudart.so.11.0",
        "libcublas.so.11",
        "libcublasLt.so.11",
        "libcufft.so.10",
        "libcurand.so.10",
        "libcusolver.so.11",
        "libcusparse.so.11",
        "libcudnn.so.8",
    ],
)
@pytest.mark.skipif(STACK != "tf", reason="torch finds its own by their paths")
def test_tensorflow_finds_torchs_cuda_libraries(library: str) -> None:
    code = f"import ctypes; ctypes.CDLL({library!r}); print(open('/proc/self/maps').read())"

    assert re.search(rf"site-packages/nvidia/\S*/{library}", inside("python", "-c", code))


@pytest.mark.parametrize(
    "command", ["git", "tmux", "sshd", "tini", "pytest", "pip-compile", "tensorboard", "jupyter"]
)
def test_a_tool_is_there(command: str) -> None:
    assert inside("sh", "-c", f"PATH=$PATH:/usr/sbin command -v {command}")


def test_a_new_package_changes_at_most_400_megabytes_of_layers() -> None:
    steps = docker.from_env().images.get(IMAGE).history()  # the newest first
    touched = next(n for n, step in enumerate(steps) if "/mnt/rest.txt" in step["CreatedBy"])

    assert steps[touched]["Size"] > 0
    assert sum(step["Size"] for step in steps[: touched + 1]) < 400e6


def test_no_setuid_or_setgid_file_is_left() -> None:
    assert inside("find", "/", "-xdev", "-type", "f", "-perm", "/6000") == ""


@pytest.mark.parametrize("name", ["ssh_host_*", "id_*", "authorized_keys", "known_hosts", ".env"])
def test_no_key_is_left(name: str) -> None:
    outside = ["-path", "/proc", "-prune", "-o", "-path", "/opt/venv/lib", "-prune", "-o"]

    assert (
        inside("find", "/", *outside, "-path", "/usr", "-prune", "-o", "-name", name, "-print")
        == ""
    )


@pytest.mark.parametrize(
    "folder", ["/root", "/home", "/tmp", "/workspace", "/data", "/var/lib/apt/lists", "/var/log"]
)
def test_no_cache_or_left_over_is_in(folder: str) -> None:
    profiles = {"/root/.bashrc", "/root/.profile"}

    assert set(inside("find", folder, "-type", "f", "-size", "+0").split()) - profiles == set()


def test_no_certificate_of_the_build_is_left() -> None:
    bundle = Path(os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or "/dev/null")
    content = bundle.read_bytes()
    find = f"find / -xdev -type f -size {len(content)}c -exec sha256sum {{}} +"

    assert inside("sh", "-c", "[ ! -s /mnt/ca.crt ] && echo none") == "none\n"
    assert not content or hashlib.sha256(content).hexdigest() not in inside("sh", "-c", find)


def test_no_variable_of_the_image_or_its_history_is_a_secret() -> None:
    image = docker.from_env().images.get(IMAGE)
    told = "\n".join(
        [*image.attrs["Config"]["Env"], *(step["CreatedBy"] for step in image.history())]
    )

    assert re.findall(r"(?i)\b\w*(?:token|password|secret|_key)\w*=\S+", told) == []
    assert "BEGIN CERTIFICATE" not in told


def test_the_image_is_labelled_and_unprivileged() -> None:
    config = docker.from_env().images.get(IMAGE).attrs["Config"]

    assert config["User"] == "1000:1000"
    assert config["Labels"]["org.opencontainers.image.title"] == "repro-env"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert config["Healthcheck"]["Test"] == ["CMD", "healthcheck"]


def test_nothing_that_users_run_can_be_changed_by_them() -> None:
    find = "find /opt /usr /etc -xdev -writable -not -type l 2>/dev/null || true"

    assert inside("sh", "-c", find, user="1000:1000") == ""


def test_the_home_is_made_by_who_runs_it_and_not_by_the_build() -> None:
    assert inside("ls", "-A", "/home") == ""
