"""A stack's lock, read: every file that may go into its image, with its digest.

`stacks/STACK.lock` names the base, the date of Debian's packages, the builder, the Debian packages
and the pip-compile lock that holds the Python packages. A digest that is not 64 lower-case hex
digits, a line that says something else, or a Python lock that is not the one meant is an error:
nothing is skipped.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from images.errors import ImageError

SHA256 = r"sha256:([0-9a-f]{64})"
FORMS = {
    "base": re.compile(rf"\S+@{SHA256}"),
    "snapshot": re.compile(r"\d{8}T\d{6}Z"),
    "builder": re.compile(r"(\S+) (\S+)"),
    "asked": re.compile(rf"(\S+) {SHA256}"),
    "python": re.compile(rf"(\S+) {SHA256}"),
    "os": re.compile(rf"(\S+) (\S+) (\S+) {SHA256}"),
    "yours": re.compile(rf"(\S+) (\S+) (\S+) {SHA256}"),
}
EXPECTED = {
    "base": "base REFERENCE@sha256:<64 hex digits>",
    "snapshot": "snapshot YYYYMMDDTHHMMSSZ",
    "builder": "builder NAME VERSION",
    "asked": "asked FILE sha256:<64 hex digits>",
    "python": "python FILE sha256:<64 hex digits>",
    "os": "os NAME VERSION ARCHITECTURE sha256:<64 hex digits>",
    "yours": "yours NAME VERSION ARCHITECTURE sha256:<64 hex digits>",
}
ONCE = ("base", "snapshot", "builder", "asked", "python")
PIN = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!+-]+)( \\)?")
HASH = re.compile(rf" +--hash={SHA256}( \\)?")


class DebianPackage(NamedTuple):
    """One .deb: of the image (`os`), or of the user's own list (`yours`)."""

    section: str
    name: str
    version: str
    architecture: str
    sha256: str


class PythonPackage(NamedTuple):
    """One distribution, and the digests of its files; pip takes one of them."""

    name: str
    version: str
    sha256s: tuple[str, ...]


class Builder(NamedTuple):
    """What built the image that the lock was made with."""

    name: str
    version: str


class Lock(NamedTuple):
    """All that one stack is locked to. Digests are bare hex."""

    path: Path
    sha256: str
    base: str  # NAME@sha256:DIGEST
    snapshot: str
    builder: Builder
    python_file: str
    python_sha256: str
    debian: tuple[DebianPackage, ...]
    python: tuple[PythonPackage, ...]

    @property
    def stack(self) -> str:
        """The stack's name, which is the file's."""
        return self.path.stem


def read_lock(path: Path) -> Lock:
    """Read a stack's lock and the Python lock that it names.

    Args:
        path: `stacks/STACK.lock`; the Python lock is looked for from the folder above.

    Raises:
        ImageError: a file is missing, a line is malformed or missing, or the Python lock has
            another digest than the one written down.
    """
    data = _read(path)
    lines = list(_stack_lines(path, data))
    once = {word: rest for word, rest in lines if word in ONCE}
    for word in ONCE:
        if sum(found == word for found, _ in lines) != 1:
            raise _malformed(str(path), f"one line: {EXPECTED[word]}")
    name, digest = _fields("python", once["python"])
    return Lock(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        base=once["base"],
        snapshot=once["snapshot"],
        builder=Builder(*_fields("builder", once["builder"])),
        python_file=name,
        python_sha256=digest,
        debian=tuple(
            DebianPackage(word, *_fields(word, rest)) for word, rest in lines if word not in ONCE
        ),
        python=_python_packages(path.parent.parent / name, digest),
    )


def _stack_lines(path: Path, data: bytes) -> list[tuple[str, str]]:
    found = []
    for number, line in enumerate(data.decode().splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word not in FORMS:
            raise _malformed(f"{path}:{number}", f"a line that begins with {', '.join(FORMS)}")
        if not FORMS[word].fullmatch(rest):
            raise _malformed(f"{path}:{number}", EXPECTED[word])
        found.append((word, rest))
    return found


def _fields(word: str, rest: str) -> tuple[str, ...]:
    match = FORMS[word].fullmatch(rest)
    assert match is not None  # _stack_lines has looked
    return match.groups()


def _python_packages(path: Path, sha256: str) -> tuple[PythonPackage, ...]:
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ImageError(
            f"{path} is not the Python lock that the stack's lock was made with",
            hint="run scripts/lock, or take back the change",
        )
    packages: list[PythonPackage] = []
    for number, line in enumerate(data.decode().splitlines(), start=1):
        pin, digest = PIN.fullmatch(line), HASH.fullmatch(line)
        if pin:
            packages.append(PythonPackage(pin[1], pin[2], ()))
        elif digest and packages:
            last = packages[-1]
            packages[-1] = last._replace(sha256s=(*last.sha256s, digest[1]))
        elif line and not line.lstrip().startswith("#"):
            raise _malformed(f"{path}:{number}", "NAME==VERSION or --hash=sha256:<64 hex digits>")
    _require_digests(path, packages)
    return tuple(packages)


def _require_digests(path: Path, packages: list[PythonPackage]) -> None:
    bare = [package.name for package in packages if not package.sha256s]
    if bare:
        raise _malformed(str(path), f"a --hash for each package; without one: {', '.join(bare)}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"{path} can't be read: {error.strerror}", hint="run scripts/lock"
        ) from error


def _malformed(place: str, expected: str) -> ImageError:
    return ImageError(
        f"{place}: expected {expected}", hint="run scripts/lock, which writes it anew"
    )
