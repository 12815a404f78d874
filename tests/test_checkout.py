"""The code of a run is written out again, also where it comes from a stranger."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from repro_env.errors import ReproError
from repro_env.git import code
from repro_env.git.checkout import CheckedOut, check_out, read_bundle, write_bundle
from repro_env.git.snapshot import Submodule
from tests.repositories import Repository, contents, no_settings

ALL_WELL = CheckedOut((), ())


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's own settings: a file that isn't there."""
    return no_settings(monkeypatch, tmp_path / "home")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return filled(Repository.new(tmp_path / "project"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "folder"


def filled(repository: Repository) -> Repository:
    """A repository with a commit, and changes since then."""
    repository.commit({"a.py": "print(1)\n", "b.py": "print(2)\n"})
    repository.write({"a.py": "print(3)\n", "deep/c d\n.py": "print(4)\n", "\udcff": "5\n"})
    (repository.top / "run.sh").touch(0o755)
    (repository.top / "link").symlink_to("a.py")
    (repository.top / "b.py").unlink()
    return repository


def bundled(repository: Repository) -> tuple[str, Path]:
    """Keep a work tree's code, and write it into a bundle."""
    tree = code.keep(repository.top, "run").tree
    file = repository.top.with_suffix(".bundle")
    write_bundle(repository.top, "run", file)
    return tree, file


def same(folder: Path, other: Path) -> bool:
    """Say whether two folders hold the same files, links and permissions, apart from `.git`."""
    return _files(folder) == _files(other) != {}


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for path in (Path(parent, name) for name in files):
            text = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(folder))] = (path.lstat().st_mode, text)
    return found


def test_what_was_kept_is_written_out_again(repository: Repository, folder: Path) -> None:
    tree = code.keep(repository.top, "run").tree
    before = repository.state()

    written = check_out(repository.top, tree, folder)

    assert written == ALL_WELL
    assert same(folder, repository.top)
    assert not (folder / ".git").exists()
    assert repository.state() == before


def test_a_changed_work_tree_is_not_what_was_kept(repository: Repository, folder: Path) -> None:
    tree = code.keep(repository.top, "run").tree
    repository.write({"a.py": "print(9)\n"})

    check_out(repository.top, tree, folder)

    assert not same(folder, repository.top)
    assert (folder / "a.py").read_text() == "print(3)\n"


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_a_bundle_holds_the_code(tmp_path: Path, folder: Path, form: str) -> None:
    repository = filled(Repository.new(tmp_path / "new", f"--object-format={form}"))
    before = repository.state()

    tree, file = bundled(repository)
    written = read_bundle(file, tree, folder)

    assert written == ALL_WELL
    assert same(folder, repository.top)
    assert not (folder / ".git").exists()
    assert repository.state() == before


def test_a_bundle_holds_no_history(repository: Repository) -> None:
    (repository.top / "large").write_bytes(os.urandom(100_000))
    repository.commit()
    (repository.top / "large").unlink()

    _, file = bundled(repository)

    assert file.stat().st_size < 2_000


def test_from_another_work_tree_and_a_sparse_one_all_is_written(
    repository: Repository, folder: Path, tmp_path: Path
) -> None:
    repository.commit({"in/a.py": "1\n", "out/b.py": "2\n"})
    tree = code.keep(repository.top, "run").tree
    repository.git("worktree", "add", "--quiet", tmp_path / "other")
    other = Repository(tmp_path / "other")
    other.git("sparse-checkout", "set", "in")
    assert not (other.top / "out").exists()

    check_out(other.top, tree, folder)

    assert same(folder, repository.top)


@pytest.mark.parametrize("is_bundle", [False, True])
def test_only_an_empty_folder_is_written_into(
    repository: Repository, folder: Path, is_bundle: bool
) -> None:
    tree, file = bundled(repository)
    folder.mkdir()
    (folder / "mine").touch()

    with pytest.raises(ReproError, match="is not empty"):
        read_bundle(file, tree, folder) if is_bundle else check_out(repository.top, tree, folder)

    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_a_file_is_no_folder(repository: Repository, folder: Path) -> None:
    folder.touch()

    with pytest.raises(ReproError, match="can't be used: File exists"):
        check_out(repository.top, code.keep(repository.top, "run").tree, folder)


@pytest.mark.parametrize("tree", ["", "HEAD", "--help", "a" * 39, "A" * 40, "a" * 40 + "\n"])
def test_what_is_no_id_is_refused(repository: Repository, folder: Path, tree: str) -> None:
    with pytest.raises(ReproError, match="is no id of git's"):
        check_out(repository.top, tree, folder)
    with pytest.raises(ReproError, match="is no id of git's"):
        read_bundle(folder, tree, folder)


