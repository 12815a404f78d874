"""Make a git tree of a work tree's files, with a copy of the index, and change nothing else.

Git decides what belongs to the code, and how it is stored: what it ignores is left aside, and line
ends and filters work as with `git add`. What can't or shouldn't be taken in is listed, and the
tree holds no older state of it either.
"""

from __future__ import annotations

import os
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import NamedTuple

from repro_env.git.command import Index

OURS = b".repro"
SECRETS = (
    *(".env", ".env.*", ".envrc", ".netrc", ".npmrc", ".pypirc", ".pgpass", ".git-credentials"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.ppk", "*.kdbx", "id_rsa", "id_dsa", "id_ecdsa"),
    *("id_ed25519", "id_*_sk", "credentials.json", "kaggle.json", "secrets.toml"),
)
EXAMPLES = (".example", ".sample", ".template")
NONE = b"000000"  # git's mode of a file that isn't there
SUBMODULE = b"160000"


class LeftOut(NamedTuple):
    """A file that the tree doesn't hold, although git would take it.

    Args:
        path: Below the work tree's top.
        size_bytes: Its size.
        reason: Why.
    """

    path: str
    size_bytes: int
    reason: str


class Submodule(NamedTuple):
    """A submodule, of which the tree holds the commit alone.

    Args:
        path: Below the work tree's top.
        commit: What is checked out there.
        is_dirty: Whether it has changed or untracked files, which are not kept.
    """

    path: str
    commit: str
    is_dirty: bool


class Snapshot(NamedTuple):
    """A work tree as it was.

    Args:
        commit: HEAD's; empty where nothing is committed yet.
        branch: What is checked out; empty where it's no branch.
        tree: Git's id of the tree that holds the files.
        left_out: What it doesn't hold, by path.
        submodules: Whose files it doesn't hold.
    """

    commit: str
    branch: str
    tree: str
    left_out: tuple[LeftOut, ...]
    submodules: tuple[Submodule, ...]


class _Change(NamedTuple):
    """What is not the same in HEAD, the index and the work tree: a line of `git status`."""

    path: bytes
    is_new: bool = True  # not in HEAD
    is_tracked: bool = False
    is_gone: bool = False  # from the work tree
    is_submodule: bool = False
    is_dirty: bool = False  # a submodule with changed or untracked files


def take(top: Path, index: Path, limit_bytes: int, all_bytes: int) -> Snapshot:
    """Write the tree of a work tree's files into its repository.

    Args:
        top: The work tree's top.
        index: The user's index; it need not exist.
        limit_bytes: The largest file to take in, unless HEAD has it just so.
        all_bytes: The most to take in of all such files together, the smallest first.

    Raises:
        NoCodeError: The repository can't be read or written.
        OSError: The index can't be read, or the temporary folder not be written.
    """
    with tempfile.TemporaryDirectory(prefix="repro-code-") as temporary:
        copy = Index(top, Path(temporary, "index"))
        _copy(index, copy.file)
        tracked = _tracked(copy)
        lines = _lines(copy)
        changes = _changes(lines)
        left_out = _take_in(copy, changes, limit_bytes, all_bytes)
        tree = os.fsdecode(copy.ask("write-tree")).strip()
        submodules = _submodules(copy, tracked, changes)
    head = dict(line[2:].split(b" ", 1) for line in lines if line.startswith(b"# branch."))
    commit, branch = (os.fsdecode(head[name]) for name in (b"branch.oid", b"branch.head"))
    return Snapshot(
        commit="" if commit == "(initial)" else commit,
        branch="" if branch == "(detached)" else branch,
        tree=tree,
        left_out=left_out,
        submodules=submodules,
    )


def _copy(index: Path, copy: Path) -> None:
    """Copy an index and its time: git looks closer at files that are no older than their index."""
    try:
        with index.open("rb") as file:
            copy.write_bytes(file.read())
            times = os.fstat(file.fileno())
    except FileNotFoundError:
        return  # nothing was ever added
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))


def _tracked(index: Index) -> list[bytes]:
    """Return the index's entries, and free them of the marks that have git not look at a file."""
    lines = index.ask("ls-files", "--stage", "-v", "-z").split(b"\0")[:-1]
    top = os.fsencode(index.top)
    index.set(
        entry
        for mark, entry in ((line[:1], line[2:]) for line in lines)
        if mark == b"h" or (mark in b"Ss" and os.path.lexists(top + b"/" + _path(entry)))
    )
    return [line[2:] for line in lines]


