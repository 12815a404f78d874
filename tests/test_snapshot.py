"""The tree holds the work tree's files, and what it doesn't hold is listed."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from repro_env.git import code
from repro_env.git.snapshot import Submodule
from tests.repositories import Repository, keep, no_settings, small

is_root = os.getuid() == 0
NAMES = [
    "a b",
    "a\nb",
    "a'b\"c",
    "-a",
    "--help",
    ":(top)a",
    ":!a",
    "*",
    "[a]?",
    "a\\b",
    "a\tb",
    "#a",
    "b\udcff",
    "sub folder/ö",
]


def left_out(kept: code.Code) -> dict[str, str]:
    return {one.path: one.reason for one in kept.left_out}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's own settings: a file that isn't there."""
    return no_settings(monkeypatch, tmp_path / "home")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return small(tmp_path / "project")


def test_changed_untracked_and_deleted_files_are_as_they_are(repository: Repository) -> None:
    repository.write({"a.py": "print(3)\n", "new/c.py": "print(4)\n", "x.log": "ignored"})
    (repository.top / "b.py").unlink()

    kept = keep(repository)

    assert kept.is_dirty
    assert kept.left_out == ()
    assert repository.files(kept.tree) == {
        ".gitignore": "*.log\n",
        "a.py": "print(3)\n",
        "new/c.py": "print(4)\n",
    }


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_files_that_git_shall_not_look_at_are_looked_at(repository: Repository, mark: str) -> None:
    repository.git("update-index", mark, "a.py", "b.py")
    repository.write({"a.py": "print(3)\n"})
    before = repository.state()

    kept = keep(repository)

    assert repository.files(kept.tree)["a.py"] == "print(3)\n"
    assert repository.files(kept.tree)["b.py"] == "print(2)\n"
    assert repository.state() == before


def test_what_is_assumed_unchanged_and_deleted_is_gone(repository: Repository) -> None:
    repository.git("update-index", "--assume-unchanged", "a.py")
    (repository.top / "a.py").unlink()

    assert "a.py" not in repository.files(keep(repository).tree)


def test_a_change_in_the_same_second_as_the_index_is_seen(repository: Repository) -> None:
    file = repository.top / "a.py"
    while True:  # until all of it falls into one second
        second = int(time.time())
        file.write_text("print(5)\n")
        repository.git("add", "a.py")
        file.write_text("print(6)\n")
        if int(time.time()) == second:
            break
    time.sleep(1.1)

    assert repository.files(keep(repository).tree)["a.py"] == "print(6)\n"


@pytest.mark.parametrize("setting", ["core.trustctime=false", "core.checkStat=minimal"])
def test_a_change_under_an_old_time_is_seen(repository: Repository, setting: str) -> None:
    repository.git("config", *setting.split("="))
    file = repository.top / "a.py"
    os.utime(file, (1_600_000_000, 1_600_000_000))
    repository.git("add", "a.py")
    time.sleep(1.1)
    file.write_text("print(6)\n")
    os.utime(file, (1_600_000_000, 1_600_000_000))

    assert repository.git("status", "--porcelain") == ""
    assert repository.files(keep(repository).tree)["a.py"] == "print(6)\n"


def test_a_sparse_checkout_is_not_dirty(repository: Repository) -> None:
    repository.write({"in/c.py": "3\n", "out/d.py": "4\n"})
    repository.commit()
    repository.git("sparse-checkout", "set", "in")
    assert not (repository.top / "out").exists()
    before = repository.state()

    kept = keep(repository)

    assert not kept.is_dirty
    assert "out/d.py" in repository.files(kept.tree)
    assert repository.state() == before
    repository.write({"in/c.py": "5\n", "out/d.py": "6\n"})
    assert repository.files(keep(repository, "2").tree)["in/c.py"] == "5\n"
    assert repository.files(keep(repository, "3").tree)["out/d.py"] == "6\n"


@pytest.mark.parametrize("command", ["merge", "rebase"])
def test_it_is_kept_during_a_conflict(repository: Repository, command: str) -> None:
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit({"a.py": "theirs\n", "b.py": "theirs\n"})
    repository.git("checkout", "--quiet", "main")
    repository.commit({"a.py": "ours\n"})
    repository.git("rm", "--quiet", "b.py")
    repository.commit()
    repository.git(command, "other", check=False)
    before = repository.state()

    kept = keep(repository)

    assert repository.state() == before
    assert "<<<<<<<" in repository.files(kept.tree)["a.py"]
    assert kept.is_dirty


