"""`scripts/up`: what it prints works, and what can't work is said in words."""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import subprocess
import time

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


class OnTerminal:
    """A script of a checkout's that believes a person is there."""

    def __init__(self, stack: Stack, *command: str, **env: str) -> None:
        self._screen, terminal = pty.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=stack.folder,
            env={**stack.env, **env},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # its Ctrl-C
        )
        os.close(terminal)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        limit = time.monotonic() + 180
        while text not in self.shown:
            assert time.monotonic() < limit, self.shown
            if select.select([self._screen], [], [], 1)[0]:
                self.shown += os.read(self._screen, 4096).decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def end(self) -> int:
        while True:
            try:
                if not os.read(self._screen, 4096):
                    break
            except OSError:  # the terminal closes with its last process
                break
        os.close(self._screen)
        return self.process.wait(timeout=60)


def test_on_a_terminal_the_logs_follow_until_ctrl_c_stops_both(make_stack: MakeStack) -> None:
    stack = make_stack()
    up = OnTerminal(stack, "./scripts/up")
    up.wait_for("Try next:")
    stack.ssh("true")
    up.wait_for("Accepted publickey")

    up.type("\x03")

    assert up.end() == 130
    assert stack.must("docker", "compose", "ps", "--status", "running", "--quiet") == ""


def test_on_a_terminal_it_asks_before_it_installs_an_engine(stack: Stack) -> None:
    up = OnTerminal(stack, "./scripts/up", "--install-engine", DOCKER_HOST="unix:///nowhere.sock")
    up.wait_for("[y/N]")

    up.type("n\n")
    up.wait_for("no engine was installed")

    assert up.end() == 2
