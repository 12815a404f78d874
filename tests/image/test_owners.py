"""Whoever owns the project owns what is written in it; nothing runs as root for others."""

from __future__ import annotations

import pytest

from tests.image.conftest import IMAGE, MakeStack, Stack
from tests.image.jupyter_client import Jupyter

OWNERS = [1000, 123456, 0]


@pytest.fixture(scope="module", params=OWNERS)
def owned(request: pytest.FixtureRequest, make_lasting_stack: MakeStack) -> tuple[Stack, int]:
    stack = make_lasting_stack(owner=request.param)
    stack.up()
    return stack, request.param


def test_files_written_through_each_service_belong_to_the_owner(owned: tuple[Stack, int]) -> None:
    stack, owner = owned

    stack.must("docker", "compose", "exec", "-T", "jupyter", "touch", "by-exec")
    stack.ssh("touch", "by-ssh")
    with Jupyter(stack.url, stack.token) as jupyter:
        jupyter.start_kernel().run("open('by-kernel', 'w').close()")

    for name in ("by-exec", "by-ssh", "by-kernel"):
        assert (stack.folder / name).stat().st_uid == owner, name


def test_the_user_has_a_name_and_a_private_home(owned: tuple[Stack, int]) -> None:
    stack, owner = owned

    for service in ("jupyter", "ssh"):
        status, said = stack.container(service).exec_run(
            [
                "sh",
                "-c",
                "id -un; id -gn; stat -c '%u %a' ~; python -c 'import getpass; getpass.getuser()'",
            ]
        )
        name = "root" if owner == 0 else "repro"
        assert (status, said.decode()) == (0, f"{name}\n{name}\n{owner} 700\n")


def test_processes_are_the_owners_and_none_is_roots(owned: tuple[Stack, int]) -> None:
    stack, owner = owned

    for service in ("jupyter", "ssh"):
        processes = stack.container(service).top(ps_args="-eo pid,uid")["Processes"]
        assert {int(uid) for _, uid in processes} == {owner}


def test_no_service_can_gain_privileges(owned: tuple[Stack, int]) -> None:
    stack, owner = owned

    for service in ("jupyter", "ssh"):
        settings = stack.container(service).attrs["HostConfig"]
        added = {"SYS_CHROOT", "SETUID", "SETGID", "AUDIT_WRITE"}
        expected = added if (owner, service) == (0, "ssh") else set()
        assert settings["CapDrop"] == ["ALL"]
        assert {name.removeprefix("CAP_") for name in settings["CapAdd"] or []} == expected
        assert "no-new-privileges:true" in settings["SecurityOpt"]


def test_the_services_are_reached_from_this_machine_only(owned: tuple[Stack, int]) -> None:
    stack, _ = owned

    for service in ("jupyter", "ssh"):
        [bound] = [ports for ports in stack.container(service).ports.values() if ports]
        assert [port["HostIp"] for port in bound] == ["127.0.0.1"]


def test_up_says_when_it_takes_root(make_stack: MakeStack) -> None:
    said = {
        owner: make_stack(owner=owner).run("./scripts/up", "--detach").stderr for owner in (0, 1000)
    }

    assert "docker-compose.root.yml" in said[0]
    assert "docker-compose.root.yml" not in said[1000]


@pytest.mark.parametrize("owner", [0, 123456])
def test_plain_compose_starts_with_another_owner_and_prints_the_line_that_fixes_it(
    make_stack: MakeStack, owner: int
) -> None:
    stack = make_stack(owner=owner)

    stack.must("docker", "compose", "up", "--detach", "--wait")
    logs = stack.container("ssh").logs().decode()

    advice = next(
        line
        for line in logs.splitlines()
        if line.startswith("  what to do: ") and "docker compose" in line and " up" in line
    )
    stack.must("bash", "-c", advice.removeprefix("  what to do: ") + " --wait")
    stack.must("docker", "compose", "exec", "-T", "jupyter", "touch", "writable-now")
    assert (stack.folder / "writable-now").stat().st_uid == owner


def test_plain_compose_serves_without_a_key_an_env_file_or_a_gpu(make_stack: MakeStack) -> None:
    stack = make_stack()

    stack.must("docker", "compose", "up", "--detach", "--wait")

    said = stack.must("docker", "compose", "logs", "--no-log-prefix")
    assert "nobody can log in over SSH" in said
    assert f"http://127.0.0.1:{stack.jupyter_port}/lab?token=" in said
    assert (
        stack.run(
            "ssh",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no",
            "-p",
            str(stack.ssh_port),
            "repro@127.0.0.1",
        ).returncode
        == 255
    )


def test_a_home_of_another_uid_is_refused_in_words(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.up()

    result = stack.run(
        "docker", "compose", "run", "--rm", "-T", "--user", "4242", "jupyter", "true"
    )

    assert result.returncode == 2
    assert (
        "error: the home volume belongs to uid 1000, this container runs as uid 4242"
        in result.stderr
    )


def test_a_read_only_project_starts_and_says_so(stack: Stack) -> None:
    mount = f"{stack.folder}:/workspace:ro"

    result = stack.run("docker", "run", "--rm", "-v", mount, IMAGE, "python", "-c", "print('ran')")

    assert (result.returncode, result.stdout) == (0, "ran\n")
    assert result.stderr.startswith("warning: the project folder is read-only")


def test_one_service_restarts_without_the_other(stack: Stack) -> None:
    before = stack.container("ssh").attrs["State"]["StartedAt"]

    stack.must("docker", "compose", "restart", "jupyter")

    assert stack.container("ssh").attrs["State"]["StartedAt"] == before
    stack.up()  # waits until both are healthy; compose alone would take the image's digest away