@pytest.mark.parametrize("setting", ["core.splitIndex=true", "index.version=4"])
def test_other_forms_of_the_index_are_read(repository: Repository, setting: str) -> None:
    repository.git("config", *setting.split("="))
    repository.git("config", "splitIndex.maxPercentChange", "100")
    repository.write({"a.py": "staged\n"})
    repository.git("add", "a.py")
    repository.git("update-index", "--split-index" if "split" in setting else "--index-version=4")
    repository.write({"b.py": "print(8)\n"})
    index = (repository.top / ".git" / "index").read_bytes()

    kept = keep(repository)

    assert repository.files(kept.tree)["a.py"] == "staged\n"
    assert repository.files(kept.tree)["b.py"] == "print(8)\n"
    assert (repository.top / ".git" / "index").read_bytes() == index


def test_it_is_kept_without_an_index_and_beside_a_locked_one(repository: Repository) -> None:
    (repository.top / ".git" / "index.lock").touch()
    assert not keep(repository, "locked").is_dirty

    (repository.top / ".git" / "index").unlink()

    assert not keep(repository, "none").is_dirty
    assert not (repository.top / ".git" / "index").exists()


def test_what_is_taken_out_of_the_index_counts_as_untracked(repository: Repository) -> None:
    repository.write({"secret.pem": "x", "x.log": "tracked"})
    repository.git("add", "--force", "x.log", "secret.pem")
    repository.commit()
    repository.git("rm", "--quiet", "--cached", "a.py", "x.log", "secret.pem")
    repository.git("add", "--intent-to-add", "a.py")

    kept = keep(repository)

    assert set(repository.files(kept.tree)) == {".gitignore", "a.py", "b.py"}
    assert left_out(kept) == {"secret.pem": "it may hold secrets"}


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_kept(repository: Repository, name: str) -> None:
    repository.write({name: "untracked\n"})
    first = keep(repository, "first")
    repository.commit()
    repository.write({name: "changed\n"})
    second = keep(repository, "second")
    (repository.top / name).unlink()
    third = keep(repository, "third")

    assert [one.left_out for one in (first, second, third)] == [(), (), ()]
    assert repository.files(first.tree)[name] == "untracked\n"
    assert repository.files(second.tree)[name] == "changed\n"
    assert set(repository.files(third.tree)) == {".gitignore", "a.py", "b.py"}


def test_a_name_that_git_refuses_is_listed_and_the_rest_is_kept(repository: Repository) -> None:
    repository.write({"git~1": "x", "c.py": "3\n", "d.py": "4\n"})

    kept = keep(repository)

    assert left_out(kept) == {"git~1": "git can't take it in: its name is not allowed"}
    assert set(repository.files(kept.tree)) == {".gitignore", "a.py", "b.py", "c.py", "d.py"}


def test_a_file_that_was_moved_and_changed_is_as_it_is(repository: Repository) -> None:
    repository.commit({"a.py": "line\n" * 50})
    repository.git("mv", "a.py", "c.py")
    repository.git("mv", "b.py", "b.pem")
    repository.write({"c.py": "line\n" * 50 + "end\n"})

    kept = keep(repository)

    assert set(repository.files(kept.tree)) == {".gitignore", "c.py"}
    assert repository.files(kept.tree)["c.py"].endswith("end\n")
    assert left_out(kept) == {"b.pem": "it may hold secrets"}


def test_links_are_links_and_programs_are_programs(repository: Repository) -> None:
    (repository.top / "run.sh").touch(0o755)
    for name, target in {"to": "a.py", "loop": "loop", "out": "/nowhere", "up": ".."}.items():
        (repository.top / name).symlink_to(target)

    kept = keep(repository)

    modes = repository.modes(kept.tree)
    assert (modes["run.sh"], modes["a.py"]) == ("100755", "100644")
    assert {modes[name] for name in ("to", "loop", "out", "up")} == {"120000"}
    assert repository.files(kept.tree)["up"] == ".."


def test_files_folders_and_links_change_places(repository: Repository) -> None:
    repository.write({"folder/c.py": "3\n", "file": "4\n", "other/d.py": "5\n"})
    repository.commit()
    for name in ("folder/c.py", "file", "other/d.py"):
        (repository.top / name).unlink()
    (repository.top / "folder").rmdir()
    (repository.top / "other").rmdir()
    repository.write({"real/c.py": "6\n", "file/e.py": "7\n", "other": "8\n"})
    (repository.top / "folder").symlink_to("real")

    kept = keep(repository)

    assert kept.left_out == ()
    assert repository.files(kept.tree) == {
        ".gitignore": "*.log\n",
        "a.py": "print(1)\n",
        "b.py": "print(2)\n",
        "file/e.py": "7\n",
        "folder": "real",
        "other": "8\n",
        "real/c.py": "6\n",
    }


