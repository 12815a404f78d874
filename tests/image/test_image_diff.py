"""What changed between two images is asked of a real engine, with images of a few bytes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.image.conftest import any_stack, cannot_run

pytestmark = any_stack

COMMAND = [sys.executable, "-m", "images"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT / "scripts")}
Build = Callable[..., str]


def docker(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["docker", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def diff(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "diff", *map(str, arguments)],
        env={**ENVIRONMENT, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def containers_of(*images: str) -> list[str]:
    filters = [f"--filter=ancestor={image}" for image in images]
    return docker("ps", "--all", "--quiet", *filters).stdout.split()


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Build images from nothing but the files named; remove them afterwards."""
    if docker("info").returncode != 0:
        cannot_run("no Docker engine answers")
    names: list[str] = []

    def make(*lines: str, **files: str) -> str:
        name = f"repro-env-test:{secrets.token_hex(6)}"
        context = tmp_path / f"context{len(names)}"
        context.mkdir()
        for file, content in files.items():
            (context / file).write_text(content)
        copies = [f"COPY {file} /opt/{file}" for file in files]
        (context / "Dockerfile").write_text("\n".join(["FROM scratch", *copies, *lines, ""]))
        made = docker("build", "--quiet", "--tag", name, context)
        assert made.returncode == 0, made.stderr
        names.append(name)
        return name

    yield make
    for container in containers_of(*names):
        docker("rm", "--force", container)
    docker("image", "rm", "--force", *names)


def test_an_image_has_not_changed_from_itself(build: Build) -> None:
    name = build(a="1")

    told = diff(name, name)

    assert told.returncode == 0
    assert "the same packages, settings and files" in told.stdout.splitlines()


def test_what_changed_is_named_and_nothing_else(build: Build) -> None:
    was = build("ENV SEED=1", same="s", gone="g", other="1")
    now = build("ENV SEED=2", same="s", other="2", new="n")

    told = diff(was, now, "--json")

    found = json.loads(told.stdout)
    assert told.returncode == 1, told.stderr
    assert [(file["path"], file["change"]) for file in found["files"]] == [
        ("/opt/gone", "removed"),
        ("/opt/new", "added"),
        ("/opt/other", "changed"),
    ]
    assert [(setting["name"], setting["now"]) for setting in found["settings"]] == [
        ("Env.SEED", "2")
    ]
    assert found["packages"] == []
    assert containers_of(was, now) == []


def test_an_archive_of_an_image_is_that_image(build: Build, tmp_path: Path) -> None:
    was, now = build(a="1"), build(a="2")
    for name, file in ((was, "was.tar"), (now, "now.tar")):
        assert docker("save", "--output", tmp_path / file, name).returncode == 0

    assert diff(was, tmp_path / "was.tar").returncode == 0
    told = diff(was, tmp_path / "now.tar")
    assert told.returncode == 1
    assert "changed /opt/a" in told.stdout
    lines = told.stdout.splitlines()  # and nothing that the engine lays over a container
    assert lines[lines.index("files:") + 1 : -1] == [line for line in lines if "/opt/a" in line]


@pytest.mark.parametrize("name", ["repro-env-test:none", "Not A Name", "sha256:" + "0" * 64])
def test_an_unknown_image_is_named(build: Build, name: str) -> None:
    told = diff(build(a="1"), name)

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.splitlines()[0] == f"error: no image and no file {name}"
    assert told.stderr.splitlines()[1].startswith("  what to do: ")


def test_without_an_engine_it_says_so() -> None:
    told = diff("a", "b", DOCKER_HOST="unix:///nowhere.sock")

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("error: the Docker engine does not answer: ")


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "kill"]
)
def test_an_interrupted_question_leaves_no_container(
    build: Build, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    was, now = build(a="1"), build(a="2")
    path = stalled_docker(tmp_path)

    process = subprocess.Popen(
        [*COMMAND, "diff", was, now],
        env={**ENVIRONMENT, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_for(lambda: len(containers_of(was, now)) == 2)
        process.send_signal(sent)
        told, complaint = process.communicate(timeout=30)

    assert (process.returncode, told, complaint) == (status, "", "")
    assert containers_of(was, now) == []


def stalled_docker(folder: Path) -> str:
    """Return a PATH on which an export never ends, as one of many GB seems to."""
    real = subprocess.run(["which", "docker"], capture_output=True, text=True, check=True)
    (folder / "docker").write_text(
        f'#!/bin/sh\n[ "$1" != export ] || exec sleep 60\nexec {real.stdout.strip()} "$@"\n'
    )
    (folder / "docker").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