def test_a_tree_that_is_not_here_is_named(repository: Repository, folder: Path) -> None:
    with pytest.raises(ReproError, match=f"tree {'a' * 40} can't be written"):
        check_out(repository.top, "a" * 40, folder)
    with pytest.raises(code.NoCodeError, match="in no git repository"):
        check_out(folder, "a" * 40, folder)


def test_a_run_without_code_makes_no_bundle(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ReproError, match="the code of run none can't be written"):
        write_bundle(repository.top, "none", tmp_path / "bundle")

    assert not (tmp_path / "bundle").exists()


def test_submodules_come_from_the_work_tree(
    repository: Repository, folder: Path, settings: Path
) -> None:
    deep = Repository.new(repository.top.parent / "deep")
    deep.commit({"deep.py": "1\n"})
    library = Repository.new(repository.top.parent / "library")
    library.git("submodule", "--quiet", "add", deep.top, "inner")
    commit = library.commit({"lib.py": "1\n"})
    repository.git("submodule", "--quiet", "add", library.top, "here")
    repository.git("submodule", "--quiet", "add", library.top, "absent")
    repository.git("submodule", "--quiet", "update", "--init", "--recursive", "here")
    repository.git("submodule", "--quiet", "deinit", "--force", "absent")
    tree, file = bundled(repository)
    repository.write({"here/lib.py": "a change since then\n"})
    settings.write_text("[submodule]\nrecurse = true\n")

    written = check_out(repository.top, tree, folder)
    far = read_bundle(file, tree, folder.with_name("far"))

    assert written == CheckedOut((Submodule("absent", commit, is_dirty=False),), ())
    assert (folder / "here" / "lib.py").read_text() == "1\n"
    assert (folder / "here" / "inner" / "deep.py").read_text() == "1\n"
    assert list((folder / "absent").iterdir()) == []
    assert not list(folder.rglob(".git"))
    assert [one.path for one in far.missing] == ["absent", "here"]


def test_a_submodule_inside_one_that_is_not_here_is_named(
    repository: Repository, folder: Path
) -> None:
    deep = Repository.new(repository.top.parent / "deep")
    commit = deep.commit({"deep.py": "1\n"})
    library = Repository.new(repository.top.parent / "library")
    library.git("submodule", "--quiet", "add", deep.top, "inner")
    library.commit()
    repository.git("submodule", "--quiet", "add", library.top, "here")

    written = check_out(repository.top, code.keep(repository.top, "run").tree, folder)

    assert written.missing == (Submodule("here/inner", commit, is_dirty=False),)


def test_filters_work_as_with_git_checkout(repository: Repository, folder: Path) -> None:
    repository.git("config", "filter.case.clean", "tr a-z A-Z")
    repository.git("config", "filter.case.smudge", "tr A-Z a-z")
    repository.write({".gitattributes": "*.txt filter=case\n", "x.txt": "text\n"})
    tree = code.keep(repository.top, "run").tree
    assert repository.files(tree)["x.txt"] == "TEXT\n"

    check_out(repository.top, tree, folder)

    assert same(folder, repository.top)


def test_a_filter_that_must_not_fail_and_does_is_named(
    repository: Repository, folder: Path
) -> None:
    repository.write({".gitattributes": "*.txt filter=case\n", "x.txt": "text\n"})
    tree = code.keep(repository.top, "run").tree
    repository.git("config", "filter.case.smudge", "false")
    repository.git("config", "filter.case.required", "true")

    with pytest.raises(ReproError, match="smudge filter case failed"):
        check_out(repository.top, tree, folder)


@pytest.mark.parametrize(
    "source", ["HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_COUNT"]
)
def test_none_of_the_users_settings_reaches_a_stranger(
    repository: Repository, folder: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    repository.write({".gitattributes": "x filter=lfs\n", "x": "x\n"})
    tree, file = bundled(repository)
    home = folder.parent / "home"
    places = {"HOME": ".gitconfig", "XDG_CONFIG_HOME": "git/config", "GIT_CONFIG_GLOBAL": "own"}
    if source in places:
        (home / "git").mkdir()
        (home / places[source]).write_text('[filter "lfs"]\nsmudge = tr a-z A-Z\n')
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "own"))
        if source != "GIT_CONFIG_GLOBAL":
            monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    else:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "filter.lfs.smudge")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "tr a-z A-Z")
    if not repository.git("config", "filter.lfs.smudge", check=False):
        pytest.skip("this git is older than that variable")

    read_bundle(file, tree, folder)
    check_out(repository.top, tree, folder.with_name("own"))

    assert (folder / "x").read_text() == "x\n"
    assert (folder.with_name("own") / "x").read_text() == "X\n"


