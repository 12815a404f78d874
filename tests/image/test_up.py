"""`scripts/up`: what it prints works, and what can't work is said in words."""

from __future__ import annotations

import re
import socket

from tests.image.conftest import MakeStack, Stack
from tests.image.test_jupyter import status


def test_it_prints_a_url_that_lets_in_and_an_ssh_command_that_works(make_stack: MakeStack) -> None:
    stack = make_stack()

    said = stack.up()

    url = re.search(r"JupyterLab\s+(\S+)/lab\?token=(\S+)", said)
    ssh = re.search(r"SSH\s+(ssh .*)", said)
    assert url is not None
    assert ssh is not None
    assert url[1] == stack.url
    assert status(stack, url[2]) == 200
    assert stack.must("bash", "-c", f"{ssh[1]} -o BatchMode=yes hostname") != ""


def test_what_it_says_to_try_next_works(stack: Stack) -> None:
    said = stack.must("./scripts/up", "--detach")

    tries = [line.split("#")[0].strip() for line in said.split("Try next:")[1].splitlines()]
    examples = [command for command in tries if "examples/" in command]
    assert len(examples) == 2
    for command in examples:
        assert "digest " in stack.must("bash", "-c", f"{command} --epochs 1")


def test_a_busy_port_is_named_and_nothing_stays_half_started(make_stack: MakeStack) -> None:
    stack = make_stack()
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", stack.ssh_port))
        busy.listen()

        result = stack.run("./scripts/up", "--detach")

    assert result.returncode == 2
    assert f"SSH_PORT={stack.ssh_port}" in result.stderr
    assert "what to do: choose another" in result.stderr
    assert stack.must("docker", "compose", "ps", "--status", "running", "--quiet") == ""


def test_installing_an_engine_where_one_answers_changes_nothing(stack: Stack) -> None:
    assert stack.must("./scripts/engine", "--yes") == ""


def test_without_an_engine_it_names_the_flag(stack: Stack) -> None:
    result = stack.run("./scripts/up", DOCKER_HOST="unix:///nowhere.sock")

    assert result.returncode == 2
    assert result.stderr.startswith("error: no Docker engine answers\n")
    assert "--install-engine" in result.stderr
