"""The files that attempts start from: kept, put back, and never lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from repro_env.errors import RecordError
from repro_env.verification import copying, starting
from repro_env.verification.starting import StartingFiles
from tests.conftest import PROJECT


def quiet(total_bytes: int) -> Callable[[int], None]:
    del total_bytes
    return lambda _: None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of several kinds."""
    folder = tmp_path / "project"
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "train.py").write_text("print()")
    (folder / "data" / "numbers").write_bytes(bytes(range(256)))
    (folder / "data" / "deep" / "tool").write_text("#!/bin/sh")
    (folder / "data" / "deep" / "tool").chmod(0o755)
    (folder / "link").symlink_to("data/numbers")
    (folder / "broken").symlink_to("../nowhere")
    os.utime(folder / "train.py", ns=(10**18, 10**18 + 7))
    return folder


@pytest.fixture
def kept(folder: Path, tmp_path: Path) -> StartingFiles:
    (tmp_path / "kept").mkdir()
    files = StartingFiles(folder, tmp_path / "kept")
    files.keep(quiet)
    return files


def state(folder: Path) -> dict[str, object]:
    """All that a program can see of a folder."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        held: object = None
        if path.is_symlink():
            held = os.readlink(path)  # noqa: PTH115
        elif path.is_file():
            held = path.read_bytes()
        times = None if path.is_symlink() else seen.st_mtime_ns
        found[str(path.relative_to(folder))] = (seen.st_mode, times, held)
    return found


def spoil(folder: Path) -> None:
    """Do all that an attempt may do to its files."""
    (folder / "train.py").write_text("other code")
    (folder / "data" / "numbers").unlink()
    shutil.rmtree(folder / "data" / "deep")
    (folder / "data" / "deep").write_text("a file where a folder was")
    (folder / "link").unlink()
    (folder / "link").mkdir()
    (folder / "link" / "inner").write_text("a folder where a link was")
    (folder / "broken").unlink()
    (folder / "empty").rmdir()
    (folder / "made" / "here").mkdir(parents=True)
    (folder / "made" / "here" / "model").write_text("weights")
    (folder / "made" / "__pycache__").mkdir()
    (folder / "made" / "__pycache__" / "x.pyc").write_text("bytecode")
    (folder / "venv").mkdir()
    (folder / "venv" / "pyvenv.cfg").write_text("home = /usr/bin")
    (folder / "data").chmod(0o700)


def test_all_is_as_it_was_whatever_an_attempt_has_done(
    folder: Path, kept: StartingFiles, tmp_path: Path
) -> None:
    before = state(folder)
    spoil(folder)
    assert state(folder) != before

    kept.put_back(tmp_path / "aside")

    assert state(folder) == before


def test_what_an_attempt_made_or_changed_lies_aside_and_nothing_else(
    folder: Path, kept: StartingFiles, tmp_path: Path
) -> None:
    spoil(folder)

    kept.put_back(tmp_path / "aside")

    aside = tmp_path / "aside"
    files = {str(one.relative_to(aside)) for one in aside.rglob("*") if one.is_file()}
    assert files == {
        "train.py",
        "data/deep",
        "link/inner",
        "made/here/model",
        "made/__pycache__/x.pyc",
        "venv/pyvenv.cfg",
    }
    assert (aside / "train.py").read_text() == "other code"


def test_a_second_attempt_that_does_nothing_moves_nothing(
    folder: Path, kept: StartingFiles, tmp_path: Path
) -> None:
    spoil(folder)
    kept.put_back(tmp_path / "aside")

    kept.put_back(tmp_path / "again")

    assert not (tmp_path / "again").exists()


def test_a_file_whose_bytes_and_time_were_set_back_is_still_seen(
    folder: Path, kept: StartingFiles, tmp_path: Path
) -> None:
    path = folder / "train.py"
    path.write_text("PRINT()")
    os.utime(path, ns=(10**18, 10**18 + 7))

    kept.put_back(tmp_path / "aside")

    assert path.read_text() == "print()"
    assert (tmp_path / "aside" / "train.py").read_text() == "PRINT()"


def test_what_tools_keep_for_themselves_stays(
    folder: Path, kept: StartingFiles, tmp_path: Path
) -> None:
    for name in (".git", ".repro", "__pycache__"):
        (folder / name).mkdir()
        (folder / name / "file").write_text("theirs")

    kept.put_back(tmp_path / "aside")

    assert (folder / ".git" / "file").exists()
    assert (folder / ".repro" / "file").exists()
    assert not (tmp_path / "aside").exists()


def test_pipes_and_sockets_are_no_obstacle(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        (tmp_path / "kept").mkdir()
        files = StartingFiles(folder, tmp_path / "kept")

        files.keep(quiet)
        files.put_back(tmp_path / "aside")

    assert (folder / "pipe").exists()


def test_names_of_any_bytes_are_kept_and_put_back(folder: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n'\\ name")
    (folder / name).write_text("odd")
    (tmp_path / "kept").mkdir()
    files = StartingFiles(folder, tmp_path / "kept")
    files.keep(quiet)
    before = state(folder)
    (folder / name).unlink()

    files.put_back(tmp_path / "aside")

    assert state(folder) == before


def test_a_folder_that_nobody_may_write_to_is_copied_with_its_permissions(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "data").chmod(0o555)
    (tmp_path / "again").mkdir()
    files = StartingFiles(folder, tmp_path / "again")
    files.keep(quiet)

    copy = files.copy_to(tmp_path / "copy")

    assert state(copy.folder) == state(folder)
    (folder / "data").chmod(0o755)


def test_a_copy_is_put_back_too_and_the_original_is_left_alone(
    folder: Path, kept: StartingFiles, tmp_path: Path
) -> None:
    before = state(folder)
    copy = kept.copy_to(tmp_path / "copy" / "project")
    assert state(copy.folder) == before
    spoil(copy.folder)

    copy.put_back(tmp_path / "aside")

    assert state(copy.folder) == before
    assert state(folder) == before


def test_a_virtual_environment_is_not_copied_but_reached(tmp_path: Path, folder: Path) -> None:
    (folder / ".venv" / "lib").mkdir(parents=True)
    (folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin")
    (tmp_path / "kept").mkdir()
    files = StartingFiles(folder, tmp_path / "kept")
    files.keep(quiet)

    copy = files.copy_to(tmp_path / "copy")

    assert (copy.folder / ".venv" / "lib").resolve() == folder / ".venv" / "lib"
    assert not (tmp_path / "kept" / "files" / ".venv").exists()


def test_no_room_is_an_error_before_anything_happens(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (tmp_path / "kept").mkdir()

    with pytest.raises(RecordError, match="10 bytes are free"):
        StartingFiles(folder, tmp_path / "kept").keep(quiet)

    assert not (tmp_path / "kept" / "files").exists()


PUT_BACK = """
import sys
from pathlib import Path
from repro_env.verification.starting import StartingFiles
folder, kept, aside = map(Path, sys.argv[1:])
files = StartingFiles(folder, kept)
files.restore(aside)
"""


def test_killed_while_putting_back_loses_nothing_and_can_be_done_again(
    folder: Path, kept: StartingFiles, tmp_path: Path
) -> None:
    for number in range(200):
        (folder / f"file {number}").write_text("first")
    shutil.rmtree(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    kept.keep(quiet)
    before = state(folder)
    for number in range(200):
        (folder / f"file {number}").write_text(f"other {number}")
    killed = 0
    for moment in range(12):
        places = map(str, (folder, tmp_path / "kept", tmp_path / "aside"))
        command = [sys.executable, "-c", PUT_BACK, *places]
        with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(PROJECT)}) as process:
            time.sleep(0.05 + 0.01 * moment)
            killed += process.poll() is None
            process.send_signal(signal.SIGKILL)

    StartingFiles(folder, tmp_path / "kept").restore(tmp_path / "aside")

    assert killed
    assert state(folder) == before
    moved = {path.read_text() for path in (tmp_path / "aside").rglob("file*")}
    assert {f"other {number}" for number in range(200)} <= moved


def test_nothing_that_lies_aside_is_overwritten(tmp_path: Path) -> None:
    for text in ("first", "second"):
        (tmp_path / "source").write_text(text)
        copying.move(tmp_path / "source", tmp_path / "aside" / "it")

    assert sorted(one.read_text() for one in (tmp_path / "aside").iterdir()) == ["first", "second"]


def test_files_that_share_their_room_are_both_there(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")

    copying.share(tmp_path / "b", tmp_path / "a")

    assert (tmp_path / "b").read_text() == "same"
    assert (tmp_path / "a").stat().st_ino == (tmp_path / "b").stat().st_ino


def test_what_was_kept_is_no_longer_once_it_is_forgotten(
    kept: StartingFiles, tmp_path: Path
) -> None:
    assert starting.is_kept(tmp_path / "kept")
    assert starting.folder_of(tmp_path / "kept") == kept.folder

    starting.forget(tmp_path / "kept")

    assert not starting.is_kept(tmp_path / "kept")
    assert not (tmp_path / "kept" / "files").exists()