def test_links_that_lead_out_are_named(repository: Repository, folder: Path) -> None:
    links = {"abs": "/etc", "deep/up": "../../x", "deep/in": "../a.py", "to": "abs/passwd"}
    for name, target in {**links, "loop": "loop", "dangling": "nothing"}.items():
        (repository.top / name).symlink_to(target)
    tree, file = bundled(repository)

    written = read_bundle(file, tree, folder)

    assert written.links_out == ("abs", "deep/up", "to")
    assert check_out(repository.top, tree, folder.with_name("own")) == written
    assert same(folder, repository.top)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_bundle_that_is_cut_short_is_refused(
    repository: Repository, folder: Path, part: float
) -> None:
    tree, file = bundled(repository)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part)])

    with pytest.raises(ReproError, match="is no sound bundle"):
        read_bundle(file, tree, folder)

    assert list(folder.iterdir()) == []


def test_a_bundle_with_a_changed_byte_is_refused(repository: Repository, folder: Path) -> None:
    tree, file = bundled(repository)
    whole = file.read_bytes()
    for at in range(whole.index(b"PACK"), len(whole), 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

        with pytest.raises(ReproError, match="is no sound bundle"):
            read_bundle(file, tree, folder)

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 100_000, id="zeros"),
        pytest.param(b"# v9 git bundle\n\nPACK", id="another version"),
        pytest.param(b"# v2 git bundle\n" + b"x" * 100_000, id="endless"),
        pytest.param(b"# v2 git bundle\n" + b"a" * 40 + b" HEAD\n\nPACK", id="no pack"),
        pytest.param(b"# v2 git bundle\n" + b"b" * 40 + b" HEAD\n\nPACK", id="another tree"),
    ],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, folder: Path, text: bytes) -> None:
    (tmp_path / "file").write_bytes(text)

    with pytest.raises(ReproError, match="is no sound bundle"):
        read_bundle(tmp_path / "file", "a" * 40, folder)


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ReproError, match="No such file"):
        read_bundle(tmp_path / "none", "a" * 40, folder)


def test_a_bundle_of_another_tree_is_refused(repository: Repository, folder: Path) -> None:
    _, file = bundled(repository)
    other = repository.git("rev-parse", "HEAD^{tree}").strip()

    with pytest.raises(ReproError, match="it holds another one"):
        read_bundle(file, other, folder)


def test_a_bundle_of_an_unknown_form_is_refused(repository: Repository, folder: Path) -> None:
    tree, file = bundled(repository)
    file.write_bytes(file.read_bytes().replace(b"# v2", b"# v9", 1))

    with pytest.raises(ReproError, match="it does not begin as one"):
        read_bundle(file, tree, folder)


def test_a_bundle_whose_header_lies_is_refused(repository: Repository, folder: Path) -> None:
    tree, file = bundled(repository)
    other = repository.git("rev-parse", "HEAD^{tree}").strip()
    file.write_bytes(file.read_bytes().replace(tree.encode(), other.encode(), 1))

    with pytest.raises(ReproError, match=f"tree {other} can't be written"):
        read_bundle(file, other, folder)


def test_a_bundle_that_builds_on_another_is_refused(repository: Repository, folder: Path) -> None:
    repository.commit({"large.txt": "line\n" * 1000})
    repository.commit({"large.txt": "line\n" * 1000 + "end\n"})
    tree = repository.git("rev-parse", "HEAD^{tree}").strip()
    file = folder.with_name("thin")
    repository.git("bundle", "create", "--quiet", file, "HEAD~1..main")
    text = file.read_bytes()
    file.write_bytes(text.replace(b" refs/heads/main\n", b" x\n" + tree.encode() + b" y\n", 1))

    with pytest.raises(ReproError, match=r"is no sound bundle|can't be written"):
        read_bundle(file, tree, folder)


