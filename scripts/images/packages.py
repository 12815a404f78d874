"""The packages of an image, Debian's and Python's, and which files are whose."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterator
from email.parser import HeaderParser
from typing import NamedTuple

from images.entries import Contents, Entry, normal_path

DEBIAN = "debian"
DPKG_STATUS = "var/lib/dpkg/status"
DPKG_LIST = re.compile(r"var/lib/dpkg/info/([^/:]+)(?::[^/]+)?\.list")
DPKG_INFO = re.compile(r"var/lib/dpkg/info/([^/:]+?)(?::[^/.]+)?\.[a-z0-9]+")
DIST_INFO = re.compile(r"(.*\b(?:site|dist)-packages)/[^/]+\.dist-info/(METADATA|RECORD)")
BYTECODE = re.compile(r"(.*/)?__pycache__/([^/]+?)\.[\w-]+(?:\.opt-\d)?\.pyc")


class Key(NamedTuple):
    """What names a package: the same name may stand in two environments."""

    where: str  # DEBIAN, or the folder of a Python environment's packages
    name: str


def is_about_packages(path: str) -> bool:
    """Tell whether a file's bytes are needed here."""
    return path == DPKG_STATUS or bool(DPKG_LIST.fullmatch(path) or DIST_INFO.fullmatch(path))


def versions(contents: Contents) -> dict[Key, str]:
    """Return each installed package's version."""
    found = dict(_debian(contents.kept.get(DPKG_STATUS, b"")))
    for path, content in contents.kept.items():
        match = DIST_INFO.fullmatch(path)
        if match and match[2] == "METADATA":
            key, version = _python(match[1], content)
            found[key] = version
    return found


class Owners:
    """Which package a file belongs to."""

    def __init__(self, contents: Contents) -> None:
        self._names = _python_names(contents)
        self._owners = {
            path: key
            for path, key in _owned(contents, self._names)
            if path in contents.entries and contents.entries[path].kind != "directory"
        }

    def of(self, path: str) -> Key | None:
        """Return the package of a file, or nothing for a file of nobody and for a folder."""
        if info := DPKG_INFO.fullmatch(path):
            return Key(DEBIAN, info[1])
        if path not in self._owners and (compiled := BYTECODE.fullmatch(path)):
            # Compiled after the installation, so no list names it.
            path = f"{compiled[1] or ''}{compiled[2]}.py"
        # Its own folder of metadata is a package's, listed or not.
        return self._owners.get(path) or self._names.get(posixpath.dirname(path))


def _debian(status: bytes) -> Iterator[tuple[Key, str]]:
    for paragraph in status.decode("utf-8", "replace").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version|Architecture): (.*)$", paragraph, re.M))
        if fields.get("Status", "").endswith(" installed"):
            foreign = (
                ""
                if fields.get("Architecture") in ("amd64", "all")
                else f":{fields.get('Architecture')}"
            )
            yield Key(DEBIAN, fields["Package"] + foreign), fields.get("Version", "")


def _python(folder: str, metadata: bytes) -> tuple[Key, str]:
    header = HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    # Source: https://packaging.python.org/en/latest/specifications/name-normalization/
    name = re.sub(r"[-_.]+", "-", str(header["Name"])).lower()
    return Key(folder, name), str(header["Version"])


def _python_names(contents: Contents) -> dict[str, Key]:
    """Return the package of each folder `*.dist-info`."""
    return {
        posixpath.dirname(path): _python(match[1], content)[0]
        for path, content in contents.kept.items()
        if (match := DIST_INFO.fullmatch(path)) and match[2] == "METADATA"
    }


def _owned(contents: Contents, names: dict[str, Key]) -> Iterator[tuple[str, Key]]:
    for path, content in contents.kept.items():
        text = content.decode("utf-8", "replace")
        if listed := DPKG_LIST.fullmatch(path):
            key = Key(DEBIAN, listed[1])
            yield from ((_real(line, contents.entries), key) for line in text.splitlines())
        elif (match := DIST_INFO.fullmatch(path)) and match[2] == "RECORD":
            owner = names.get(posixpath.dirname(path))
            if owner:
                yield from (
                    (normal_path(f"{match[1]}/{file}"), owner) for file in _first_column(text)
                )


def _first_column(record: str) -> Iterator[str]:
    # Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    return (row[0] for row in csv.reader(record.splitlines()) if row)


def _real(line: str, entries: dict[str, Entry]) -> str:
    """Return where a file stands when Debian lists it below /bin, a link to /usr/bin."""
    top, slash, rest = normal_path(line).partition("/")
    entry = entries.get(top)
    if slash and entry and entry.kind == "symbolic link":
        return normal_path(f"{entry.link}/{rest}")
    return f"{top}{slash}{rest}"
