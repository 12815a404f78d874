"""Real git repositories for tests, which nobody's settings reach."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from repro_env.git import code

WHO = {
    f"GIT_{role}_{what}": "x@y.z" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def no_settings(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Have git find no settings but a repository's own, and the ones in the file returned."""
    for name in os.environ:
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home / ".gitconfig"


class Repository:
    """A git repository with a work tree.

    Args:
        top: The work tree's top.
    """

    def __init__(self, top: Path) -> None:
        self.top = top

    @classmethod
    def new(cls, top: Path, *options: str) -> Repository:
        top.mkdir(parents=True)
        made = cls(top)
        made.git("-c", "init.defaultBranch=main", "init", "--quiet", *options)
        return made

    def git(self, *arguments: str | Path, given: bytes = b"", check: bool = True) -> str:
        return os.fsdecode(self.git_bytes(*arguments, given=given, check=check))

    def git_bytes(self, *arguments: str | Path, given: bytes = b"", check: bool = True) -> bytes:
        return subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=self.top,
            env={**os.environ, **WHO, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            input=given,
            stdout=subprocess.PIPE,
            stderr=None if check else subprocess.DEVNULL,
            check=check,
        ).stdout

    def write(self, files: Mapping[str, str]) -> None:
        """Write text files, by their paths."""
        for name, text in files.items():
            (self.top / name).parent.mkdir(parents=True, exist_ok=True)
            (self.top / name).write_text(text)

    def commit(self, files: Mapping[str, str] = MappingProxyType({})) -> str:
        """Commit all there is, with these files, and return the commit."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "some change")
        return self.git("rev-parse", "HEAD").strip()

    def files(self, tree: str) -> dict[str, str]:
        """The contents of a tree's files, by path."""
        lines = self.git_bytes("ls-tree", "-r", "-z", tree).split(b"\0")[:-1]
        found = {}
        for line in lines:
            (_, kind, name), path = line.split(b"\t")[0].split(), line.split(b"\t", 1)[1]
            text = self.git("cat-file", "blob", name.decode()) if kind == b"blob" else name.decode()
            found[os.fsdecode(path)] = text
        return found

    def modes(self, tree: str) -> dict[str, str]:
        lines = self.git("ls-tree", "-r", "-z", tree).split("\0")[:-1]
        return {line.split("\t", 1)[1]: line.split()[0] for line in lines}

    def state(self) -> dict[str, object]:
        """All that the user has here: what git keeps but objects and our refs, and the files."""
        said = [self.git("status", "--porcelain=v2", "--branch"), self.git("stash", "list")]
        return {"status": said[0], "stash": said[1], **contents(self.top)}


def small(top: Path) -> Repository:
    """A repository with one commit of three files, one of which has git ignore logs."""
    made = Repository.new(top)
    made.commit({"a.py": "print(1)\n", "b.py": "print(2)\n", ".gitignore": "*.log\n"})
    return made


def keep(repository: Repository, run_id: str = "run", **limits: int) -> code.Code:
    return code.keep(repository.top, run_id, **limits)


def contents(folder: Path) -> dict[str, object]:
    """The kind, time and content of all in a folder, but git's objects and our refs."""
    found: dict[str, object] = {}
    for parent, folders, files in os.walk(folder):
        aside = {"objects"} if "HEAD" in files else {"repro"} if Path(parent).name == "refs" else ()
        folders[:] = [name for name in folders if name not in aside]
        for path in (Path(parent, name) for name in files):
            status = path.lstat()
            text = path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else None
            found[str(path)] = (status.st_mode, status.st_mtime_ns, text)
    return found
