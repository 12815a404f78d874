"""SSH with the real client: who gets in, what a session has, what outlives a restart."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import docker
import pytest

from tests.image.conftest import IMAGE, MakeStack, Stack, free_port

SECRETS = ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "api_key", "MYSQL_PWD", "DB_PASS"]
SECRETS += ["RSA_PASSPHRASE", "ACCESSTOKEN", "GITHUB_PAT", "NPM_AUTH"]
ODD = "a \"quoted\" 'value', $HOME and\na second line "
REFUSED = [
    pytest.param(["-o", "PreferredAuthentications=password"], "repro", id="password"),
    pytest.param(["-o", "PreferredAuthentications=keyboard-interactive"], "repro", id="prompt"),
    pytest.param([], "root", id="root, even with the key"),
    pytest.param(["-i", "/dev/null"], "repro", id="no key"),
]


@pytest.mark.parametrize(("options", "user"), REFUSED)
def test_only_a_key_of_the_projects_gets_in(stack: Stack, options: list[str], user: str) -> None:
    command = stack.ssh_command
    address = next(word for word in command if "@" in word)
    command.remove(address)
    if user != "root":
        del command[command.index("-i") : command.index("-i") + 2]

    result = stack.run(*command, *options, f"{user}@{address.split('@')[1]}", "true")

    assert result.returncode == 255
    assert "Permission denied (publickey)" in result.stderr


def test_the_printed_command_works_without_a_question_from_anywhere(stack: Stack) -> None:
    shown = stack.must("env", "-C", "/", *stack.ssh_command, "id", "-un")

    assert shown == "repro\n"


def test_the_host_keys_fingerprint_is_printed(stack: Stack) -> None:
    public = stack.must(
        "docker",
        "compose",
        "exec",
        "-T",
        "ssh",
        "cat",
        "/home/repro/.sshd/ssh_host_ed25519_key.pub",
    )
    shown = stack.must("ssh-keygen", "-l", "-f", "-", stdin=public)

    assert f"SSH host key: {shown}" in stack.container("ssh").logs().decode()


def test_the_host_key_survives_down_and_up(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.up()
    stack.ssh("true")
    before = (stack.folder / "keys/known_hosts").read_text()

    stack.must("./scripts/down")
    stack.up()
    stack.ssh("true")

    assert (stack.folder / "keys/known_hosts").read_text() == before
    stack.must("./scripts/down", "--volumes")
    stack.up()
    stack.ssh("true")
    assert (stack.folder / "keys/known_hosts").read_text() != before


def test_the_project_has_one_key_pair_that_only_its_owner_reads(stack: Stack) -> None:
    private = stack.folder / "keys/id_ed25519"

    assert (private.stat().st_mode & 0o777, private.stat().st_uid) == (0o600, 1000)
    assert stack.must("git", "-C", str(stack.folder), "init", "--quiet") == ""
    ignored = stack.must("git", "-c", "safe.directory=*", "check-ignore", "keys/id_ed25519")
    assert ignored == "keys/id_ed25519\n"


def test_files_travel_both_ways(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("there and back")
    _, _, port, *options = stack.ssh_command
    address = next(word for word in options if "@" in word)
    options.remove(address)
    batch = f"put {tmp_path}/there.txt over-sftp.txt\nget over-sftp.txt {tmp_path}/back.txt\n"

    stack.must("sftp", "-q", "-b", "-", "-P", port, *options, address, stdin=batch)

    assert (tmp_path / "back.txt").read_text() == "there and back"
    assert (stack.folder / "over-sftp.txt").stat().st_uid == 1000


def test_a_port_of_the_container_can_be_forwarded(stack: Stack) -> None:
    result = stack.run(*stack.ssh_command, "-W", "127.0.0.1:2222", stdin="SSH-2.0-test\r\n")

    assert result.stdout.startswith("SSH-2.0-")


def test_a_run_in_tmux_outlives_the_connection(stack: Stack) -> None:
    stack.ssh("tmux new-session -d 'sleep 1; echo done >tmux.txt'")

    for _ in range(100):
        if (stack.folder / "tmux.txt").exists():
            return
        time.sleep(0.1)
    raise AssertionError("the run in tmux did not go on")


def test_every_variable_reaches_a_session_whatever_it_holds_and_no_secret_does(
    make_stack: MakeStack,
) -> None:
    stack = make_stack()
    secrets = dict.fromkeys(SECRETS, "secret")
    kept = {"ODD": ODD, "TOKENIZERS_PARALLELISM": "false", "MONKEY": "kept"}
    stack.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stack.folder / "key"))
    container = docker.from_env().containers.run(
        IMAGE,
        "ssh",
        detach=True,
        environment={
            **kept,
            **secrets,
            "SSH_AUTHORIZED_KEYS": (stack.folder / "key.pub").read_text(),
        },
        ports={"2222/tcp": ("127.0.0.1", port := free_port())},
    )
    try:
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        command = ["ssh", *options, "-o", "LogLevel=ERROR", "-p", str(port), "-i", "key"]
        wait_for_banner(port)
        shown = stack.must(*command, "repro@127.0.0.1", "env", "-0")
    finally:
        container.remove(force=True)

    session = dict(pair.split("=", 1) for pair in shown.split("\0") if pair)
    assert {name: session.get(name) for name in kept} == kept
    assert set(session) & {*secrets, "SSH_AUTHORIZED_KEYS"} == set()


def wait_for_banner(port: int) -> None:
    scan = ["ssh-keyscan", "-T", "2", "-p", str(port), "127.0.0.1"]
    for _ in range(100):
        if subprocess.run(scan, capture_output=True, check=False).stdout:
            return
        time.sleep(0.1)
    raise AssertionError("no SSH banner within 10 s")
