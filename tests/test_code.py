"""The exact code of a run is kept in the user's repository, and nothing there is changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repro_env.errors import ReproError
from repro_env.git import code
from tests.conftest import PROJECT
from tests.repositories import Repository, keep, no_settings, small


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's own settings: a file that isn't there."""
    return no_settings(monkeypatch, tmp_path / "home")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return small(tmp_path / "project")


def test_unchanged_code_is_the_commits_tree(repository: Repository) -> None:
    kept = keep(repository)

    assert kept.tree == repository.git("rev-parse", "HEAD^{tree}").strip()
    assert kept.commit == repository.git("rev-parse", "HEAD").strip()
    assert (kept.top, kept.branch, kept.ref) == (repository.top, "main", "refs/repro/run")
    assert (kept.is_dirty, kept.left_out, kept.submodules) == (False, (), ())


def test_nothing_of_the_users_is_touched(repository: Repository) -> None:
    repository.write({"a.py": "stashed\n"})
    repository.git("stash", "--quiet")
    repository.write({"a.py": "staged\n", "c.py": "added\n"})
    repository.git("add", "--all")
    repository.git("update-index", "--assume-unchanged", "b.py")
    repository.write({"a.py": "changed again\n", "b.py": "hidden\n", "d.py": "untracked\n"})
    before = repository.state()

    kept = keep(repository)
    code.forget(repository.top, "run")

    assert repository.state() == before
    assert repository.files(kept.tree) == {
        ".gitignore": "*.log\n",
        "a.py": "changed again\n",
        "b.py": "hidden\n",
        "c.py": "added\n",
        "d.py": "untracked\n",
    }


def test_it_is_kept_from_a_subfolder_too(repository: Repository) -> None:
    repository.write({"deep/er/c.py": "print(4)\n"})

    kept = code.keep(repository.top / "deep" / "er", "run")

    assert kept.top == repository.top
    assert set(repository.files(kept.tree)) == {".gitignore", "a.py", "b.py", "deep/er/c.py"}


def test_it_is_kept_where_nothing_is_committed(tmp_path: Path) -> None:
    repository = Repository.new(tmp_path / "new")

    empty = keep(repository, "empty")
    repository.write({"a.py": "print(1)\n", "staged.py": "print(2)\n"})
    repository.git("add", "staged.py")
    kept = keep(repository)

    assert (kept.commit, kept.branch, kept.pushed) == ("", "main", "")
    assert set(repository.files(kept.tree)) == {"a.py", "staged.py"}
    assert repository.files(empty.tree) == {}


def test_a_detached_head_has_no_branch(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--detach")

    assert (keep(repository).branch, keep(repository, "2").is_dirty) == ("", False)


def test_it_is_kept_in_another_work_tree(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "--quiet", "-b", "other", tmp_path / "other")
    other = Repository(tmp_path / "other")
    other.write({"a.py": "print(7)\n"})
    before = (repository.state(), other.state())

    kept = keep(other)

    assert (repository.state(), other.state()) == before
    assert (kept.top, kept.branch) == (other.top, "other")
    assert repository.files(kept.tree)["a.py"] == "print(7)\n"


def test_it_is_kept_where_ids_are_sha256(tmp_path: Path) -> None:
    repository = Repository.new(tmp_path / "new", "--object-format=sha256")
    repository.commit({"a.py": "print(1)\n", "b.py": "print(2)\n"})
    repository.git("update-index", "--assume-unchanged", "a.py")
    repository.write({"a.py": "print(3)\n", ".env": "x"})
    (repository.top / "b.py").unlink()

    kept = keep(repository)

    assert len(kept.tree) == len(kept.commit) == 64
    assert repository.files(kept.tree) == {"a.py": "print(3)\n"}
    assert code.refs(repository.top) == {"run": kept.tree}


def test_the_ref_is_hidden_and_not_pushed(repository: Repository, tmp_path: Path) -> None:
    shown = [["branch", "--all"], ["tag"], ["log", "--all", "--oneline", "--decorate"]]
    before = [repository.git(*command) for command in shown]
    repository.write({"c.py": "only here\n"})
    repository.git("init", "--quiet", "--bare", tmp_path / "remote")

    kept = keep(repository)
    repository.git("push", "--quiet", "--all", tmp_path / "remote")
    repository.git("push", "--quiet", "--tags", tmp_path / "remote")

    assert [repository.git(*command) for command in shown] == before
    assert "repro" not in repository.git("ls-remote", tmp_path / "remote")
    assert repository.git("rev-parse", "refs/repro/run").strip() == kept.tree


def test_it_outlives_tidying_until_it_is_forgotten(repository: Repository) -> None:
    repository.write({"c.py": "only here\n"})
    kept = keep(repository)
    (repository.top / "c.py").unlink()
    tidy = ("gc", "--quiet", "--prune=now")

    repository.git(*tidy)
    assert code.has(repository.top, "run")
    assert repository.files(kept.tree)["c.py"] == "only here\n"

    for _ in range(2):
        code.forget(repository.top, "run")
    repository.git(*tidy)
    assert not code.has(repository.top, "run")
    assert repository.git("cat-file", "-t", kept.tree, check=False) == ""
    repository.git("fsck", "--strict")


def test_runs_are_found_by_their_ids(repository: Repository) -> None:
    assert code.refs(repository.top) == {}
    first = keep(repository, "run-1")
    repository.write({"a.py": "print(3)\n"})
    second = keep(repository, "run_2")

    assert code.refs(repository.top) == {"run-1": first.tree, "run_2": second.tree}
    assert first.tree != second.tree
    code.forget(repository.top, "run-1")
    assert code.refs(repository.top) == {"run_2": second.tree}


def test_a_ref_that_leads_nowhere_can_be_forgotten(repository: Repository) -> None:
    keep(repository)
    (repository.top / ".git" / "refs" / "repro" / "run").write_text("a" * 40 + "\n")

    assert not code.has(repository.top, "run")
    code.forget(repository.top, "run")

    assert code.refs(repository.top) == {}


def test_a_runs_code_is_not_replaced(repository: Repository) -> None:
    first = keep(repository)
    repository.write({"a.py": "print(3)\n"})

    with pytest.raises(code.NoCodeError, match="reference already exists"):
        keep(repository)

    assert code.refs(repository.top) == {"run": first.tree}


@pytest.mark.parametrize("run_id", ["", "-d", "a/b", "../heads/main", "a b", "a\n", "a.lock"])
def test_what_is_no_runs_id_is_refused(repository: Repository, run_id: str) -> None:
    with pytest.raises(ReproError, match="is no run's id"):
        keep(repository, run_id)


def test_two_at_once_are_both_kept(repository: Repository) -> None:
    repository.write({f"c{number}.py": f"{number}\n" for number in range(50)})
    before = repository.state()

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda number: keep(repository, f"run-{number}"), range(16)))

    assert len({one.tree for one in kept}) == 1
    assert len(code.refs(repository.top)) == 16
    assert repository.state() == before


