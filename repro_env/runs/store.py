"""The folder `.repro`: a folder for each run, by its id, that says by itself how the run stands.

Who runs a command holds a lock on its run's folder. A record that still says `running` while
nobody holds the lock is that of an interrupted run, whatever ended it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

from repro_env import paths
from repro_env.errors import RecordError
from repro_env.git import code
from repro_env.records import record
from repro_env.records.record import Record

NAME = ".repro"
FILE = "run.json"
OUTPUTS = "outputs"  # of an attempt of a verify: what it made, moved there
LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # those that nobody mistakes, in their order
RUNNING: Final = "running"
INTERRUPTED: Final = "interrupted"

State = Literal["running", "interrupted", "complete"]


class Store:
    """The runs of one project.

    Args:
        folder: The project's: the top of its git work tree, or where the user is.
    """

    def __init__(self, folder: Path) -> None:
        self.project = folder
        self.folder = folder / NAME
        self.runs = self.folder / "runs"
        self.work = self.folder / "work"  # where replays check out code
        self.verifications = self.folder / "verifications"

    @classmethod
    def of(cls, folder: Path) -> Store:
        """Return the store of the project that a folder belongs to."""
        return cls(code.top_of(folder) or folder)

    @contextmanager
    def new(self, among: Path | None = None) -> Iterator[Path]:
        """Make a run's folder, and hold it as long as the run lasts.

        Args:
            among: The folder of such folders; that of the runs if None.

        Raises:
            RecordError: It can't be made.
        """
        self.prepare()
        try:
            folder = _made(among or self.runs)
        except OSError as error:
            raise _not_written(self.folder, error) from None
        with _held(folder, fcntl.LOCK_EX):
            yield folder

    @contextmanager
    def verifying(self) -> Iterator[int]:
        """Hold the project's files: one verify at a time moves them.

        Yields:
            The lock's descriptor, for attempts: it is held as long as one of them lives.

        Raises:
            RecordError: They are held, by a verify or by what a killed one has started.
        """
        self.prepare()
        try:
            with _held(self.verifications, fcntl.LOCK_EX | fcntl.LOCK_NB) as descriptor:
                yield descriptor
        except BlockingIOError:
            raise RecordError(
                f"a verify is under way in {str(self.project)!r}, or what one had started",
                hint="wait for it, or end it",
            ) from None

    def prepare(self) -> None:
        """Make the store's folders, which git is to ignore.

        Raises:
            RecordError: They can't be made.
        """
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            self.work.mkdir(exist_ok=True)
            self.verifications.mkdir(exist_ok=True)
            ignored = self.folder / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n")
        except OSError as error:
            raise _not_written(self.folder, error) from None

    def ids(self) -> list[str]:
        """Return the ids of the runs that have a record, oldest first."""
        return sorted(file.parent.name for file in self.runs.glob(f"*/{FILE}"))

    def running(self) -> set[str]:
        """Return the ids of the runs that are under way now."""
        if not self.runs.is_dir():
            return set()
        return {folder.name for folder in self.runs.iterdir() if is_running(folder)}

    def discard(self, run_id: str) -> None:
        """Leave no trace of a run that did not begin."""
        with suppress(code.NoCodeError):
            code.forget(self.project, run_id)
        shutil.rmtree(self.runs / run_id, ignore_errors=True)

    def find(self, name: str) -> Path:
        """Return the record's file of a run.

        Args:
            name: An id, a prefix of one id alone, `last`, or the path of a `run.json` or of the
                folder that holds it.

        Raises:
            RecordError: There is none, or more than one.
        """
        path = Path(name)
        if os.sep in name or path.suffix == ".json":
            return _file_at(path / FILE if path.is_dir() else path)
        ids = self.ids()
        found = ids[-1:] if name == "last" else [one for one in ids if one.startswith(name)]
        if name in ids:
            found = [name]
        if len(found) > 1:
            raise RecordError(
                f"{name!r} begins {len(found)} runs: {', '.join(found[:3])} ...",
                hint="add letters until it is one",
            )
        if not found or not name:
            raise RecordError(f"there is no run {name!r} in {self.folder}", hint="see `repro list`")
        return self.runs / found[0] / FILE

    def read(self, name: str) -> Record:
        """Return the record of a run.

        Raises:
            RecordError: There is none, or it can't be read.
        """
        return read(self.find(name))

    def remove(self, run_id: str) -> None:
        """Remove a run's folder, and its hidden ref.

        Raises:
            RecordError: It is running, or can't be removed.
        """
        folder = self.runs / run_id
        if is_running(folder):
            raise RecordError(f"run {run_id} is running", hint="wait for it, or end it")
        try:
            with suppress(FileNotFoundError):
                (folder / FILE).unlink()  # first: what is left is no run any more
                shutil.rmtree(folder)
            with suppress(code.NoCodeError):
                code.forget(self.project, run_id)
        except OSError as error:
            raise RecordError(
                f"{error.filename} can't be removed: {error.strerror}",
                hint="run this as the one whom it belongs to",
            ) from None

    def moved(self, run_id: str) -> Path:
        """Return where a verify has moved to what one of its attempts made."""
        return self.runs / run_id / OUTPUTS

    def output(self, record: Record, path: str) -> Path:
        """Return where an output, as its record names it, was made, or was moved to by a verify."""
        name = paths.from_text(path)
        below = os.path.normpath(os.path.join(paths.from_text(record.definition.folder), name))  # noqa: PTH118
        moved = self.moved(record.id) / below
        made = Path(paths.from_text(record.observation.working_folder), name)
        return moved if os.path.lexists(moved) else made


def _made(among: Path) -> Path:
    while True:
        folder = among / _new_id(time.time())
        with suppress(FileExistsError):
            folder.mkdir()
            return folder


def read(file: Path) -> Record:
    """Return the record in a file.

    Raises:
        RecordError: It can't be read.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        raise RecordError(
            f"{str(file)!r} can't be read: {error.strerror}", hint="see `repro list`"
        ) from None
    return record.from_bytes(text, repr(str(file)))