def test_what_is_no_file_is_left_out(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository.top / "a.py").unlink()
    os.mkfifo(repository.top / "a.py")
    os.mkfifo(repository.top / "pipe")
    monkeypatch.chdir(repository.top)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")

        kept = keep(repository)

    assert left_out(kept) == {"a.py": "it is neither a file nor a link"}
    assert set(repository.files(kept.tree)) == {".gitignore", "b.py"}
    assert kept.is_dirty


@pytest.mark.skipif(is_root, reason="root can read everything")
def test_what_cannot_be_read_is_left_out(repository: Repository) -> None:
    repository.write({"c.py": "print(3)\n"})
    for name in ("a.py", "c.py"):
        (repository.top / name).chmod(0)

    kept = keep(repository)

    assert left_out(kept) == dict.fromkeys(("a.py", "c.py"), "it can't be read")
    assert set(repository.files(kept.tree)) == {".gitignore", "b.py"}


def test_large_files_are_left_out_unless_head_has_them(repository: Repository) -> None:
    repository.commit({"old": "x" * 101})
    repository.write({"a.py": "x" * 101, "b.py": "x" * 100, "new": "x" * 101, "staged": "x" * 101})
    repository.git("add", "staged")

    kept = keep(repository, limit_bytes=100)

    assert left_out(kept) == dict.fromkeys(("a.py", "new", "staged"), "it is over 100 bytes")
    assert {one.size_bytes for one in kept.left_out} == {101}
    assert set(repository.files(kept.tree)) == {".gitignore", "b.py", "old"}


def test_of_too_many_bytes_the_largest_files_are_left_out(repository: Repository) -> None:
    repository.write({f"data/{size}": "x" * size for size in (10, 20, 30, 40)})

    kept = keep(repository, all_bytes=60)
    all_kept = keep(repository, "2", all_bytes=100)

    assert left_out(kept) == {"data/40": "all changed files together are over 60 bytes"}
    assert {"data/10", "data/20", "data/30"} < set(repository.files(kept.tree))
    assert all_kept.left_out == ()


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.local", ".ENV", ".netrc", ".npmrc", ".pypirc", "tls.pem", "tls.key"),
        *("id_rsa", "id_ed25519", "id_ecdsa_sk", "a.p12", "credentials.json", "kaggle.json"),
        "deep/.env",
    ],
)
def test_what_may_hold_secrets_is_left_out_unless_head_has_it_so(
    repository: Repository, name: str
) -> None:
    repository.write({name: "token\n"})
    untracked = keep(repository, "untracked")
    repository.git("add", "--all")
    staged = keep(repository, "staged")
    repository.commit()
    tracked = keep(repository, "tracked")
    repository.write({name: "another\n"})
    changed = keep(repository, "changed")

    for kept in (untracked, staged, changed):
        assert left_out(kept) == {name: "it may hold secrets"}
    assert name not in repository.files(changed.tree)
    assert name not in repository.files(untracked.tree) | repository.files(staged.tree)
    assert repository.files(tracked.tree)[name] == "token\n"
    assert b"token" not in repository.git_bytes("cat-file", "-p", untracked.tree)


@pytest.mark.parametrize(
    "name", [".env.example", ".env.sample", ".env.template", "key.py", "env", "id_rsa.pub"]
)
def test_what_only_looks_like_a_secret_is_kept(repository: Repository, name: str) -> None:
    repository.write({name: "x\n"})

    assert keep(repository).left_out == ()
    assert name in repository.files(keep(repository, "2").tree)


def test_our_own_folder_and_repositories_inside_are_left_out(repository: Repository) -> None:
    Repository.new(repository.top / "nested").commit({"inside.py": "1\n"})
    Repository.new(repository.top / "unborn")
    repository.write({".repro/runs/1": "x", "deep/.repro/runs/1": "x", ".reprod": "x"})

    kept = keep(repository)

    assert left_out(kept) == dict.fromkeys(
        ("nested/", "unborn/"), "it is a git repository and no submodule"
    )
    assert set(repository.files(kept.tree)) == {".gitignore", ".reprod", "a.py", "b.py"}


def test_submodules_are_kept_by_their_commit(repository: Repository, tmp_path: Path) -> None:
    library = Repository.new(tmp_path / "library")
    first = library.commit({"lib.py": "1\n"})
    for name in ("clean", "moved", "dirty", "unused", "removed"):
        repository.git("submodule", "--quiet", "add", library.top, name)
    repository.commit()
    second = Repository(repository.top / "moved").commit({"lib.py": "2\n"})
    (repository.top / "dirty" / "new.py").touch()
    repository.git("submodule", "--quiet", "deinit", "--force", "unused")
    subprocess.run(["rm", "-r", repository.top / "removed"], check=True)
    before = repository.state()

    kept = keep(repository)

    assert repository.state() == before
    assert kept.submodules == (
        Submodule("clean", first, False),
        Submodule("dirty", first, True),
        Submodule("moved", second, False),
        Submodule("unused", first, False),
    )
    assert repository.files(kept.tree)["moved"] == second
    assert kept.is_dirty
    assert kept.left_out == ()