def test_whoever_is_killed_leaves_nothing_in_the_way(
    repository: Repository, tmp_path: Path
) -> None:
    repository.write({f"c{number}.py": f"{number}\n" for number in range(200)})
    before = repository.state()
    (tmp_path / "temporary").mkdir()
    script = (
        "import pathlib, sys; from repro_env.git import code; "
        "code.keep(pathlib.Path(sys.argv[1]), sys.argv[2])"
    )
    ended = []
    for number in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", script, repository.top, f"run-{number}"],
            cwd=PROJECT,
            env={**os.environ, "TMPDIR": str(tmp_path / "temporary"), "REPRO_DISABLE": "1"},
            start_new_session=True,
        )
        time.sleep(0.03 + number * 0.01)
        os.killpg(process.pid, signal.SIGKILL)
        ended.append(process.wait())

    assert -signal.SIGKILL in ended
    assert repository.state() == before
    assert not list((repository.top / ".git").rglob("index*.lock"))
    repository.git("fsck", "--strict")
    assert len(keep(repository, "after").tree) == 40
    repository.commit()


def test_no_temporary_folder_stays(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    repository.write({"c.py": "3\n"})

    keep(repository)

    assert list((tmp_path / "temporary").iterdir()) == []


def test_what_a_remote_has_is_named(repository: Repository, tmp_path: Path) -> None:
    assert (keep(repository, "1").pushed, keep(repository, "2").remote) == ("", "")
    repository.git("init", "--quiet", "--bare", tmp_path / "remote")
    repository.git("remote", "add", "origin", tmp_path / "remote")
    repository.git("push", "--quiet", "origin", "main")
    pushed = repository.git("rev-parse", "HEAD").strip()

    at_once = keep(repository, "3")
    repository.commit({"a.py": "print(3)\n"})
    repository.commit({"a.py": "print(4)\n"})
    later = keep(repository, "4")
    repository.git("push", "--quiet", "origin", "HEAD~1:main")

    assert (at_once.pushed, later.pushed) == (pushed, pushed)
    assert later.remote == str(tmp_path / "remote")
    assert keep(repository, "5").pushed == repository.git("rev-parse", "HEAD~1").strip()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://user:pass@example.org/a.git", "https://example.org/a.git"),
        ("https://token@example.org:8443/a/@b", "https://example.org:8443/a/@b"),
        ("https://u:p@ss@example.org/a", "https://example.org/a"),
        ("https://u:p?s#s@example.org/a?token=x#y", "https://example.org/a"),
        ("https://example.org/a?token=x", "https://example.org/a"),
        ("HTTPS://u:p@Example.org", "HTTPS://Example.org"),
        ("https://u:p/ss@example.org/a", ""),
        ("ssh://git@example.org:22/a", "ssh://example.org:22/a"),
        ("ssh://git@[::1]:22/a", "ssh://[::1]:22/a"),
        ("git@example.org:a/b.git", "example.org:a/b.git"),
        ("u:p@example.org:a", ""),
        ("git@[::1]:a", "[::1]:a"),
        ("ext::sh -c secret", ""),
        ("/srv/git/a@b:c", "/srv/git/a@b:c"),
        ("../a", "../a"),
        ("file:///srv/a", "file:///srv/a"),
        ("", ""),
    ],
)
def test_a_remotes_address_holds_no_secret(repository: Repository, url: str, shown: str) -> None:
    repository.git("config", "remote.origin.url", url)

    assert keep(repository).remote == shown
