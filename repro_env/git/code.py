"""Keep the exact code of a run, as a git tree in the user's own repository.

A hidden ref, `refs/repro/RUN`, leads to it, so that git doesn't tidy it away. It leads to a tree
and to no commit: neither `git branch` nor `git log --all` shows it, and `git push` leaves it here,
unless with `--mirror`.

Branches, the index and the work tree are left alone. Who is killed leaves a folder,
`repro-code-...`, to whoever tidies up the system's temporary files, and nothing in git's way.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from repro_env.errors import ReproError
from repro_env.git import command as git
from repro_env.git import snapshot
from repro_env.git.command import NoCodeError as NoCodeError
from repro_env.git.command import top_of as top_of
from repro_env.git.snapshot import LeftOut, Submodule

REFS = "refs/repro/"
KINDS = {"A": "added", "D": "gone"}
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
LIMIT_BYTES = 10 * 2**20
ALL_BYTES = 100 * 2**20
MOST_IDS = 20_000  # what a command line holds

_HOST = r"(?P<host>[^/:@?#]*|\[[0-9A-Fa-f:.]+\])"
_ADDRESSES = (
    rf"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:[^/]*@)?{_HOST}(?P<rest>(?::\d*)?(?:/[^?#]*)?)(?:[?#].*)?",
    rf"(?P<scheme>)(?:[^/:]*@)?{_HOST}(?P<rest>:(?!:)[^@]*)",  # as ssh takes it
    r"(?P<scheme>)(?P<host>)(?P<rest>\.{0,2}/.*|[^:]*)",  # a folder
)


class Code(NamedTuple):
    """The code that was kept.

    Args:
        top: The work tree's top.
        commit: HEAD's; empty where nothing is committed yet.
        branch: What is checked out; empty where it's no branch.
        tree: Git's id of the tree that holds the files, as `git add` would take them in: tracked,
            changed and untracked ones, and not the ignored ones.
        ref: What leads to it.
        is_dirty: Whether it is another tree than the commit's.
        pushed: The nearest ancestor of HEAD that a remote is known to have; empty if none.
        remote: The address of `origin`, without what may be secret in it; empty if none.
        left_out: What the tree doesn't hold, by path.
        submodules: Whose files it doesn't hold, by path.
    """

    top: Path
    commit: str
    branch: str
    tree: str
    ref: str
    is_dirty: bool
    pushed: str
    remote: str
    left_out: tuple[LeftOut, ...]
    submodules: tuple[Submodule, ...]


def keep(
    folder: Path, run_id: str, limit_bytes: int = LIMIT_BYTES, all_bytes: int = ALL_BYTES
) -> Code:
    """Keep the code of the work tree that a folder lies in, until `forget`.

    Args:
        folder: Anywhere in the work tree.
        run_id: What to find it by, with letters, digits, `-` and `_`; no other run's.
        limit_bytes: The largest file to keep, unless HEAD has it just so.
        all_bytes: The most to keep of all such files together, the smallest first.

    Raises:
        NoCodeError: There is no git, no work tree, or it can't be read or written.
        ReproError: `run_id` can't be a ref's name.
    """
    ref = ref_of(run_id)
    top = git.find_top(folder)
    remotes, index = _remotes_and_index(top)
    try:
        taken = snapshot.take(top, index, limit_bytes, all_bytes)
    except OSError as error:
        raise NoCodeError(
            f"{error.filename!r} can't be used: {error.strerror}", hint="mend that, and try again"
        ) from None
    git.ask(top, "update-ref", ref, taken.tree, "")  # no other run's
    committed = git.run(top, "rev-parse", "--verify", "--quiet", f"{taken.commit}^{{tree}}")
    return Code(
        top=top,
        commit=taken.commit,
        branch=taken.branch,
        tree=taken.tree,
        ref=ref,
        is_dirty=committed.stdout.decode().strip() != taken.tree,
        pushed=_pushed(top, taken.commit, remotes),
        remote=_remote(top),
        left_out=taken.left_out,
        submodules=taken.submodules,
    )


def ref_of(run_id: str) -> str:
    """Return the name of a run's ref.

    Raises:
        ReproError: There is none for such an id.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ReproError(
            f"{run_id!r} is no run's id: it is not made of letters, digits, `-` and `_`",
            hint="give the id that the record holds",
        )
    return REFS + run_id


def has(top: Path, run_id: str) -> bool:
    """Say whether a run's code is kept here."""
    try:
        found = git.run(top, "rev-parse", "--verify", "--quiet", f"{ref_of(run_id)}^{{tree}}")
    except NoCodeError:
        return False
    return found.returncode == 0


def refs(top: Path) -> dict[str, str]:
    """Return the ids of the trees that are kept here, by the run's id.

    Raises:
        NoCodeError: There is no git, or no repository.
    """
    told = git.ask(top, "for-each-ref", "--format=%(refname) %(objectname)", REFS).decode()
    pairs = (line.split(" ") for line in told.splitlines())
    return {name[len(REFS) :]: tree for name, tree in pairs}


def changed(top: Path, was: str, now: str) -> dict[str, str] | None:
    """Return what differs between two trees: `added`, `changed` or `gone`, by path.

    Returns:
        None where one of them is not kept here.
    """
    options = ("-r", "-z", "--no-renames", "--name-status", "--end-of-options")
    try:
        told = git.run(top, "diff-tree", *options, was, now)
    except NoCodeError:
        return None
    if told.returncode:
        return None
    words = os.fsdecode(told.stdout).split("\0")
    return dict(zip(words[1::2], (KINDS.get(letter, "changed") for letter in words[::2])))


def adopt(top: Path, run_id: str, tree: str) -> bool:
    """Keep a tree that is here for another run too; return whether it is here.

    Raises:
        ReproError: There is no ref for such an id.
    """
    try:
        made = git.run(top, "update-ref", ref_of(run_id), tree)
    except NoCodeError:
        return False
    return made.returncode == 0


def forget(top: Path, run_id: str) -> None:
    """Keep a run's code no longer; git tidies it away in time. Well too if there is none.

    Raises:
        NoCodeError: There is no git, no repository, or it can't be written.
    """
    git.ask(top, "update-ref", "-d", ref_of(run_id))


def _remotes_and_index(top: Path) -> tuple[list[str], Path]:
    """Return the ids that remotes are known to have, and the file of the user's index."""
    told = os.fsdecode(git.ask(top, "rev-parse", "--remotes", "--git-path", "index"))
    found = re.fullmatch(r"((?:[0-9a-f]{40,}\n)*)(.*)\n", told, re.S)
    if found is None:
        raise NoCodeError(f"git says {told!r} of its folders", hint="install git 2.30 or newer")
    return found[1].split(), top / found[2]


def _pushed(top: Path, commit: str, remotes: list[str]) -> str:
    if not commit or commit in remotes:
        return commit
    unique = list(dict.fromkeys(remotes))[:MOST_IDS]
    if not unique:
        return ""
    return git.run(top, "merge-base", commit, *unique).stdout.decode().strip()


def _remote(top: Path) -> str:
    told = git.run(top, "config", "--get", "remote.origin.url").stdout
    return address(told.decode(errors="replace").rstrip("\n"))


def address(url: str) -> str:
    """Return a remote's address without user name, password, token and query.

    It is empty where such a thing can't be told from the rest.
    """
    for form in _ADDRESSES:
        found = re.fullmatch(form, url, re.I | re.S)
        if found:
            return found["scheme"] + found["host"] + found["rest"]
    return ""
