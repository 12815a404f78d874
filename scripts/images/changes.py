"""What changed between two images, in the words of a reader; prints nothing.

A changed package is one line, however many files it has; a file is named only if it
belongs to no changed package. Times don't count here: `verify` is for those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

from images.compare import BOTH, PathDifference, differing_paths
from images.documents import Aspect, differing_fields
from images.entries import Contents
from images.overlay import ancestors
from images.packages import DEBIAN, DPKG_STATUS, Key, Owners, versions
from images.snapshot import Snapshot

# A time is no change, and a size changes with the content.
IGNORED = ("time", "size")
DPKG_FILES = (DPKG_STATUS, f"{DPKG_STATUS}-old")


class PackageChange(NamedTuple):
    """A package that came, went or changed; a version of None says it is not there."""

    where: str
    name: str
    was: str | None
    now: str | None
    files: int  # how many of the differing files are its own


class Changes(NamedTuple):
    """All that changed."""

    packages: list[PackageChange]
    settings: list[Aspect]
    files: list[PathDifference]


def changes(first: Snapshot, second: Snapshot) -> Changes:
    """Compare two images; read no file where all layers are the same."""
    settings = differing_fields(first.settings, second.settings)
    if first.layers == second.layers:
        return Changes([], settings, [])
    was, now = (_without(files, first.hidden | second.hidden) for files in _read(first, second))
    packages, files = changed_files(was, now)
    return Changes(packages, settings, files)


def changed_files(was: Contents, now: Contents) -> tuple[list[PackageChange], list[PathDifference]]:
    """Compare two images' files: the packages that changed, and the files of no such package."""
    first, second = versions(was), versions(now)
    changed = {key for key in {*first, *second} if first.get(key) != second.get(key)}
    owners = (Owners(was), Owners(now))
    files: Counter[Key] = Counter()
    rest = []
    for found in differing_paths(was.entries, now.entries, IGNORED):
        key = next((key for key in (of.of(found.path) for of in owners) if key in changed), None)
        if key:
            files[key] += 1
        else:
            rest.append(found)
    packages = [
        PackageChange(*key, first.get(key), second.get(key), files[key]) for key in sorted(changed)
    ]
    return packages, list(_worth_naming(rest, was, now, changed))


def _worth_naming(
    found: list[PathDifference], was: Contents, now: Contents, changed: set[Key]
) -> Iterable[PathDifference]:
    """Drop new and lost folders that others imply, and the database of changed packages."""
    implied = _folders_of_changes(was, now)
    database = DPKG_FILES if any(key.where == DEBIAN for key in changed) else ()
    for difference in found:
        entry = now.entries.get(difference.path) or was.entries[difference.path]
        is_lone_folder = entry.kind == "directory" and difference.side != BOTH
        is_implied = is_lone_folder and difference.path in implied
        if not is_implied and difference.path not in database:
            yield difference


def _folders_of_changes(was: Contents, now: Contents) -> set[str]:
    lone = was.entries.keys() ^ now.entries.keys()
    return {folder for path in lone for folder in ancestors(path)}


def _read(first: Snapshot, second: Snapshot) -> list[Contents]:
    """Read both at once; on the way out streams end first, then the threads that read them."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        readings = [stack.enter_context(image.opened()) for image in (first, second)]
        return [future.result() for future in [pool.submit(reading) for reading in readings]]


def _without(contents: Contents, hidden: frozenset[str]) -> Contents:
    """Leave out what can't be seen of one image, and the folders that hold nothing else."""
    entries = {path: entry for path, entry in contents.entries.items() if path not in hidden}
    above = {folder for path in hidden for folder in ancestors(path)}
    used = {folder for path in entries if path not in above for folder in ancestors(path)}
    kept = {path: entry for path, entry in entries.items() if path not in above - used}
    return Contents(kept, contents.kept)
