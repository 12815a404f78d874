"""Shell scripts and the Dockerfile pass their linters, and what they pin is pinned whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import PROJECT

TOOLS = Path(sys.executable).parent  # where requirements/dev.txt put the linters
SHELL = re.compile(rb"\A#!.*\b(?:ba|da)?sh$|^# shellcheck shell=", re.M)
EXCUSE = re.compile(r"# (?:shellcheck (?:disable|source)|hadolint ignore)=\S+(.*)")


def tracked() -> list[Path]:
    """Every file of a clone, new ones that git does not ignore included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = (PROJECT / name for name in listed.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def shell_scripts() -> list[Path]:
    """What a shell runs, by its first line, or sources: such a file names its shell."""
    return [path for path in tracked() if SHELL.search(path.read_bytes()[:500])]


def lint(*command: str | Path) -> str:
    """Return all that a linter says: nothing, where it finds nothing."""
    return subprocess.run(
        [TOOLS / command[0], *command[1:]],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


def test_the_shell_scripts_are_found_by_themselves() -> None:
    found = {str(path.relative_to(PROJECT)) for path in shell_scripts()}

    assert {"scripts/up", "scripts/environment.sh", "docker/entrypoint", ".ci/run"} <= found
    assert "docker/profile" in found  # has neither a suffix nor a first line of a script
    assert {name for name in found if name.endswith((".py", ".md"))} == set()


def test_every_executable_file_says_what_runs_it() -> None:
    silent = [
        path.name
        for path in tracked()
        if path.stat().st_mode & 0o111 and path.read_bytes()[:2] != b"#!"
    ]

    assert silent == []


def test_every_shell_script_is_shellcheck_clean() -> None:
    assert lint("shellcheck", "--format=gcc", *shell_scripts()) == ""


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "tests/strangers/Dockerfile"])
def test_a_dockerfile_is_hadolint_clean(dockerfile: str) -> None:
    assert lint("hadolint", "--no-color", dockerfile) == ""


@pytest.mark.parametrize(
    ("linter", "file", "text", "rule"),
    [
        pytest.param("shellcheck", "bad", "#!/bin/sh\nrm $1\n", "SC2086", id="shellcheck"),
        pytest.param("hadolint", "Dockerfile", "FROM debian\n", "DL3006", id="hadolint"),
        pytest.param(
            "hadolint", "Dockerfile", "FROM a:1\nRUN rm $X\n", "SC2086", id="shell of a RUN"
        ),
    ],
)
def test_a_linter_finds_what_is_wrong(
    tmp_path: Path, linter: str, file: str, text: str, rule: str
) -> None:
    (tmp_path / file).write_text(text)

    assert rule in lint(linter, tmp_path / file)


def test_every_exception_says_why_it_is_one() -> None:
    silent = [
        f"{path.relative_to(PROJECT)}: {excuse[0]}"
        for path in [*shell_scripts(), PROJECT / "Dockerfile"]
        for excuse in EXCUSE.finditer(path.read_text())
        if not re.fullmatch(r" +# \S.+", excuse[1])
    ]
    silent += [
        f"{name}: {line}"
        for name in (".hadolint.yaml", ".shellcheckrc")
        for line in (PROJECT / name).read_text().splitlines()
        if re.search(r"\b(?:DL|SC)\d{4}\b", line) and not re.search(r"\d # \S", line)
    ]

    assert silent == []


def test_every_action_is_pinned_by_a_whole_commit() -> None:
    used = [
        step["uses"]
        for workflow in (PROJECT / ".github/workflows").iterdir()
        for job in yaml.safe_load(workflow.read_text())["jobs"].values()
        for step in [job, *job.get("steps", [])]
        if "uses" in step
    ]

    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


def test_every_digest_is_whole() -> None:
    digest = re.compile(rb"sha256:([0-9a-f]{8}\w*)")  # fewer digits: a word, or a pattern
    found = {
        (str(path.relative_to(PROJECT)), value.decode())
        for path in tracked()
        for value in digest.findall(path.read_bytes())
    }

    assert len(found) > 100
    assert [where for where in found if not re.fullmatch("[0-9a-f]{64}", where[1])] == []
