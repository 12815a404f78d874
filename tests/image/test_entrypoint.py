"""`docker run`: any command just works, and a bad value ends the container before it."""

from __future__ import annotations

import subprocess

import docker
import pytest

from tests.image.conftest import IMAGE, MakeStack, Stack, locked

BAD = [
    pytest.param("REPRO_SEED", "-1", id="negative seed"),
    pytest.param("REPRO_SEED", "4294967296", id="seed too large"),
    pytest.param("REPRO_SEED", "abc", id="seed is no number"),
    pytest.param("REPRO_SEED", "", id="empty seed"),
    pytest.param("REPRO_PROFILE", "nonsense", id="no profile"),
    pytest.param("REPRO_THREADS", "0", id="no threads"),
    pytest.param("REPRO_THREADS", "-1", id="negative threads"),
    pytest.param("REPRO_THREADS", "1e3", id="threads in another notation"),
    pytest.param("PYTHONHASHSEED", "random", id="random hash seed"),
    pytest.param("PYTHONHASHSEED", "abc", id="hash seed is no number"),
    pytest.param("PYTHONHASHSEED", "", id="empty hash seed"),
    pytest.param("TF_DETERMINISTIC_OPS", "yes", id="a word that TensorFlow aborts at"),
]
LAB = locked()["jupyterlab"] + "\n"


def docker_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "run", "--rm", "--network", "none", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_ends_the_container_with_an_error_and_advice(name: str, value: str) -> None:
    result = docker_run("--env", f"{name}={value}", IMAGE, "bash", "-c", "echo user code")

    error, advice = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (2, "")
    assert error.startswith(f"error: {name}={value!r} is not ")
    assert advice.startswith("  what to do: ")


def test_an_empty_seed_is_an_error_through_compose_too_and_not_42(stack: Stack) -> None:
    run = ["docker", "compose", "run", "--rm", "-T", "jupyter", "bash", "-c", "echo user code"]

    result = stack.run(*run, REPRO_SEED="")

    assert (result.returncode, result.stdout) == (2, "")
    assert "error: REPRO_SEED='' is not a whole number in 0..4294967295" in result.stderr


def test_a_service_with_a_bad_value_ends_and_does_not_loop(make_stack: MakeStack) -> None:
    stack = make_stack()

    result = stack.run("./scripts/up", "--detach", REPRO_SEED="abc")

    assert result.returncode == 2
    assert "error: REPRO_SEED='abc' is not a whole number" in result.stderr
    policy = stack.container("jupyter").attrs["HostConfig"]["RestartPolicy"]
    assert policy == {"Name": "on-failure", "MaximumRetryCount": 3}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(["bash", "-c", "echo hello"], "hello\n", id="bash"),
        pytest.param(["python", "-c", "print('hello')"], "hello\n", id="python"),
        pytest.param(
            ["jupyter", "lab", "--version"],
            f"{locked()['jupyterlab']}\n",
            id="jupyter's own commands",
        ),
    ],
)
def test_a_command_just_works(command: list[str], said: str) -> None:
    result = docker_run(IMAGE, *command)

    assert (result.returncode, result.stdout, result.stderr) == (0, said, "")


@pytest.mark.parametrize("options", [["--env", "HOME=/tmp"], ["--read-only"]], ids=" ".join)
def test_a_home_of_the_users_choice_or_none_at_all_is_no_error(options: list[str]) -> None:
    result = docker_run(*options, IMAGE, "python", "-c", "import random; print(random.random())")

    assert (result.returncode, result.stdout) == (0, "0.6394267984578837\n")


def test_a_commands_status_is_the_containers() -> None:
    assert docker_run(IMAGE, "bash", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize("uid", ["1000:1000", "123456:123456", "0:0", "1000:100"])
def test_any_uid_has_a_name_and_a_home(uid: str) -> None:
    check = 'test -O "$HOME" && cd && touch mine && id -un && groups'

    result = docker_run("--user", uid, IMAGE, "bash", "-c", check)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("uid", [33, 99, 65534], ids=["www-data", "below 500", "nobody"])
def test_a_uid_that_can_not_be_named_is_told_and_gets_no_ssh(uid: int) -> None:
    told = f"warning: uid {uid} with gid {uid} can't be given a name"

    for command, status in (("true", 0), ("ssh", 2)):
        result = docker_run("--user", f"{uid}:{uid}", IMAGE, command)
        assert result.returncode == status
        assert result.stderr.startswith(told)


def test_an_unreadable_key_is_named(make_stack: MakeStack) -> None:
    stack = make_stack()
    key = stack.folder / "keys" / "colleague.pub"
    key.write_text("ssh-ed25519 AAAA colleague\n")
    key.chmod(0)

    result = docker_run("-v", f"{stack.folder}:/workspace", "--user", "4242:4242", IMAGE, "ssh")

    assert result.returncode == 2
    assert "error: keys/colleague.pub can't be read by uid 4242" in result.stderr
    assert "what to do: chmod a+r keys/colleague.pub" in result.stderr


def test_a_private_key_in_place_of_a_public_one_is_named(make_stack: MakeStack) -> None:
    stack = make_stack()
    wrong = stack.folder / "keys" / "wrong one.pub"
    stack.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(wrong))
    wrong.chmod(0o644)

    result = docker_run("-v", f"{stack.folder}:/workspace", IMAGE, "ssh")

    assert result.returncode == 2
    assert "error: keys/wrong one.pub holds no public key" in result.stderr


@pytest.mark.parametrize("content", ["", "not a key\n"])
def test_a_file_that_is_no_key_is_named(make_stack: MakeStack, content: str) -> None:
    stack = make_stack()
    (stack.folder / "keys" / "wrong one.pub").write_text(content)

    result = docker_run("-v", f"{stack.folder}:/workspace", IMAGE, "ssh")

    assert result.returncode == 2
    assert "error: keys/wrong one.pub holds no public key" in result.stderr


def test_given_keys_that_are_none_are_refused() -> None:
    result = docker_run("--env", "SSH_AUTHORIZED_KEYS=nonsense", IMAGE, "ssh")

    assert result.returncode == 2
    assert "error: SSH_AUTHORIZED_KEYS holds no public key" in result.stderr


def test_services_stop_when_told_and_leave_no_zombie(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.up()
    for service in ("jupyter", "ssh"):
        container = stack.container(service)
        container.exec_run(["sh", "-c", "(sleep 0.1 &) ; sleep 0.3"])
        states = [state for _, state in container.top(ps_args="-eo pid,stat")["Processes"]]
        assert [state for state in states if state.startswith("Z")] == []
        assert container.exec_run(["cat", "/proc/1/comm"]).output == b"tini\n"

    stack.must("docker", "compose", "stop")  # kills what has not ended by itself after 10 s: 137

    for service in ("jupyter", "ssh"):
        assert stack.container(service).attrs["State"]["ExitCode"] in (0, 143)


def test_a_service_that_hangs_is_unhealthy_and_a_command_never_is() -> None:
    container = docker.from_env().containers.run(IMAGE, "jupyter", detach=True)
    try:
        healthy = [
            "bash",
            "-c",
            "until healthcheck; do sleep 0.2; done; kill -STOP $(pgrep jupyter)",
        ]
        assert container.exec_run(healthy).exit_code == 0

        assert container.exec_run("healthcheck").exit_code != 0
    finally:
        container.remove(force=True)
    assert docker_run(IMAGE, "healthcheck").returncode == 0
