"""A run in one file for another machine, `<id>.repro.tar`: its record, its code, its inputs.

Members: `run.json`; `code.bundle`, a git bundle of the code's tree; `inputs/<sha256>`, the inputs'
files, where they were asked for. What else an archive holds, it is not one of ours: it is refused
before anything of it is written.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from repro_env import digest, paths
from repro_env.errors import RecordError
from repro_env.git import checkout
from repro_env.records import record
from repro_env.records.definition import Unavailable
from repro_env.records.record import Record

SUFFIX = ".repro.tar"
RECORD = "run.json"
BUNDLE = "code.bundle"
_MEMBERS = re.compile(rf"{re.escape(RECORD)}|{re.escape(BUNDLE)}|inputs/[0-9a-f]{{64}}")


class Opened(NamedTuple):
    """What an archive held, in a folder of its own.

    Args:
        record: The run's record.
        text: The bytes of its file.
        bundle: Its code; None where none was kept.
        inputs: The folder of its inputs, by digest.
    """

    record: Record
    text: bytes
    bundle: Path | None
    inputs: Path


def write(packed: Record, record_file: Path, top: Path, target: Path, with_inputs: bool) -> None:
    """Write an archive.

    Args:
        packed: The run's record.
        record_file: Its file.
        top: The project's folder.
        target: The archive to make.
        with_inputs: Whether it is to hold the inputs' files.

    Raises:
        RecordError: The archive is there already or can't be written, the code is not there any
            more, or an input is not what it was.
    """
    if os.path.lexists(target):
        raise RecordError(
            f"{str(target)!r} is there already", hint="name another file with --output"
        )
    try:
        # Beside the target, so that it can take its place, and under a name that nobody has.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".repro-") as folder:
            with tarfile.open(Path(folder, target.name), "x") as archive:
                _add(archive, RECORD, record_file)
                if not isinstance(packed.definition.code, Unavailable):
                    bundle = record_file.with_name(BUNDLE)  # of a run that came in an archive
                    if not bundle.exists():
                        bundle = Path(folder, BUNDLE)
                        checkout.write_bundle(top, packed.id, bundle)
                    _add(archive, BUNDLE, bundle)
                if with_inputs:
                    _add_inputs(archive, packed)
            Path(folder, target.name).replace(target)
    except OSError as error:
        raise RecordError(
            f"{str(target)!r} can't be written: {error.strerror}",
            hint="name another file with --output",
        ) from None


@contextmanager
def opened(file: Path) -> Iterator[Opened]:
    """Unpack an archive, as long as it is looked at.

    Raises:
        RecordError: It is damaged, or holds what none of ours holds.
    """
    if not file.is_file():
        raise RecordError(f"there is no archive at {str(file)!r}", hint="look at its name")
    with tempfile.TemporaryDirectory(prefix="repro-") as name:
        folder = Path(name)
        (folder / "inputs").mkdir()
        try:
            with tarfile.open(file, "r:") as archive:
                for member in _members(archive, file):
                    _unpack(archive, member, folder)
            text = (folder / RECORD).read_bytes()
        except FileNotFoundError:
            raise _refused(file, f"it has no {RECORD}") from None
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise _refused(file, str(error)) from None
        except OSError as error:
            raise _refused(file, str(error.strerror)) from None
        bundle = folder / BUNDLE
        unpacked = record.from_bytes(text, repr(str(file)))
        yield Opened(unpacked, text, bundle if bundle.exists() else None, folder / "inputs")


def _members(archive: tarfile.TarFile, file: Path) -> list[tarfile.TarInfo]:
    """Return the members, all of which are such as ours; read before anything is written."""
    members = archive.getmembers()
    names = [member.name for member in members]
    for member in members:
        if not member.isreg() or member.issparse() or not _MEMBERS.fullmatch(member.name):
            raise _refused(file, f"it holds {paths.to_text(member.name)!r}")
    if len(names) != len(set(names)):
        raise _refused(file, "it holds a member twice")
    return members


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None  # a regular file
    with source, (folder / member.name).open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    if (folder / member.name).stat().st_size != member.size:
        raise ValueError(f"{member.name} is cut short")


def _add(archive: tarfile.TarFile, name: str, file: Path) -> None:
    member = tarfile.TarInfo(name)  # without owner and time, which say nothing of the run
    member.size = file.stat().st_size
    with file.open("rb") as source:
        archive.addfile(member, source)


def _add_inputs(archive: tarfile.TarFile, packed: Record) -> None:
    folder = Path(paths.from_text(packed.observation.working_folder))
    added: set[str] = set()
    for input_file in packed.inputs:
        if input_file.kind != "file" or input_file.sha256 in added:
            continue
        added.add(input_file.sha256)
        path = folder / paths.from_text(input_file.path)
        if digest.of_bytes(path) != (input_file.size_bytes, input_file.sha256):
            raise RecordError(
                f"the input {input_file.path!r} is not what it was in the run",
                hint="put the old one back, or pack without --with-inputs",
            )
        _add(archive, f"inputs/{input_file.sha256}", path)


def _refused(file: Path, why: str) -> RecordError:
    return RecordError(
        f"{str(file)!r} is no archive of `repro pack`: {paths.to_text(why)}",
        hint="ask for another copy of it",
    )