def write(folder: Path, written: Record) -> None:
    """Write a run's record so that at any moment the file is whole, the old one or the new.

    Raises:
        RecordError: The disk is full, or the folder is read-only; the old one is still there.
    """
    temporary = folder / f"{FILE}.new"
    try:
        with temporary.open("wb") as file:
            file.write(record.to_bytes(written))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / FILE)
        _sync(folder)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise _not_written(folder / FILE, error) from None


def state_of(file: Path, state: Literal["running", "complete"]) -> State:
    """Return how a run stands: running, interrupted or complete.

    Args:
        file: Its record's file.
        state: What the record says.
    """
    if state == RUNNING and not is_running(file.parent):
        return INTERRUPTED
    return state


def is_running(folder: Path) -> bool:
    """Say whether somebody holds a run's folder."""
    try:
        with _held(folder, fcntl.LOCK_SH | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextmanager
def _held(folder: Path, how: int) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new_id(now_s: float) -> str:
    """Return a time in UTC, its part of a second in two letters, and two random ones."""
    high, low = divmod(int(now_s % 1 * len(LETTERS) ** 2), len(LETTERS))
    # Never from a seeded generator: a process that is the same each time may ask for it.
    drawn = secrets.choice(LETTERS) + secrets.choice(LETTERS)
    return (
        time.strftime("%Y%m%d-%H%M%S-", time.gmtime(now_s)) + LETTERS[high] + LETTERS[low] + drawn
    )


def _file_at(path: Path) -> Path:
    if path.is_file():
        return path
    raise RecordError(f"there is no record at {str(path)!r}", hint="name a run, or a run.json")


def _not_written(path: Path, error: OSError) -> RecordError:
    return RecordError(
        f"{str(path)!r} can't be written: {error.strerror}",
        hint="free space on the disk, or run where you can write",
    )
