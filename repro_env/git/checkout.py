"""Write the code of a run into a folder: from the repository that kept it, or from a bundle.

No `.git` is made in the folder, and the user's index and work tree are left alone. Who is killed
leaves the folder as far as it was written, and a folder `repro-code-...` to whoever tidies up the
system's temporary files.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from repro_env.errors import ReproError
from repro_env.git import command as git
from repro_env.git.code import ref_of
from repro_env.git.snapshot import Submodule

HEADER_BYTES = 2**16
SIGNATURES = (b"# v2 git bundle", b"# v3 git bundle")
SUBMODULE = "160000 commit "


class CheckedOut(NamedTuple):
    """What is to be known of a folder that code was written into.

    Args:
        missing: Submodules whose commit isn't here: their folders are empty.
        links_out: Links that lead out of the folder, below it.
    """

    missing: tuple[Submodule, ...]
    links_out: tuple[str, ...]


def check_out(top: Path, tree: str, folder: Path) -> CheckedOut:
    """Write a tree's files into an empty folder, as `git checkout` would.

    Submodules come from where they are checked out in the work tree.

    Args:
        top: The top of the work tree whose repository holds the tree.
        tree: Its id.
        folder: Made if it isn't there.

    Raises:
        NoCodeError: There is no git, or no repository.
        ReproError: The repository doesn't hold all of the tree, or the folder is not empty or
            can't be written.
    """
    _check_id(tree)
    _make_empty(folder)
    where = os.fsdecode(git.ask(top, "rev-parse", "--absolute-git-dir"))[:-1]
    _write(Path(where), tree, folder, {})
    missing = tuple(_missing(top, tree, folder))
    return CheckedOut(missing, _links_out(folder))


def write_bundle(top: Path, run_id: str, file: Path) -> None:
    """Write the code that a run kept into one file, without the commits before it.

    Raises:
        NoCodeError: There is no git, or no repository.
        ReproError: The run's code isn't kept here, or the file can't be written.
    """
    result = git.run(top, "bundle", "create", "--quiet", str(file.resolve()), ref_of(run_id))
    if result.returncode:
        raise ReproError(
            f"the code of run {run_id} can't be written to {str(file)!r}: "
            f"{git.words(result.stderr)}",
            hint="see whether `git show-ref` lists it, and whether there is room",
        )


def read_bundle(file: Path, tree: str, folder: Path) -> CheckedOut:
    """Write the files of a stranger's bundle into an empty folder.

    All is checked first: that the content is what its id says, and that no name in it leads out of
    the folder or into a `.git`. The user's filters don't run. Nothing guards against a tree that
    is too large for the disk.

    Args:
        file: What `write_bundle` wrote.
        tree: The id of the tree that it must hold, by the record.
        folder: Made if it isn't there.

    Raises:
        NoCodeError: There is no git.
        ReproError: The file is no sound bundle of this tree, or the folder is not empty or can't
            be written.
    """
    _check_id(tree)
    _make_empty(folder)
    with tempfile.TemporaryDirectory(prefix="repro-code-") as temporary:
        apart = {
            "HOME": temporary,
            "XDG_CONFIG_HOME": temporary,
            "GIT_CONFIG_COUNT": "0",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        where = Path(temporary, "git")
        form = "sha1" if len(tree) == 40 else "sha256"
        options = ("--quiet", "--bare", "--template=", f"--object-format={form}")
        git.ask(Path(temporary), "init", *options, str(where), variables=apart)
        _unpack(file, tree, where, apart)
        _write(where, tree, folder, apart)
        missing = tuple(_submodules(where, tree))
    return CheckedOut(missing, _links_out(folder))


def _check_id(tree: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", tree):
        raise ReproError(f"{tree!r} is no id of git's", hint="give the tree that the record holds")


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise ReproError(
            f"{str(folder)!r} can't be used: {error.strerror}", hint="name another folder"
        ) from None
    if not is_empty:
        raise ReproError(f"{str(folder)!r} is not empty", hint="name an empty folder, or a new one")


def _write(where: Path, tree: str, folder: Path, variables: Mapping[str, str]) -> None:
    """Write a tree's files, with an index that nobody else uses."""
    with tempfile.TemporaryDirectory(prefix="repro-code-") as temporary:
        result = git.run(
            folder,
            *("-c", "core.sparseCheckout=false", "read-tree", "--reset", "-u", tree),
            variables={
                **variables,
                "GIT_DIR": str(where),
                "GIT_WORK_TREE": str(folder.resolve()),
                "GIT_INDEX_FILE": str(Path(temporary, "index")),
            },
        )
    if result.returncode:
        raise ReproError(
            f"tree {tree} can't be written to {str(folder)!r}: {git.words(result.stderr)}",
            hint="see whether the repository or bundle is the one that the run was kept in",
        )


def _unpack(file: Path, tree: str, where: Path, apart: Mapping[str, str]) -> None:
    try:
        with file.open("rb", buffering=0) as stream:
            stream.seek(_start_of_pack(stream.read(HEADER_BYTES), tree))
            result = git.run(
                where, "index-pack", "--strict", "--stdin", given=stream, variables=apart
            )
            why = git.words(result.stderr) if result.returncode else ""
    except (OSError, ValueError) as error:
        why = str(error)
    if why:
        raise ReproError(
            f"{str(file)!r} is no sound bundle of tree {tree}: {why}", hint="get the file again"
        )


def _start_of_pack(start: bytes, tree: str) -> int:
    """Return where a bundle's pack begins; https://git-scm.com/docs/gitformat-bundle says so."""
    header, blank, _ = start.partition(b"\n\n")
    lines = header.split(b"\n")
    if not blank or lines[0] not in SIGNATURES:
        raise ValueError("it does not begin as one")
    if tree.encode() not in {line.split(b" ")[0] for line in lines[1:]}:
        raise ValueError("it holds another one")
    return len(header) + len(blank)


def _submodules(where: Path, tree: str) -> list[Submodule]:
    entries = os.fsdecode(git.ask(where, "ls-tree", "-r", "-z", tree)).split("\0")
    pairs = (entry[len(SUBMODULE) :].split("\t", 1) for entry in entries if entry[:14] == SUBMODULE)
    return [Submodule(path, commit, is_dirty=False) for commit, path in pairs]


def _missing(top: Path, tree: str, folder: Path) -> list[Submodule]:
    """Write the submodules' files, and return the submodules that can't be."""
    missing: list[Submodule] = []
    for one in _submodules(top, tree):
        here, there = top / one.path, folder / one.path
        commit = f"{one.commit}^{{tree}}"
        found = git.run(here, "rev-parse", "--verify", "--quiet", commit).stdout.decode().strip()
        if not found or there.resolve() != folder.resolve() / one.path:
            missing.append(one)
            continue
        inner = check_out(here, found, there).missing
        missing += [deep._replace(path=f"{one.path}/{deep.path}") for deep in inner]
    return missing


def _links_out(folder: Path) -> tuple[str, ...]:
    inside = os.path.realpath(folder)
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in folders + files):
            if path.is_symlink() and not _is_below(os.path.realpath(path), inside):
                found.append(str(path.relative_to(folder)))
    return tuple(sorted(found))


def _is_below(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder
