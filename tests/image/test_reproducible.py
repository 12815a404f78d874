"""A build step gives the same layer whoever makes it, wherever; else the difference is named.

Here with the layer of the operating system alone; scripts/image --verify compares whole images.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import PROJECT
from tests.image.conftest import MakeStack, Stack, any_stack

NAME = "repro-env-test-layer"
BUILD = """
. scripts/environment.sh
choose_stack; choose_base; choose_mirrors "$(locked snapshot)"; choose_source
bake --no-cache --set jupyter.target=os --set "jupyter.tags=$0"
"""


def build(stack: Stack, tag: str, umask: str) -> str:
    """Build the layer without cache, save it, and return the image's id."""
    name = f"{NAME}:{tag}"
    stack.must("bash", "-c", f"umask {umask}\n{BUILD}", name)
    stack.must("docker", "save", "--output", str(stack.folder / "image.tar"), name)
    return str(docker.from_env().images.get(name).id)


def verify(first: Stack, second: Stack) -> subprocess.CompletedProcess[str]:
    archives = [str(stack.folder / "image.tar") for stack in (first, second)]
    return subprocess.run(
        [sys.executable, "-m", "images", "verify", *archives],
        cwd=PROJECT / "scripts",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(autouse=True, scope="module")
def _images() -> Iterator[None]:
    yield
    for tag in ("first", "second"):
        with contextlib.suppress(docker.errors.ImageNotFound):
            docker.from_env().images.remove(f"{NAME}:{tag}")


def test_two_checkouts_build_the_same_bits(make_stack: MakeStack) -> None:
    first, second = make_stack(), make_stack(name="another folder")
    for file in second.folder.rglob("*"):  # another umask at the checkout too
        file.chmod(file.stat().st_mode & 0o700)

    ids = [build(first, "first", "022"), build(second, "second", "077")]

    assert ids[0] == ids[1]
    result = verify(first, second)
    assert (result.returncode, result.stdout.split(":")[0]) == (0, "identical")


@any_stack
def test_a_step_that_keeps_its_times_is_named(make_stack: MakeStack) -> None:
    first, second = make_stack(), make_stack()
    for stack in (first, second):
        (stack.folder / "docker/settle").write_text("#!/bin/sh\n")

    ids = [build(first, "first", "022"), build(second, "second", "022")]

    assert ids[0] != ids[1]
    result = verify(first, second)
    assert result.returncode == 1
    assert "layer 2, RUN " in result.stdout
    assert re.search(r"^  \S+: time ", result.stdout, re.M)
    assert result.stdout.splitlines()[-1].startswith("different: sha256:")


@any_stack
def test_a_new_commit_that_touches_no_source_of_the_image_keeps_its_commit(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", PROJECT, clone], check=True)

    before = commit_named(clone)
    change(clone, "train.py")
    assert commit_named(clone) == before

    change(clone, "docker/packages.txt")
    assert commit_named(clone) not in (before, f"{before}-changed")
    (clone / "Dockerfile").write_text("FROM scratch\n")
    assert commit_named(clone).endswith("-changed")


def commit_named(clone: Path) -> str:
    ask = '. scripts/environment.sh; choose_stack tf; choose_source; echo "$SOURCE_COMMIT"'
    told = subprocess.run(
        ["bash", "-c", ask], cwd=clone, capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


def change(clone: Path, name: str) -> None:
    """Commit a change of one file."""
    with (clone / name).open("a") as file:
        file.write("# changed\n")
    author = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    subprocess.run(["git", "add", "--all"], cwd=clone, check=True)
    subprocess.run(["git", *author, "commit", "-qm", "change"], cwd=clone, check=True)


def test_what_one_stack_is_built_on_does_not_reach_the_next() -> None:
    ask = """
        . scripts/environment.sh
        for stack in tf torch; do (choose_stack $stack; choose_base 2>/dev/null; echo "$BASE"); done
    """
    told = subprocess.run(
        ["bash", "-c", ask], cwd=PROJECT, capture_output=True, text=True, check=True
    )

    bases = told.stdout.split()
    assert ("bullseye" in bases[0], "bookworm" in bases[1]) == (True, True)
