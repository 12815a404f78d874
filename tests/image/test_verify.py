"""`repro verify` in the services, as the workflow and its readers call it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT
from tests.image.conftest import STACK, MakeStack, Stack

WORKFLOW = PROJECT / ".github" / "workflows" / "reproduce.yml"


def workflow() -> dict[str, Any]:
    """The workflow's one job."""
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]["verify"]
    return found


def lines_of(step: str) -> str:
    """What a step of the workflow runs, by the beginning of its name."""
    named = {str(one.get("name")): one for one in workflow()["steps"]}
    return str(next(one["run"] for name, one in named.items() if name.startswith(step)))


def examples() -> str:
    """The examples of this stack, as the workflow has them."""
    rows = workflow()["strategy"]["matrix"]["include"]
    return str(next(row["examples"] for row in rows if row["stack"] == STACK))


@pytest.fixture(scope="module")
def checkout(make_lasting_stack: MakeStack) -> Stack:
    """A git checkout with its services up, as the workflow has one."""
    made = make_lasting_stack(name="verified")
    git = ["git", "-c", "safe.directory=*", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "all of it"]):
        subprocess.run([*git, *words], cwd=made.folder, check=True, capture_output=True)
    if os.getuid() == 0:
        owner = f"{made.folder.stat().st_uid}:{made.folder.stat().st_gid}"
        subprocess.run(["chown", "-R", owner, made.folder], check=True)
    made.up()
    return made


def test_the_workflow_finds_that_each_example_repeats(checkout: Stack) -> None:
    said = checkout.must("bash", "-ec", lines_of("Each example"), EXAMPLES=examples())

    count = len(examples().split())
    assert said.count("verdict: identical bytes") == count
    assert said.count("grade: repeatable") == count
    assert said.count(" steps\n") == count


def test_the_workflow_s_check_fails_with_another_seed(checkout: Stack) -> None:
    lines = lines_of("Another seed")

    said = checkout.must("bash", "-ec", lines)
    same = checkout.run("bash", "-ec", lines.replace("--seed 43", "--seed 42"))

    assert "verdict: different" in said
    assert "first difference: seed: 42 and 43" in said
    assert same.returncode != 0  # the check of the check can fail, too
    assert "verdict: identical bytes" in same.stdout


def test_the_workflow_s_page_is_written(checkout: Stack) -> None:
    checkout.must("bash", "-ec", lines_of("The page"))

    assert "<!doctype html>" in (checkout.folder / "report.html").read_text()


def test_what_the_hardened_container_refuses_to_vary_is_listed(checkout: Stack) -> None:
    command = ["docker", "compose", "exec", "-T", "jupyter", "repro", "verify", "--json"]

    done = checkout.must(*command, "--vary", "all", "--", "python", "tests/programs/clean.py")

    answer = json.loads(done)
    refused = {one["factor"]: one["reason"] for one in answer["not_varied"]}
    assert {"host-name", "addresses"} <= set(refused)
    assert "not permitted" in refused["host-name"]
    assert answer["grade"] == "robust"
    assert not set(refused) & set(answer["robust_to"])
