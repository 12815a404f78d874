"""Ask the `git` command, in a way that the user's settings and surroundings can't bend.

No hook of theirs runs, nothing is tidied up, nobody is asked anything, and the repository is the
one that a folder lies in, also when we were started by a hook of another one.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from repro_env.errors import ReproError

OPTIONS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "",  # not `false`: before git 2.36 that is a command to be run
    "core.splitIndex": "false",
    "core.trustctime": "true",  # a file that was changed and given its old time has changed
    "core.checkStat": "default",
    "core.safecrlf": "false",  # it would refuse files for their line ends
    "core.logAllRefUpdates": "false",
    "diff.ignoreSubmodules": "none",  # these two for submodules; there options don't reach
    "status.showUntrackedFiles": "normal",
    "submodule.recurse": "false",
}
VARIABLES = {
    "GIT_OPTIONAL_LOCKS": "0",  # `git status` would write the index of each submodule
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# The user's choice of settings, programs and bounds. All other variables of git's say which
# repository a command is about, or come from the git that has started us.
KEPT = (
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_VALUE_",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
    "GIT_LFS_",
    "GIT_SSH",
)
UNWRITABLE = re.compile(rb"insufficient permission for adding|unable to (?:create temp|write)")


class NoCodeError(ReproError):
    """A folder's code can't be kept; the message says why."""


def run(
    folder: Path,
    *arguments: str,
    given: bytes | IO[bytes] = b"",
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder.

    Args:
        folder: Where.
        arguments: The command and what follows it.
        given: What it reads.
        variables: What to add to its environment.

    Raises:
        NoCodeError: There is no git to run.
    """
    options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
    text, file = (given, None) if isinstance(given, bytes) else (None, given)
    try:
        return subprocess.run(
            ["git", *options, "-C", folder, *arguments],
            env={**_environment(), **VARIABLES, **(variables or {})},
            input=text,
            stdin=file,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise NoCodeError(
            f"git can't be run: {error.strerror}", hint="install git 2.30 or newer"
        ) from None


def ask(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    variables: Mapping[str, str] | None = None,
) -> bytes:
    """Return what git prints; the arguments are those of `run`.

    Raises:
        NoCodeError: There is no git, or it refuses.
    """
    result = run(folder, *arguments, given=given, variables=variables)
    if result.returncode:
        raise _refusal(folder, words(result.stderr))
    return result.stdout


def top_of(folder: Path) -> Path | None:
    """Return the top of the work tree that a folder lies in; None where git knows of none."""
    try:
        return find_top(folder)
    except NoCodeError:
        return None


def find_top(folder: Path) -> Path:
    """Return the top of the work tree that a folder lies in.

    Raises:
        NoCodeError: There is none, or git refuses to look into it.
    """
    return Path(os.fsdecode(ask(folder, "rev-parse", "--show-toplevel")[:-1]))


class Index:
    """An index of our own, of a work tree.

    Args:
        top: The work tree's top.
        file: The index; it need not exist yet.
    """

    def __init__(self, top: Path, file: Path) -> None:
        self.top = top
        self.file = file
        self._variables = {"GIT_INDEX_FILE": str(file)}

    def ask(self, *arguments: str, given: bytes = b"") -> bytes:
        """Return what git prints, with this index."""
        return ask(self.top, *arguments, given=given, variables=self._variables)

    def set(self, entries: Iterable[bytes]) -> None:
        """Set entries, of git's form: the mode, the id, the stage, a tab, the path."""
        lines = b"".join(entry + b"\0" for entry in entries)
        if lines:
            self.ask("update-index", "-z", "--index-info", given=lines)

    def drop(self, paths: Iterable[bytes]) -> None:
        """Leave files out."""
        names = b"\0".join(paths)
        if names:
            self.ask("update-index", "--force-remove", "-z", "--stdin", given=names)

    def add(self, paths: list[bytes]) -> dict[bytes, str]:
        """Take files in as they are now.

        Returns:
            The ones that git couldn't take in, and why.
        """
        if not paths:
            return {}
        result = run(
            self.top,
            *("update-index", "--add", "--replace", "--remove", "-z", "--stdin"),
            given=b"\0".join(paths),
            variables=self._variables,
        )
        if UNWRITABLE.search(result.stderr):
            raise NoCodeError(
                f"git can't write to the repository of {str(self.top)!r}: {words(result.stderr)}",
                hint="mend its permissions, or make room",
            )
        is_ignoring = b"Ignoring path " in result.stderr
        if not result.returncode and not is_ignoring:
            return {}
        if len(paths) == 1:
            why = "its name is not allowed" if is_ignoring else words(result.stderr)
            return {paths[0]: f"git can't take it in: {why}"}
        middle = len(paths) // 2  # it stops at the first one, and takes in none
        return {**self.add(paths[:middle]), **self.add(paths[middle:])}


def words(stderr: bytes) -> str:
    """Return git's complaints in one line, without what filters and others say."""
    lines = stderr.decode(errors="replace").splitlines()
    found = [re.fullmatch(r"(?:error|fatal): (.*)", line) for line in lines]
    return "; ".join(match[1] for match in found if match) or "git gives no reason"


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(KEPT)
    }


def _refusal(folder: Path, said: str) -> NoCodeError:
    if "not a git repository" in said:
        return NoCodeError(f"{str(folder)!r} is in no git repository", hint="make it one: git init")
    if "must be run in a work tree" in said:
        return NoCodeError(
            f"{str(folder)!r} is inside a git repository and in no work tree of it",
            hint="name a folder with files",
        )
    if "dubious ownership" in said or "unsafe repository" in said:
        named = re.search(r"'(/.*?)'", said)
        return NoCodeError(
            f"git refuses {str(folder)!r}, whose repository belongs to another user",
            hint="if you trust it: git config --global --add safe.directory "
            f"{named[1] if named else folder}",
        )
    return NoCodeError(f"git refuses {str(folder)!r}: {said}", hint="mend that, and try again")
