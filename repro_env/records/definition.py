"""The types of all that decides a run's outputs, as far as it is known before or during it."""

from __future__ import annotations

from typing import Annotated, Literal, Union

from msgspec import Meta, Struct

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="sha256, in hex")]
RunId = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,64}$", description="the name of a run")]
GitId = Annotated[
    str, Meta(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$", description="git's id of an object")
]
MaybeGitId = Annotated[
    str, Meta(pattern="^([0-9a-f]{40}|[0-9a-f]{64})?$", description="git's id, or empty")
]
PathText = Annotated[str, Meta(description="a path; bytes that don't print are written as \\xNN")]


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """No field is unknown, none changes."""


class Unavailable(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="unavailable"
):
    """What could not be found out.

    Args:
        reason: Why.
    """

    reason: str


class Known(Strict, frozen=True, tag_field="status", tag="known"):
    """What may also be unavailable."""


class LeftOut(Strict, frozen=True):
    """A file that the code's tree does not hold as it was.

    Args:
        path: Below the top of the work tree.
        size_bytes: Its size.
        reason: Why it was left out.
    """

    path: PathText
    size_bytes: int
    reason: str


class Submodule(Strict, frozen=True):
    """A repository inside the repository.

    Args:
        path: Below the top of the work tree.
        commit: What it was at.
        is_dirty: Whether it held changes, which are not kept.
    """

    path: PathText
    commit: MaybeGitId
    is_dirty: bool


class Code(Known, frozen=True):
    """The exact code, as a git tree.

    Args:
        tree: Git's id of the tree: tracked, changed and untracked files.
        commit: What HEAD was; empty where nothing was committed yet.
        branch: What was checked out; empty where none was.
        is_dirty: Whether the tree is another than the commit's.
        pushed: The nearest commit that a remote is known to have; empty if none.
        remote: The remote's address, without name and password; empty if none.
        left_out: What the tree does not hold as it was.
        submodules: Repositories inside.
    """

    tree: GitId
    commit: MaybeGitId
    branch: str
    is_dirty: bool
    pushed: MaybeGitId
    remote: str
    left_out: list[LeftOut]
    submodules: list[Submodule]


class Image(Known, frozen=True):
    """The container's image.

    Args:
        digest: The engine's id of it, where the launcher passed it in.
        stack: `tf` or `torch`.
        base: The reference of what it stands on.
        base_digest: The base's digest, or `unknown`.
        lock: Digest of the stack's lock: base, Debian packages, Python packages.
        requirements: Digest of the lock of the Python packages alone.
        source_commit: What it was built from, or `unknown`.
        source_changed: Whether there were changes that are not in that commit.
        drifted: Debian packages that are not the locked ones, as `NAME LOCKED INSTALLED`.
    """

    digest: Union[str, Unavailable]
    stack: str
    base: str
    base_digest: str
    lock: str
    requirements: str
    source_commit: str
    source_changed: bool
    drifted: list[str]


class Packages(Known, frozen=True):
    """The Python packages of the command's main process.

    Args:
        digest: sha256 of the lines `NAME==VERSION`, sorted.
        count: How many there are.
        versions: Each package's version.
    """

    digest: Digest
    count: int
    versions: dict[str, str]


class Knobs(Known, frozen=True):
    """Knobs in effect in the main process as it ended: the first that had loaded a framework.

    Args:
        values: What each was, by the catalogue's names.
    """

    values: dict[str, str]


class Input(Strict, frozen=True):
    """What `--in` named.

    Args:
        path: As it was given: relative to the folder of the run, or absolute.
        digest: sha256 of the lines `DIGEST  PATH` of its files, sorted by path.
        files: How many there are.
        size_bytes: Of all of them.
    """

    path: PathText
    digest: Digest
    files: int
    size_bytes: int


class Definition(Strict, frozen=True, omit_defaults=True):
    """All that decides the outputs and that is known as such.

    Args:
        command: The program and its arguments.
        hidden: The places in `command`, from 0, of arguments that held secrets.
        folder: Where it ran, below the top of the work tree; `.` is the top.
        seed: `REPRO_SEED` of the command.
        profile: Which knobs were set.
        parameters: What `--param` named; the command has them as `REPRO_PARAM_NAME`.
        variables: The catalogue's variables that the command was started with.
        knobs: The knobs in effect.
        code: The code.
        image: The container's image.
        packages: The Python packages.
        inputs: What `--in` named; what else the command read is not known.
        outputs: What `--out` named; empty for all that it made or changed below its folder.
        threads: How many threads computations were split among, under `portable`.
    """

    command: list[str]
    hidden: list[int]
    folder: PathText
    seed: int
    profile: Literal["repeatable", "portable"]
    parameters: dict[str, str]
    variables: dict[str, str]
    knobs: Union[Knobs, Unavailable]
    code: Union[Code, Unavailable]
    image: Union[Image, Unavailable]
    packages: Union[Packages, Unavailable]
    inputs: list[Input]
    outputs: list[PathText]
    threads: int = 0
