"""The services' root file system can't be written to, not even by root, and nobody misses it."""

from __future__ import annotations

import json
import shlex
import zipfile
from pathlib import Path

import pytest

from tests.image.conftest import IMAGE, STACK, MakeStack, Stack
from tests.image.jupyter_client import Jupyter
from tests.image.test_entrypoint import docker_run

SERVICES = ["jupyter", "ssh"]
PLACES = ["/", "/etc", "/opt/venv/lib", "/usr/local/bin", "/var/lib"]
WRITABLE = {"/workspace", "/data", "/home", "/tmp", "/var/lib/extrausers", "/dev/shm"}
DOCKERS_OWN = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}  # root's, whom nobody can become

TEMPORARY = """
import multiprocessing, pathlib, subprocess, tempfile
with multiprocessing.Manager() as manager:  # a socket in /tmp
    manager.list([1]).append(2)
script = pathlib.Path(tempfile.mkdtemp(), "script")
script.write_text("#!/bin/sh\\necho ran")
script.chmod(0o755)
assert script.is_relative_to("/tmp")
print(subprocess.run([script], capture_output=True, text=True, check=True).stdout, end="")
"""
WORKERS = """
import torch
data = torch.utils.data.TensorDataset(torch.arange(4 * 2**20).reshape(4, -1))
print(sum(len(batch) for [batch] in torch.utils.data.DataLoader(data, num_workers=2)))
"""
CACHES = """
import os, pathlib
import matplotlib.pyplot, torch
matplotlib.pyplot.plot([1, 2])
matplotlib.pyplot.savefig("plot.png")
torch.save({"weight": torch.zeros(1)}, "model.pt")
pathlib.Path(torch.hub.get_dir()).mkdir(parents=True)
print(matplotlib.get_cachedir(), *sorted(os.listdir(pathlib.Path.home() / ".cache")))
"""
CELL = {"cell_type": "code", "source": "print(6 * 7)", "execution_count": None}
NOTEBOOK = {
    "cells": [{**CELL, "outputs": [], "metadata": {}}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def inside(stack: Stack, service: str, command: str, user: str = "") -> tuple[int, str]:
    status, said = stack.container(service).exec_run(["bash", "-c", command], user=user)
    return status, said.decode()


@pytest.fixture(scope="module", params=[123456, 0])
def owned(request: pytest.FixtureRequest, make_lasting_stack: MakeStack) -> Stack:
    stack = make_lasting_stack(owner=request.param)
    stack.up()
    return stack


@pytest.mark.parametrize("service", SERVICES)
def test_not_even_root_can_write_to_the_root_file_system(owned: Stack, service: str) -> None:
    for place in PLACES:
        status, said = inside(owned, service, f"echo changed >{place}/new", user="0:0")

        assert status != 0
        assert f"{place.rstrip('/')}/new: Read-only file system" in said


@pytest.mark.parametrize("service", SERVICES)
def test_root_can_not_take_the_protection_away(stack: Stack, service: str) -> None:
    status, said = inside(stack, service, "mount -o remount,rw /", user="0:0")

    assert status != 0
    assert "permission denied" in said or "must be superuser" in said


@pytest.mark.parametrize("service", SERVICES)
def test_exactly_what_users_need_can_be_written_to(stack: Stack, service: str) -> None:
    _, mounts = inside(stack, service, "awk '$4 ~ /^rw/ { print $2 }' /proc/mounts")

    kernels = ("/proc", "/sys", "/dev")
    found = {
        path
        for path in mounts.split()
        if path == "/dev/shm"
        or not any(path == top or path.startswith(top + "/") for top in kernels)
    }
    assert found - DOCKERS_OWN == WRITABLE


def test_a_command_of_compose_run_has_the_same(stack: Stack) -> None:
    run = ["docker", "compose", "run", "--rm", "-T", "jupyter", "sh", "-c"]

    assert stack.must(*run, "id -un; touch /tmp/mine ~/mine") == "repro\n"
    assert "Read-only file system" in stack.run(*run, "echo changed >/run/new").stderr


def test_the_doctor_has_no_complaint(stack: Stack) -> None:
    for said in (stack.ssh("repro", "doctor"), inside(stack, "jupyter", "repro doctor")[1]):
        assert "shared memory  2048 MiB" in said
        assert said.splitlines()[-1] == "all is well"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param(TEMPORARY, "ran\n", id="sockets and programs in /tmp"),
        pytest.param(WORKERS, "4\n", id="data loader workers"),
        pytest.param(
            CACHES, "/home/repro/.cache/matplotlib matplotlib torch\n", id="caches of libraries"
        ),
    ],
)
def test_what_libraries_write_finds_its_place(
    stack: Stack, service: str, code: str, said: str
) -> None:
    work = f"rm -rf ~/.cache; cd $(mktemp -d) && python -c {shlex.quote(code)} 2>err || cat err"

    assert inside(stack, service, work) == (0, said)


