"""Git is asked so that nobody's settings and surroundings bend what it does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repro_env.git import code
from tests.repositories import Repository, contents, keep, no_settings, small

is_root = os.getuid() == 0


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's own settings: a file that isn't there."""
    return no_settings(monkeypatch, tmp_path / "home")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return small(tmp_path / "project")


def test_nothing_of_the_users_settings_runs(
    repository: Repository, tmp_path: Path, settings: Path
) -> None:
    marker = tmp_path / "ran"
    program = tmp_path / "hooks" / "program"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $0 >> {marker}\nexit 1\n")
    program.chmod(0o755)
    library = Repository.new(tmp_path / "library")
    library.commit({"lib.py": "1\n"})
    repository.git("submodule", "--quiet", "add", library.top, "sub")
    repository.commit()
    for hook in ("reference-transaction", "post-index-change", "post-checkout", "pre-auto-gc"):
        (program.parent / hook).symlink_to(program)
    hostile = (
        f"[core]\nfsmonitor = {program}\nhooksPath = {program.parent}\npager = {program}\n"
        f"logAllRefUpdates = always\nsplitIndex = true\nuntrackedCache = true\nsafecrlf = true\n"
        f"[commit]\ngpgSign = true\n[gpg]\nprogram = {program}\n[gc]\nauto = 1\n"
        "[status]\nshowUntrackedFiles = no\nrenames = copies\nbranch = true\n"
        "[color]\nui = always\n[alias]\nstatus = !false\n[diff]\nignoreSubmodules = all\n"
    )
    settings.write_text(hostile)
    with (repository.top / ".git" / "config").open("a") as own:
        own.write(hostile)
    repository.write({"c.py": "3\n", "a.py": "print(3)\r\n", "sub/new.py": "4\n"})
    before = contents(repository.top)

    kept = keep(repository)

    files = {".gitignore", ".gitmodules", "a.py", "b.py", "c.py", "sub"}
    assert not marker.exists()
    assert contents(repository.top) == before
    assert not list((repository.top / ".git" / "logs").rglob("repro"))
    assert set(repository.files(kept.tree)) == files
    assert [one.is_dirty for one in kept.submodules] == [True]
    repository.git("status", check=False)
    assert marker.exists()  # they do run when the user asks git


def test_the_repository_is_the_folders_whoever_calls(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository.new(tmp_path / "other")
    other.commit({"o.py": "1\n"})
    repository.write({"c.py": "3\n"})
    before = other.state()
    for name, value in {
        "GIT_DIR": other.top / ".git",
        "GIT_WORK_TREE": other.top,
        "GIT_INDEX_FILE": other.top / ".git" / "index",
        "GIT_OBJECT_DIRECTORY": other.top / ".git" / "objects",
        "GIT_QUARANTINE_PATH": other.top,
        "GIT_ICASE_PATHSPECS": "1",
        "GIT_PREFIX": "deep/",
        "GIT_TRACE": "1",
        "GIT_CONFIG_PARAMETERS": f"'core.worktree={other.top}'",
    }.items():
        monkeypatch.setenv(name, str(value))

    kept = keep(repository)
    there = code.refs(repository.top)

    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    assert kept.top == repository.top
    assert there == {"run": kept.tree}
    assert set(repository.files(kept.tree)) == {".gitignore", "a.py", "b.py", "c.py"}
    assert other.state() == before


def test_a_folder_without_a_repository_has_no_code(tmp_path: Path) -> None:
    with pytest.raises(code.NoCodeError, match="is in no git repository"):
        code.keep(tmp_path, "run")

    assert code.top_of(tmp_path) is None
    assert not code.has(tmp_path, "run")


def test_a_bare_repository_has_no_code(tmp_path: Path) -> None:
    Repository.new(tmp_path / "bare", "--bare")

    with pytest.raises(code.NoCodeError, match="in no work tree"):
        code.keep(tmp_path / "bare", "run")

    assert code.top_of(tmp_path / "bare") is None


def test_without_git_there_is_no_code(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert code.top_of(repository.top) == repository.top
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(code.NoCodeError, match="git can't be run: No such file"):
        keep(repository)

    assert code.top_of(repository.top) is None
    assert not code.has(repository.top, "run")


@pytest.mark.skipif(not is_root, reason="only root can give a folder away")
def test_a_strangers_repository_is_refused_with_the_way_out(repository: Repository) -> None:
    os.chown(repository.top / ".git", 12345, 12345)
    os.chown(repository.top, 12345, 12345)

    (repository.top / "deep").mkdir()

    with pytest.raises(code.NoCodeError, match="belongs to another user") as error:
        code.keep(repository.top / "deep", "run")

    assert error.value.hint.endswith(f"safe.directory {repository.top}")


@pytest.mark.skipif(is_root, reason="root can write everywhere")
def test_a_repository_that_cannot_be_written_says_so(repository: Repository) -> None:
    repository.write({f"c{number}.py": f"{number}\n" for number in range(20)})
    objects = repository.top / ".git" / "objects"
    for folder in (objects, *objects.iterdir()):
        folder.chmod(0o555)

    with pytest.raises(code.NoCodeError, match="git can't write to the repository"):
        keep(repository)

    for folder in (objects, *objects.iterdir()):
        folder.chmod(0o755)
    assert code.refs(repository.top) == {}


@pytest.mark.parametrize("damage", ["index", "HEAD"])
def test_a_damaged_repository_says_so(repository: Repository, damage: str) -> None:
    (repository.top / ".git" / damage).write_bytes(b"nonsense" * 10)

    with pytest.raises(code.NoCodeError, match=r"is in no git repository|index file corrupt"):
        keep(repository)


def test_any_folder_may_be_a_repositorys(tmp_path: Path) -> None:
    repository = small(tmp_path / "a\nb/index\n/ c'\udcff\n ")
    repository.write({"c.py": "3\n"})

    kept = keep(repository)

    assert kept.top == code.top_of(repository.top) == repository.top
    assert set(repository.files(kept.tree)) == {".gitignore", "a.py", "b.py", "c.py"}
