"""Debian's packages are the locked ones, or each that is not is named."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.conftest import PROJECT
from tests.image.conftest import STACK, any_stack

pytestmark = any_stack

MIRRORS = """
. scripts/environment.sh
choose_stack; choose_base; choose_mirrors "$(locked snapshot)"
echo "$BASE $DEBIAN_MIRROR $DEBIAN_SECURITY_MIRROR $CA_BUNDLE"
"""
# One small package and what it needs, locked as the mirror has them now, then a change of the lock.
SCRIPT = """
set -eu
cd /tmp
PATH=/project/docker:$PATH
echo tini >os.packages
: >none
apt-lock "$main" "$security" os.packages none >os.lock
echo "snapshot $snapshot" >>os.lock
rm -rf /var/lib/apt/lists/*
echo "$main" >/mnt/debian_mirror
echo "$security" >/mnt/debian_security_mirror
sed -i "$change" os.lock
apt-install os.lock os.packages
echo "--- drifted:"
cat /etc/repro/drifted
echo "--- left:"
cd / && find var/lib/apt/lists var/log etc/apt/apt.conf.d -type f -size +0 -newer /dev
echo "--- sources:"
cat /etc/apt/sources.list
echo "--- newer:"
find /usr /etc /var -xdev -newer /dev ! -name hosts ! -name hostname ! -name resolv.conf
"""
Install = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def install() -> Install:
    """Lock tini in the stack's base, change the lock by a sed command, and install from it."""
    found = subprocess.run(
        ["bash", "-c", MIRRORS], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    base, main, security, ca = found.stdout.split()

    def run(
        change: str = "", snapshot: str = "20000101T000000Z"
    ) -> subprocess.CompletedProcess[str]:
        env = {"main": main, "security": security, "change": change, "snapshot": snapshot}
        options = [f"--env={name}={value}" for name, value in env.items()]
        options += [f"--volume={PROJECT}:/project:ro", f"--volume={ca}:/mnt/ca.crt:ro"]
        command = ["docker", "run", "--rm", f"--env=BASE_IMAGE=base-{STACK}", *options, base]
        return subprocess.run(
            [*command, "sh", "-c", SCRIPT], capture_output=True, text=True, check=False
        )

    return run


def part(output: str, name: str) -> str:
    return output.split(f"--- {name}:\n")[1].split("---")[0].strip()


def test_the_locked_packages_are_installed_and_nothing_is_left_behind(install: Install) -> None:
    result = install()

    assert result.returncode == 0, result.stderr
    assert part(result.stdout, "drifted") == ""
    assert part(result.stdout, "left") == ""
    assert "snapshot.debian.org/archive/debian/20000101T000000Z" in part(result.stdout, "sources")
    assert part(result.stdout, "newer") == ""


def test_a_mirror_that_moved_on_is_named_and_the_build_goes_on(install: Install) -> None:
    result = install(change="s/^os tini [^ ]*/os tini 0.1/")

    assert result.returncode == 0, result.stderr
    assert re.search(r"^drifted: tini is \S+, locked 0\.1$", result.stdout, re.M)
    assert re.fullmatch(r"tini 0\.1 \S+", part(result.stdout, "drifted"))


def test_a_dated_archive_must_have_the_locked_version(install: Install) -> None:
    last = subprocess.run(
        ["bash", "-c", MIRRORS], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()[1]

    result = install(
        change="s/^os tini [^ ]*/os tini 0.1/", snapshot=last.rstrip("/").rsplit("/", 1)[1]
    )

    assert result.returncode == 1
    assert re.search(r"^error: tini is \S+, locked 0\.1: run scripts/lock$", result.stdout, re.M)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            "/^os tini /d", r"tini \S+ is not in the lock: run scripts/lock", id="unknown"
        ),
        pytest.param(
            "s/^\\(os tini .*sha256:\\).*/\\1" + "0" * 64 + "/",
            r"tini \S+ has sha256:\w{64}, locked sha256:0{64}",
            id="other bytes",
        ),
    ],
)
def test_what_is_not_locked_fails_the_build(install: Install, change: str, said: str) -> None:
    result = install(change=change)

    assert result.returncode == 1
    assert re.search(f"^error: {said}$", result.stdout, re.M), result.stdout + result.stderr
