"""Locks put together: what fits stays, what moves is said, what drifted is named."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import pytest
from images import relock
from images.errors import ImageError

A, B = "a" * 64, "b" * 64
BASES = {"tf": f"debian:bullseye-slim@sha256:{A}", "torch": f"debian:bookworm-slim@sha256:{B}"}
DATE = "20261121T000000Z"
GIT = f"os git 1:2.30 amd64 sha256:{A}"
NEWER_GIT = f"os git 1:2.39 amd64 sha256:{B}"
TINI = f"os tini 0.19 amd64 sha256:{A}"
TORCH = f"torch==2.0.1 \\\n    --hash=sha256:{A}\n"
PYTEST = f"pytest==9.0 \\\n    --hash=sha256:{A}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without locks, and in `found` what the containers printed."""
    monkeypatch.chdir(tmp_path)
    for folder in ("stacks", "requirements", "found/requirements"):
        (tmp_path / folder).mkdir(parents=True)
    lines = [f"FROM {base} AS base-{stack}\n" for stack, base in BASES.items()]
    (tmp_path / "Dockerfile").write_text("".join(lines))
    for stack, python in relock.LOCKS.items():
        offer(tmp_path, stack, GIT)
        (tmp_path / "found" / python).write_text(TORCH)
        (tmp_path / relock.ASKED[stack]).write_text("torch==2.0.1\n")
    for other in relock.OTHERS:
        (tmp_path / "found" / other).write_text(PYTEST)
    return tmp_path


def offer(project: Path, stack: str, *packages: str, mirror: str = "http://live/debian") -> None:
    """Have the mirror offer these packages."""
    text = "\n".join([f"mirror {mirror}", *packages]) + "\n"
    (project / "found" / f"{stack}.debian").write_text(text)


def run(mode: str = "lock", package: str = "", builder: str = "docker 26.1.5") -> int:
    return relock.relock(
        argparse.Namespace(
            found=Path("found"), mode=mode, package=package, snapshot=DATE, builder=builder
        )
    )


def lock(stack: str = "tf") -> str:
    return Path(f"stacks/{stack}.lock").read_text()


def test_a_lock_holds_all_that_goes_in(project: Path) -> None:
    assert run() == 0

    digest = hashlib.sha256(TORCH.encode()).hexdigest()
    asked = hashlib.sha256(b"torch==2.0.1\n").hexdigest()
    lines = [line for line in lock().splitlines() if not line.startswith("#")]
    assert lines == [
        f"base {BASES['tf']}",
        f"snapshot {DATE}",
        "builder docker 26.1.5",
        f"asked requirements.in sha256:{asked}",
        f"python requirements.txt sha256:{digest}",
        GIT,
    ]
    assert (project / "requirements.txt").read_text() == TORCH
    assert f"base {BASES['torch']}" in lock("torch")


@pytest.mark.parametrize("lock", ["requirements/dev.txt", "requirements/strangers.txt"])
def test_a_lock_of_what_goes_into_no_image_is_kept_and_checked(
    project: Path, capsys: pytest.CaptureFixture[str], lock: str
) -> None:
    run()
    assert (project / lock).read_text() == PYTEST
    (project / "found" / lock).write_text(PYTEST + "toolz==1.0 \\\n")
    capsys.readouterr()

    assert run("check") == 1
    assert capsys.readouterr().out == f"{lock}: toolz 1.0 added\n"


@pytest.mark.usefixtures("project")
def test_a_second_time_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    run()
    capsys.readouterr()

    assert run("check") == 0
    assert capsys.readouterr() == ("", "")


def test_a_check_names_what_would_change_and_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    before = lock()
    offer(project, "tf", GIT, TINI)
    (project / "found/requirements.txt").write_text(TORCH + "toolz==1.0 \\\n")
    capsys.readouterr()

    assert run("check") == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "stacks/tf.lock: tini 0.19 added",
        "requirements.txt: toolz 1.0 added",
    ]
    assert "run scripts/lock" in said.err
    assert lock() == before


def test_a_live_mirror_that_moved_on_is_named_and_the_lock_stays(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    offer(project, "tf", NEWER_GIT, TINI)
    capsys.readouterr()

    assert run() == 0
    assert GIT in lock()
    assert TINI in lock()
    said = capsys.readouterr().out
    assert "drifted: tf: os package git: locked 1:2.30, found 1:2.39" in said


def test_the_dated_archive_is_taken_at_its_word(project: Path) -> None:
    run()
    offer(project, "tf", NEWER_GIT, mirror=f"http://snapshot/archive/debian/{DATE}")

    run()

    assert NEWER_GIT in lock()


@pytest.mark.parametrize(
    ("package", "line"),
    [
        pytest.param("", NEWER_GIT, id="everything"),
        pytest.param("torch", GIT, id="a Python package"),
    ],
)
def test_an_upgrade_moves_what_is_asked_for(project: Path, package: str, line: str) -> None:
    run()
    offer(project, "tf", NEWER_GIT, TINI)

    run("upgrade", package)

    assert line in lock()


def test_an_upgrade_says_what_moved(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    offer(project, "tf", NEWER_GIT)
    capsys.readouterr()

    run("upgrade")

    assert capsys.readouterr().out == "stacks/tf.lock: git 1:2.30 -> 1:2.39\n"


def test_a_newer_base_is_drift_until_everything_is_upgraded(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = f"debian:bullseye-slim@sha256:{B}"
    (project / "found/tf.base").write_text(newer + "\n")

    run()
    assert f"drifted: tf: base: locked {BASES['tf']}, found {newer}" in capsys.readouterr().out
    assert BASES["tf"] in (project / "Dockerfile").read_text()

    run("upgrade")
    assert f"base {newer}\n" in lock()
    assert f"FROM {newer} AS base-tf" in (project / "Dockerfile").read_text()
    assert BASES["torch"] in (project / "Dockerfile").read_text()


@pytest.mark.usefixtures("project")
def test_another_builder_is_drift_and_the_locked_one_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run()

    assert run("check", builder="docker 29.0.1") == 0
    assert "drifted: tf: builder: locked docker 26.1.5, found docker 29.0.1" in (
        capsys.readouterr().out
    )


def test_a_package_without_a_digest_is_an_error_and_nothing_is_written(project: Path) -> None:
    offer(project, "tf", "os git 1:2.30 amd64 sha256:")

    with pytest.raises(ImageError, match="no digest is known of git"):
        run()
    assert not (project / "stacks/tf.lock").exists()
