"""The types of what was seen of a run: the machine, its processes, and the files it met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Union

from repro_env.records.definition import Digest, Known, PathText, RunId, Strict, Unavailable


class Gpu(Strict, frozen=True):
    """One GPU.

    Args:
        name: The model.
        capability: Its compute capability, such as 9.0.
        driver: The driver's version.
    """

    name: str
    capability: str
    driver: str


class Host(Strict, frozen=True):
    """The machine.

    Args:
        architecture: Such as x86_64.
        cpu_model: In the kernel's words.
        cpu_features: The instruction sets, in the kernel's words, sorted.
        cpus: How many the run may use at once.
        cpuset: The numbers of those it may run on.
        gpus: In the driver's order.
        kernel: Its release.
        libc: Name and version.
        shared_memory_bytes: The size of `/dev/shm`.
    """

    architecture: str
    cpu_model: Union[str, Unavailable]
    cpu_features: Union[list[str], Unavailable]
    cpus: float
    cpuset: list[int]
    gpus: Union[list[Gpu], Unavailable]
    kernel: str
    libc: str
    shared_memory_bytes: Union[int, Unavailable]


class Change(Strict, frozen=True):
    """A knob that had another value at the end of a process than at its start.

    Args:
        name: The knob.
        was: Its value at the start; empty where it was not set.
        now: Its value at the end; empty where it was not set.
        where: The line of the user's that changed it, where that was seen.
    """

    name: str
    was: str
    now: str
    where: str


class Process(Strict, frozen=True, omit_defaults=True):
    """A Python process of the command's, as it was seen from within.

    Args:
        pid: Its number.
        parent: Its parent's.
        command: Its arguments, secrets left out.
        python: The interpreter's version.
        ended: How: `exit`, `exec`, `SIGTERM`; empty where that was not seen.
        path: Where it looked for modules.
        libraries: Frameworks that it had loaded, with their versions.
        seed: What it drew from.
        place: Which of the run's processes it was; empty for the main one.
        seeded: The libraries that were seeded.
        unseeded: How many NumPy generators without a seed were given one.
        variables_at_start: The catalogue's variables as the program was executed.
        variables_at_end: The same as it ended.
        knobs_at_start: The knobs in effect once the hook had seen the libraries they belong to.
        knobs_at_end: The same as it ended.
        changes: What changed in between.
        facts: What the frameworks said of their threads and builds.
        blas: File names of BLAS and OpenMP libraries that were loaded.
        generators: Digest of each generator's state as it ended.
    """

    pid: int
    parent: int
    command: list[str]
    python: str
    ended: str
    path: list[PathText]
    libraries: dict[str, str]
    seed: Union[int, Unavailable]
    place: str
    seeded: list[str]
    unseeded: int
    variables_at_start: dict[str, str]
    variables_at_end: dict[str, str]
    knobs_at_start: dict[str, str]
    knobs_at_end: dict[str, str]
    changes: list[Change]
    facts: dict[str, str]
    blas: list[str]
    generators: dict[str, Digest] = {}  # noqa: RUF012  # a field of msgspec, which copies it


def main_of(processes: Sequence[Process]) -> Process | None:
    """Return the main process: the first with a framework, or the first of all.

    What executes a notebook or starts workers begins earlier than what computes.
    """
    return next((one for one in processes if one.libraries), next(iter(processes), None))


class Log(Strict, frozen=True):
    """What the command printed, kept beside the record.

    Args:
        name: The file's.
        size_bytes: Its size.
        sha256: Its digest.
        is_complete: Whether all is in it; not where the disk was full.
    """

    name: str
    size_bytes: int
    sha256: Digest
    is_complete: bool


class Origin(Strict, frozen=True):
    """A record that this run replayed.

    Args:
        id: The run's.
        definition_digest: Digest of its definition.
        digest: Digest of its record.
    """

    id: RunId
    definition_digest: Digest
    digest: Digest


class Observation(Strict, frozen=True):
    """What was seen, and does not define the run.

    Args:
        reason: What `--reason` said.
        replays: The record that this run replayed and those that that one replayed, oldest first.
        started: When, in UTC.
        ended: When, in UTC.
        duration_s: How long the command ran.
        exit_status: The command's own; 128 and the signal's number where one ended it.
        working_folder: Where it ran.
        host: The machine.
        processes: Its Python processes, in the order in which they began.
        logs: What it printed.
        notes: What the reader should know of this run.
    """

    reason: str
    replays: list[Origin]
    started: str
    ended: Union[str, Unavailable]
    duration_s: Union[float, Unavailable]
    exit_status: Union[int, Unavailable]
    working_folder: PathText
    host: Host
    processes: list[Process]
    logs: list[Log]
    notes: list[str]


class Part(Strict, frozen=True):
    """One named thing that a file holds.

    Args:
        name: Where it is in the file.
        dtype: Type of its elements.
        shape: Of an array.
        digest: sha256 of its bytes.
    """

    name: str
    dtype: str
    shape: list[int]
    digest: Digest


class Content(Known, frozen=True):
    """What a file holds, apart from how it is written.

    Args:
        format: Such as `npz`; `docs/digests.md` says what counts for each.
        digest: The content digest.
        parts: Each thing in it; empty where there are more than 1,000.
    """

    format: str
    digest: Digest
    parts: list[Part]


class File(Strict, frozen=True):
    """A file that was read or written.

    Args:
        path: Relative to the folder of the run, or absolute.
        kind: `special` stands for pipes, sockets and devices, which are not read.
        size_bytes: Its size.
        sha256: Its byte digest; of a link's target, for a link; zeros where it is unreadable.
        content: Its content digest, or why there is none.
    """

    path: PathText
    kind: Literal["file", "link", "special", "unreadable"]
    size_bytes: int
    sha256: Digest
    content: Union[Content, Unavailable]