@pytest.mark.parametrize("folder", ["/home/repro", "/workspace", "/tmp"])
def test_a_virtual_environment_of_the_users_own_takes_packages(stack: Stack, folder: str) -> None:
    make_wheel(stack.folder / "mine-1-py3-none-any.whl")
    steps = [
        f"python -m venv {folder}/own",
        f"{folder}/own/bin/pip install --quiet --no-index mine-1-py3-none-any.whl",
        f"{folder}/own/bin/python -c 'import mine; print(mine.__file__)'",
        f"rm -r {folder}/own",
    ]

    assert stack.ssh(" && ".join(steps)).startswith(f"{folder}/own/lib/")


def make_wheel(path: Path) -> None:
    about = "mine-1.dist-info"
    files = {
        "mine.py": "",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": f"mine.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


def test_jupyterlab_keeps_settings_and_takes_uploads(stack: Stack) -> None:
    theme = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
    large = "x" * 20_000_000
    with Jupyter(stack.url, stack.token) as jupyter:
        jupyter.put(theme, {"raw": '{"theme": "JupyterLab Dark"}'})
        jupyter.put(
            "/api/contents/upload.txt", {"type": "file", "format": "text", "content": large}
        )

        assert "JupyterLab Dark" in jupyter.get(theme).json()["raw"]
    assert (stack.folder / "upload.txt").stat().st_size == len(large)
    (stack.folder / "upload.txt").unlink()


def test_a_notebook_is_run_and_turned_into_a_page(stack: Stack) -> None:
    (stack.folder / "small.ipynb").write_text(json.dumps(NOTEBOOK))

    status, said = inside(stack, "jupyter", "jupyter nbconvert --execute --to html small.ipynb")

    assert status == 0, said
    assert "42" in (stack.folder / "small.html").read_text()


def test_scp_copies_both_ways(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(bytes(3_000_000))
    _, _, port, *options = stack.ssh_command
    address = options.pop(next(i for i, word in enumerate(options) if "@" in word))
    copy = ["scp", "-q", "-P", port, *options]

    stack.must(*copy, str(tmp_path / "there"), f"{address}:/tmp/over")
    stack.must(*copy, f"{address}:/tmp/over", str(tmp_path / "back"))

    assert (tmp_path / "back").read_bytes() == bytes(3_000_000)


def test_a_restart_empties_tmp_and_both_services_are_as_before(owned: Stack) -> None:
    names = {service: inside(owned, service, "id -un; id -gn") for service in SERVICES}
    key = owned.ssh("touch /tmp/old ~/kept; cat ~/.sshd/*.pub")

    owned.must("docker", "compose", "restart", "--timeout", "5")
    owned.up()  # waits until they are healthy

    assert {service: inside(owned, service, "id -un; id -gn") for service in SERVICES} == names
    assert (
        owned.ssh("ls /tmp/old ~/kept 2>/dev/null; cat ~/.sshd/*.pub") == f"/home/repro/kept\n{key}"
    )
    with Jupyter(owned.url, owned.token) as jupyter:
        assert jupyter.start_kernel().run("print('ran')") == "ran\n"


def test_tmp_is_as_large_as_asked(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.up(TMP_SIZE="64m")

    for service in SERVICES:
        assert inside(stack, service, "head -c 60M /dev/zero >/tmp/file; rm /tmp/file") == (0, "")
        assert (
            "No space left on device" in inside(stack, service, "head -c 65M /dev/zero >/tmp/f")[1]
        )


def test_the_way_out_gives_a_writable_root_and_tmp_on_disk(make_stack: MakeStack) -> None:
    stack = make_stack()
    files = "docker-compose.yml:docker-compose.writable.yml"
    (stack.folder / ".env").write_text(f"COMPOSE_FILE={files}\n")
    stack.up()

    for service in SERVICES:
        assert inside(stack, service, "echo changed >/opt/new", user="0:0") == (0, "")
        assert inside(stack, service, "stat -f -c %T /tmp; id -un") == (0, "overlayfs\nrepro\n")
    assert stack.ssh("id", "-un") == "repro\n"


def test_without_compose_the_root_stays_writable() -> None:
    result = docker_run("--user", "0:0", IMAGE, "sh", "-c", "echo changed >/opt/new")

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(STACK != "tf", reason="torch.compile needs a compiler")
@pytest.mark.parametrize("tool", ["cc", "gcc", "g++", "clang", "ld", "make"])
def test_no_compiler_is_in_the_image(tool: str) -> None:
    look = f"PATH=$PATH:/usr/sbin:/sbin; command -v {tool} || find / -xdev -name {tool} -type f"

    assert docker_run("--user", "0:0", IMAGE, "sh", "-c", look).stdout == ""