def test_a_change_deep_inside_is_seen_whatever_the_settings(
    repository: Repository, tmp_path: Path, settings: Path
) -> None:
    deep = Repository.new(tmp_path / "deep")
    deep.commit({"deep.py": "1\n"})
    library = Repository.new(tmp_path / "library")
    library.git("submodule", "--quiet", "add", deep.top, "inner")
    library.commit()
    repository.git("submodule", "--quiet", "add", library.top, "sub")
    repository.git("submodule", "--quiet", "update", "--init", "--recursive")
    repository.git("config", "--file", ".gitmodules", "submodule.sub.ignore", "all")
    repository.commit()
    settings.write_text("[diff]\nignoreSubmodules = all\n")

    clean = keep(repository, "clean")
    repository.write({"sub/inner/new.py": "2\n"})
    changed = keep(repository, "changed")

    assert [one.is_dirty for one in clean.submodules + changed.submodules] == [False, True]
    assert (clean.is_dirty, changed.is_dirty) == (False, False)


def test_a_partial_clone_needs_no_remote(repository: Repository, tmp_path: Path) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.commit({"in/c.py": "3\n", "out/d.py": "4\n"})
    origin, clone = repository.top.as_uri(), Repository(tmp_path / "clone")
    repository.git(*("clone", "--quiet", "--no-checkout", "--filter=blob:none", origin, clone.top))
    clone.git("sparse-checkout", "set", "in")
    clone.git("checkout", "--quiet", "main")
    repository.top.rename(tmp_path / "away")
    clone.write({"in/c.py": "5\n"})

    kept = keep(clone)

    assert "out/d.py" in clone.modes(kept.tree)
    assert clone.git("cat-file", "blob", f"{kept.tree}:in/c.py") == "5\n"


def test_a_submodule_that_became_a_file_is_looked_at_as_one(
    repository: Repository, tmp_path: Path
) -> None:
    Repository.new(tmp_path / "library").commit({"lib.py": "1\n"})
    repository.git("submodule", "--quiet", "add", tmp_path / "library", "sub")
    repository.commit()
    subprocess.run(["rm", "-r", repository.top / "sub"], check=True)
    repository.write({"sub": "x" * 101})

    kept = keep(repository, limit_bytes=100)

    assert left_out(kept)["sub"] == "it is over 100 bytes"
    assert "sub" not in repository.files(kept.tree)
    assert kept.submodules == ()


def test_filters_work_as_with_git_add(repository: Repository) -> None:
    repository.commit({"m.broken": "tracked\n"})
    repository.git("config", "filter.upper.clean", "tr a-z A-Z")
    repository.git("config", "filter.absent.clean", "no-such-program")
    repository.git("config", "filter.broken.clean", "echo a secret >&2; false")
    repository.git("config", "filter.broken.required", "true")
    repository.write(
        {
            ".gitattributes": "*.up filter=upper\n*.absent filter=absent\n*.broken filter=broken\n",
            "a.up": "text\n",
            "a.absent": "text\n",
        }
    )
    for name in "a.broken", "m.broken", "z.broken", "b.py", "c.py", "d.py":
        repository.write({name: f"{name}\n"})

    kept = keep(repository)

    assert left_out(kept) == {
        name: "git can't take it in: external filter 'echo a secret >&2; false' failed 1; "
        f"external filter 'echo a secret >&2; false' failed; {name}: clean filter 'broken' failed"
        for name in ("a.broken", "m.broken", "z.broken")
    }
    files = repository.files(kept.tree)
    assert (files["a.up"], files["a.absent"]) == ("TEXT\n", "text\n")
    assert {"b.py", "c.py", "d.py"} < set(files)
    assert not {"a.broken", "m.broken", "z.broken"} & set(files)


def test_line_ends_are_as_with_git_add(repository: Repository) -> None:
    repository.git("config", "core.autocrlf", "true")
    repository.git("config", "core.safecrlf", "true")
    (repository.top / "a.py").write_bytes(b"print(1)\r\n")
    (repository.top / "c.py").write_bytes(b"1\r\n2\n")

    kept = keep(repository)

    assert kept.left_out == ()
    assert repository.files(kept.tree)["a.py"] == "print(1)\n"
    assert repository.files(kept.tree)["c.py"] == "1\n2\n"
