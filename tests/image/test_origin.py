"""The image says what it was made of, and it is true."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from typing import Any

import docker
import pytest
from images.lock import read_lock

from tests.conftest import PROJECT
from tests.image.conftest import IMAGE, REQUIREMENTS, STACK, source
from tests.image.test_image import inside

LOCK = PROJECT / f"stacks/{STACK}.lock"


def digest(name: str) -> str:
    return "sha256:" + hashlib.sha256((PROJECT / name).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return dict(json.loads(inside("cat", "/etc/repro/image.json")))


def test_it_names_the_stack_the_commit_and_both_locks(told: dict[str, Any]) -> None:
    commit, _, changed = source()["SOURCE_COMMIT"].partition("-")

    assert (told["schema"], told["stack"]) == (1, STACK)
    assert told["source"] == {"url": "", "commit": commit, "changed": changed == "changed"}
    assert told["lock"] == digest(f"stacks/{STACK}.lock")
    assert told["requirements"] == digest(REQUIREMENTS)
    assert told["snapshot"] == read_lock(LOCK).snapshot
    assert told["builder"] == " ".join(read_lock(LOCK).builder)


def test_it_names_its_base_with_a_digest(told: dict[str, Any]) -> None:
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", told["base"]["digest"])
    if told["base"]["pinned"]:
        assert told["base"]["reference"] == read_lock(LOCK).base
    else:
        layers = docker.from_env().images.get(IMAGE).attrs["RootFS"]["Layers"]
        assert told["base"]["digest"] == layers[0]


def test_the_debian_packages_that_differ_from_the_lock_are_exactly_the_drifted(
    told: dict[str, Any],
) -> None:
    locked = {package.name: package.version for package in read_lock(LOCK).debian}
    listed = inside("dpkg-query", "-W", "-f", "${Package} ${Version}\n")
    installed = dict(line.split() for line in listed.splitlines())
    differing = {name for name in installed if installed[name] != locked.get(name)}

    drifted = {package["name"] for package in told["os_packages"]["drifted"]}

    assert told["base"]["pinned"] or drifted == differing
    assert told["os_packages"]["state"] == ("drifted" if drifted else "locked")


def test_the_labels_say_the_same() -> None:
    labels = docker.from_env().images.get(IMAGE).labels

    assert labels["org.opencontainers.image.revision"] == source()["SOURCE_COMMIT"]
    assert labels["org.opencontainers.image.ref.name"] == STACK
    assert labels["org.opencontainers.image.title"] == "repro-env"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        pytest.param("SOURCE_COMMIT", "main", "SOURCE_COMMIT=main is not 40 hex", id="no commit"),
        pytest.param("SOURCE_COMMIT", "a" * 39, "is not 40 hex digits", id="39 digits"),
        pytest.param("BASE_DIGEST", "sha256:" + "a" * 63, "is not sha256: and 64", id="63 digits"),
    ],
)
def test_what_is_no_digest_fails_the_build(variable: str, value: str, said: str) -> None:
    facts = {"STACK": STACK, "BASE_IMAGE": "mine", "BASE_DIGEST": "", "SOURCE_URL": ""}
    facts.update({"SOURCE_COMMIT": "unknown", variable: value})
    options = [f"--env={name}={content}" for name, content in facts.items()]
    command = ["docker", "run", "--rm", "--user=0:0", f"--volume={PROJECT}:/project:ro", *options]
    describe = ["docker/describe", f"stacks/{STACK}.lock", REQUIREMENTS]

    result = subprocess.run(
        [*command, "--workdir=/project", IMAGE, *describe],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert said in result.stderr