def _path(entry: bytes) -> bytes:
    return entry.split(b"\t", 1)[1]


def _lines(index: Index) -> list[bytes]:
    return index.ask(
        *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z"),
        *("--untracked-files=all", "--ignore-submodules=none", "--no-renames"),
    ).split(b"\0")[:-1]


def _changes(lines: list[bytes]) -> list[_Change]:
    """Read `git status`; https://git-scm.com/docs/git-status says what the columns are."""
    changes = []
    for line in lines:
        if line.startswith(b"? "):
            changes.append(_Change(line[2:]))
        elif line.startswith(b"1 "):
            _, _, state, head, index, file, _, _, path = line.split(b" ", 8)
            changes.append(_change(path, state, head, (index,), file))
        elif line.startswith(b"u "):  # in conflict
            _, _, state, _, head, theirs, file, _, _, _, path = line.split(b" ", 10)
            changes.append(_change(path, state, head, (head, theirs), file))
    return changes


def _change(
    path: bytes, state: bytes, head: bytes, index: tuple[bytes, ...], file: bytes
) -> _Change:
    return _Change(
        path,
        is_new=head == NONE,
        is_tracked=True,
        is_gone=file == NONE,
        is_submodule=file == SUBMODULE and SUBMODULE in index,
        is_dirty=b"M" in state or b"U" in state,
    )


def _take_in(
    index: Index, changes: list[_Change], limit_bytes: int, all_bytes: int
) -> tuple[LeftOut, ...]:
    """Bring the index to the state of the files, and return those that were left out."""
    sizes: dict[bytes, int] = {}
    reasons: dict[bytes, str] = {}
    here = [change for change in changes if not change.is_gone and not _is_ours(change)]
    for change in here:
        sizes[change.path], reason = _look(index.top, change, limit_bytes)
        if reason:
            reasons[change.path] = reason
    room = all_bytes
    kept: list[bytes] = []
    for path in sorted(sizes.keys() - reasons.keys(), key=lambda path: (sizes[path], path)):
        room -= sizes[path]
        if room >= 0:
            kept.append(path)
        else:
            reasons[path] = f"all changed files together are over {all_bytes} bytes"
    index.drop([change.path for change in changes if change.is_gone] + sorted(reasons))
    failed = index.add(sorted(kept))
    index.drop(sorted(failed))
    reasons.update(failed)
    return tuple(LeftOut(os.fsdecode(path), sizes[path], reasons[path]) for path in sorted(reasons))


def _is_ours(change: _Change) -> bool:
    return not change.is_tracked and OURS in change.path.split(b"/")


def _look(top: Path, change: _Change, limit_bytes: int) -> tuple[int, str]:
    """Return the size of a file, and why it should not be taken in; empty if it should."""
    if change.is_submodule:
        return 0, ""
    path = os.fsencode(top) + b"/" + change.path
    try:
        status = os.lstat(path)
    except OSError as error:
        return 0, f"it can't be looked at: {error.strerror}"
    if S_ISDIR(status.st_mode):
        return 0, "it is a git repository and no submodule"
    if not S_ISREG(status.st_mode) and not S_ISLNK(status.st_mode):
        return 0, "it is neither a file nor a link"
    if is_secret(os.fsdecode(change.path)):
        return status.st_size, "it may hold secrets"
    if status.st_size > limit_bytes:
        return status.st_size, f"it is over {limit_bytes} bytes"
    if S_ISREG(status.st_mode) and not os.access(path, os.R_OK):
        return status.st_size, "it can't be read"
    return status.st_size, ""


def is_secret(path: str) -> bool:
    """Say whether a file of this name may hold secrets."""
    name = path.rpartition("/")[2].lower()
    if name.endswith(EXAMPLES):
        return False
    return any(fnmatchcase(name, pattern) for pattern in SECRETS)


def _submodules(
    index: Index, tracked: list[bytes], changes: list[_Change]
) -> tuple[Submodule, ...]:
    if not any(entry.startswith(SUBMODULE) for entry in tracked):
        return ()
    dirty = {change.path for change in changes if change.is_dirty}
    now = index.ask("ls-files", "--stage", "-z").split(b"\0")[:-1]
    return tuple(
        Submodule(os.fsdecode(_path(entry)), entry.split()[1].decode(), _path(entry) in dirty)
        for entry in now
        if entry.startswith(SUBMODULE)
    )
