"""What a command prints is passed on, whole, and kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro_env.runs.relay import Relay


def relayed(folder: Path, code: str, outputs: tuple[int, int]) -> tuple[int, list[bool]]:
    relay = Relay(folder, outputs)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=relay.stdout.target, stderr=relay.stderr.target
    )
    status = relay.wait(process)
    return status, [kept.is_complete for kept in relay.close()]


@pytest.fixture
def outputs(tmp_path: Path) -> tuple[int, int]:
    names = ("passed-out", "passed-err")
    return tuple(os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in names)  # type: ignore[return-value]


def test_every_byte_is_passed_on_and_kept(tmp_path: Path, outputs: tuple[int, int]) -> None:
    code = "import os, sys; os.write(1, bytes(range(256)) * 4096); os.write(2, b'err'); sys.exit(4)"

    status, complete = relayed(tmp_path, code, outputs)

    assert (status, complete) == (4, [True, True])
    assert (tmp_path / "passed-out").read_bytes() == bytes(range(256)) * 4096
    assert (tmp_path / "stdout.log").read_bytes() == bytes(range(256)) * 4096
    assert (
        (tmp_path / "passed-err").read_bytes() == (tmp_path / "stderr.log").read_bytes() == b"err"
    )


def test_a_full_disk_ends_the_copy_and_not_the_command(
    tmp_path: Path, outputs: tuple[int, int]
) -> None:
    (tmp_path / "full").mkdir()
    relay = Relay(tmp_path / "full", outputs)
    copy = relay.stdout._copy  # as a disk that is full
    assert copy is not None
    os.dup2(os.open("/dev/full", os.O_WRONLY), copy.fileno())
    process = subprocess.Popen(
        [sys.executable, "-c", "print('still here')"],
        stdout=relay.stdout.target,
        stderr=relay.stderr.target,
    )

    status = relay.wait(process)

    assert [kept.is_complete for kept in relay.close()] == [False, True]
    assert status == 0
    assert (tmp_path / "passed-out").read_text() == "still here\n"


def test_no_descriptor_is_left(tmp_path: Path, outputs: tuple[int, int]) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    relayed(tmp_path, "print(1)", outputs)

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