def evil_trees(repository: Repository) -> dict[str, str]:
    """Trees that git makes by no command of its users', by what is evil in them."""
    text = repository.git("hash-object", "-w", "--stdin", given=b"evil\n").strip()
    way_out = repository.git("hash-object", "-w", "--stdin", given=b"../out").strip()
    inner = tree_of(repository, [("100644", "x", text)])
    file, link, folder = ("100644", text), ("120000", way_out), ("40000", inner)
    return {
        "in .git": tree_of(repository, [(folder[0], ".git", folder[1])]),
        "in .GIT": tree_of(repository, [(folder[0], ".GIT", folder[1])]),
        "in git~1": tree_of(repository, [(folder[0], "git~1", folder[1])]),
        "a .git file": tree_of(repository, [(file[0], ".git", file[1])]),
        "in ..": tree_of(repository, [(folder[0], "..", folder[1])]),
        "in .": tree_of(repository, [(folder[0], ".", folder[1])]),
        "a path as a name": tree_of(repository, [(file[0], "../out/x", file[1])]),
        "an absolute name": tree_of(repository, [(file[0], "/tmp/repro-evil", file[1])]),
        "below a link": tree_of(repository, [(link[0], "a", link[1]), (folder[0], "a", folder[1])]),
        "below a link, apart": tree_of(
            repository,
            [(link[0], "a", link[1]), (file[0], "a-b", file[1]), (folder[0], "a", folder[1])],
        ),
        "below a submodule's link": tree_of(
            repository, [(link[0], "a", link[1]), ("160000", "a", text)]
        ),
        ".gitmodules as a link": tree_of(repository, [(link[0], ".gitmodules", link[1])]),
    }


def tree_of(repository: Repository, entries: Iterable[tuple[str, str, str]]) -> str:
    raw = b"".join(
        f"{mode} {name}\0".encode() + bytes.fromhex(blob) for mode, name, blob in entries
    )
    return repository.git(
        "hash-object", "-t", "tree", "-w", "--literally", "--stdin", given=raw
    ).strip()


EVIL = [
    *("in .git", "in .GIT", "in git~1", "a .git file", "in ..", "in .", "a path as a name"),
    *("an absolute name", "below a link", "below a link, apart", "below a submodule's link"),
    ".gitmodules as a link",
]


@pytest.mark.parametrize("evil", EVIL)
def test_a_strangers_names_do_not_lead_out(repository: Repository, folder: Path, evil: str) -> None:
    tree = evil_trees(repository)[evil]
    file = folder.with_name("bundle")
    repository.git("update-ref", "refs/repro/evil", tree)
    repository.git("bundle", "create", "--quiet", file, "refs/repro/evil")
    (folder.parent / "out").mkdir()
    before = contents(folder.parent)

    with pytest.raises(ReproError, match="is no sound bundle"):
        read_bundle(file, tree, folder)

    assert list(folder.iterdir()) == []
    assert contents(folder.parent) == before
    assert not Path("/tmp/repro-evil").exists()


@pytest.mark.parametrize("evil", EVIL[:-1])
def test_names_in_ones_own_repository_do_not_lead_out_either(
    repository: Repository, folder: Path, evil: str
) -> None:
    tree = evil_trees(repository)[evil]
    (folder.parent / "out").mkdir()
    before = contents(folder.parent)

    with suppress(ReproError):  # git writes a part of some
        check_out(repository.top, tree, folder)

    written = {name for name in contents(folder.parent) if not name.startswith(f"{folder}/")}
    assert written == set(before)
    assert not Path("/tmp/repro-evil").exists()


def test_a_submodule_is_not_written_through_a_link(repository: Repository, folder: Path) -> None:
    library = Repository.new(repository.top.parent / "library")
    commit = library.commit({"lib.py": "1\n"})
    repository.git("submodule", "--quiet", "add", library.top, "a/x")
    way_out = repository.git("hash-object", "-w", "--stdin", given=b"../out").strip()
    inner = tree_of(repository, [("160000", "x", commit)])
    tree = tree_of(repository, [("40000", "a", inner), ("120000", "a", way_out)])
    (folder.parent / "out").mkdir()

    written = check_out(repository.top, tree, folder)

    assert (folder / "a").is_symlink()
    assert [one.path for one in written.missing] == ["a/x"]
    assert list((folder.parent / "out").iterdir()) == []


def test_all_evil_is_tried(repository: Repository) -> None:
    assert list(evil_trees(repository)) == EVIL


def test_no_temporary_folder_stays(
    repository: Repository, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    tree, file = bundled(repository)

    check_out(repository.top, tree, folder)
    read_bundle(file, tree, folder.with_name("far"))

    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_name_that_begins_with_a_dash_is_a_name(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = code.keep(repository.top, "run").tree
    monkeypatch.chdir(repository.top.parent)

    write_bundle(repository.top, "run", Path("-b"))
    read_bundle(Path("-b"), tree, Path("-f"))

    assert same(Path("-f"), repository.top)
    subprocess.run(["git", "bundle", "list-heads", "./-b"], check=True, stdout=subprocess.DEVNULL)
