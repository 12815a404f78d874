"""What the image's own tools list is what its bill of materials lists."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.image.conftest import IMAGE, STACK, Stack


def in_image(*command: str) -> str:
    run = ["docker", "run", "--rm", "--network", "none", "--entrypoint", command[0], IMAGE]
    done = subprocess.run([*run, *command[1:]], capture_output=True, text=True, check=True)
    return done.stdout


def images(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "images", *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def bill(stack: Stack) -> dict[str, Any]:
    del stack  # whose start has built the image
    result = images("sbom", IMAGE)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def listed(bill: dict[str, Any], *types: str) -> list[tuple[str, str]]:
    return sorted(
        (component["name"], component["version"])
        for component in bill["components"]
        if component["purl"].split("/")[0] in types
    )


def test_the_bill_lists_what_dpkg_lists_and_nothing_else(bill: dict[str, Any]) -> None:
    form = "${db:Status-Status} ${Package} ${Version}\n"
    lines = in_image("dpkg-query", "-W", "-f", form).splitlines()

    installed = [line.split()[1:] for line in lines if line.startswith("installed ")]

    assert installed
    assert listed(bill, "pkg:deb") == sorted((name, version) for name, version in installed)


def test_the_bill_lists_what_pip_lists_and_nothing_else(bill: dict[str, Any]) -> None:
    installed = json.loads(in_image("/opt/venv/bin/pip", "list", "--format", "json"))

    assert installed
    assert listed(bill, "pkg:pypi", "pkg:generic") == sorted(
        (package["name"], package["version"]) for package in installed
    )


def test_our_own_package_is_of_no_index(bill: dict[str, Any]) -> None:
    assert [name for name, _ in listed(bill, "pkg:generic")] == ["repro-env"]


def test_a_locked_debian_package_has_its_digest(bill: dict[str, Any]) -> None:
    facts = json.loads(in_image("cat", "/etc/repro/image.json"))
    drifted = {package["name"] for package in facts["os_packages"]["drifted"]}

    bare = {
        component["name"]
        for component in bill["components"]
        if component["purl"].startswith("pkg:deb/") and not component.get("hashes")
    }

    assert bare == drifted


def test_the_same_image_gives_the_same_bytes(tmp_path: Path, bill: dict[str, Any]) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"

    for output in (first, second):
        assert images("sbom", IMAGE, "--output", str(output)).returncode == 0

    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_bytes()) == bill


def test_an_image_that_is_not_here_is_an_error_that_names_the_way_out() -> None:
    result = images("sbom", "repro-env:nonsense")

    assert result.returncode == 2
    assert "error: no image and no file repro-env:nonsense" in result.stderr
    assert "what to do: " in result.stderr


def test_advisories_that_do_not_answer_are_no_all_clear(stack: Stack) -> None:
    del stack

    result = images("vulnerabilities", IMAGE, "--osv-url", "http://127.0.0.1:9")

    assert result.returncode == 2
    assert result.stdout.count("not checked: http://127.0.0.1:9 did not answer") == 2
    assert "none known" not in result.stdout
    last = result.stdout.rstrip().splitlines()[-1]
    assert last.startswith("TensorFlow 2.9 gets no fixes") == (STACK == "tf")
