"""`scripts/up`: what it prints works, and what can't work is said in words."""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import subprocess
import time

from tests.conftest import PROJECT
from tests.image.conftest import MakeStack, Stack, any_stack
from tests.image.test_jupyter import status


def test_it_prints_a_url_that_lets_in_and_an_ssh_command_that_works(make_stack: MakeStack) -> None:
    stack = make_stack()

    result = stack.run("./scripts/up", "--detach")

    said = result.stdout
    assert said.startswith("\nJupyterLab ")  # progress is on the other stream
    assert "==> building the image" in result.stderr
    assert "[environment " in result.stderr
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


def test_the_settings_of_an_env_file_take_effect(make_stack: MakeStack) -> None:
    stack = make_stack()
    settings = "REPRO_SEED=7 # lucky\nDATA_DIR='./elsewhere'\nexport SHM_SIZE=1gb\nCPUS=1\n"
    (stack.folder / ".env").write_text(settings)

    stack.up()

    for service in ("jupyter", "ssh"):
        limits = stack.container(service).attrs["HostConfig"]
        assert (limits["ShmSize"], limits["NanoCpus"]) == (2**30, 10**9)
    assert stack.ssh("touch /data/mine; printenv REPRO_SEED") == "7\n"
    assert (stack.folder / "elsewhere" / "mine").stat().st_uid == 1000


def test_a_private_key_that_lost_its_public_half_gets_it_back(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.up()
    private = (stack.folder / "keys/id_ed25519").read_bytes()
    (stack.folder / "keys/id_ed25519.pub").unlink()

    stack.up()

    assert (stack.folder / "keys/id_ed25519").read_bytes() == private
    assert stack.ssh("id", "-un") == "repro\n"


def test_a_failing_up_does_not_end_a_run_that_was_there_before(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.up()
    before = stack.container("ssh").attrs["State"]["StartedAt"]

    result = stack.run("./scripts/up", "--detach", JUPYTER_PORT=str(stack.ssh_port))

    assert result.returncode == 2
    assert stack.container("ssh").attrs["State"]["StartedAt"] == before
    assert stack.container("ssh").status == "running"


def test_a_folder_with_spaces_in_its_name_works(make_stack: MakeStack) -> None:
    stack = make_stack(name="my first project")

    said = stack.up()

    ssh = re.search(r"SSH\s+(ssh .*)", said)
    assert ssh is not None
    assert stack.must("bash", "-c", f"cd / && {ssh[1]} -o BatchMode=yes pwd") == "/workspace\n"


@any_stack
def test_in_ci_missing_an_engine_is_a_failure_and_elsewhere_a_line(make_stack: MakeStack) -> None:
    stack = make_stack()
    (stack.folder / ".venv").symlink_to(PROJECT / ".venv")
    command = ["./scripts/test", "--", "-k", "test_knobs"]

    elsewhere = stack.run(*command, DOCKER_HOST="unix:///nowhere.sock", CI="")
    in_ci = stack.run(*command, DOCKER_HOST="unix:///nowhere.sock", CI="true")

    assert elsewhere.returncode == 0, elsewhere.stdout + elsewhere.stderr
    assert "NOT RUN: the tests in the image and of the containers" in elsewhere.stderr
    assert in_ci.returncode == 2
    assert "error: no Docker engine answers" in in_ci.stderr


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


@any_stack
def test_on_a_terminal_it_asks_before_it_installs_an_engine(stack: Stack) -> None:
    up = OnTerminal(stack, "./scripts/up", "--install-engine", DOCKER_HOST="unix:///nowhere.sock")
    up.wait_for("[y/N]")

    up.type("n\n")
    up.wait_for("no engine was installed")

    assert up.end() == 2
