"""Tell what changed between two images: packages, settings, files, size."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from images import wording
from images.changes import Changes, PackageChange, changes
from images.compare import BOTH, FIRST, SECOND, PathDifference
from images.packages import DEBIAN
from images.snapshot import Snapshot, snapshots

VERBS = {FIRST: "removed", SECOND: "added", BOTH: "changed"}
SAME = "the same packages, settings and files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take two images."""
    parser.add_argument("first", metavar="A", help="an image of the engine, or an archive of one")
    parser.add_argument("second", metavar="B", help="another")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--all", action="store_true", help="print every file, however many")


def main(args: argparse.Namespace) -> int:
    """Print what changed; return 0 for nothing, 1 for something."""
    with snapshots(args.first, args.second) as (first, second):
        found = changes(first, second)
    if args.json:
        print(json.dumps(as_json(found, first, second), indent=2))
    else:
        print("\n".join(as_lines(found, first, second, None if args.all else wording.LINES_SHOWN)))
    return 1 if any(found) else 0


def as_lines(found: Changes, first: Snapshot, second: Snapshot, shown: int | None) -> list[str]:
    """Return what changed for a terminal."""
    lines = [f"first:  {first.name} {first.identity}", f"second: {second.name} {second.identity}"]
    for where, packages in groupby(found.packages, key=lambda package: package.where):
        title = "Debian" if where == DEBIAN else f"Python, /{where}"
        lines += [f"packages ({title}):", *wording.indented([*map(_package, packages)])]
    if found.settings:
        lines += ["settings:", *wording.indented([*map(wording.aspect, found.settings)])]
    if found.files:
        title = "files of no changed package" if found.packages else "files"
        lines += [f"{title}:", *wording.indented(file_lines(found.files, shown))]
    if not any(found):
        lines.append(SAME)
    return [*lines, _size(first, second)]


def as_json(found: Changes, first: Snapshot, second: Snapshot) -> dict[str, Any]:
    """Return what changed for a program."""
    images = [
        {"name": image.name, "id": image.identity, "size_bytes": image.size_bytes}
        for image in (first, second)
    ]
    return {
        "images": images,
        "size_delta_bytes": _delta(first, second),
        "packages": [package._asdict() for package in found.packages],
        "settings": [setting._asdict() for setting in found.settings],
        "files": [
            {
                "path": f"/{file.path}",
                "change": VERBS[file.side],
                "differs": [aspect._asdict() for aspect in file.aspects],
            }
            for file in found.files
        ],
    }


def file_lines(files: Sequence[PathDifference], shown: int | None) -> list[str]:
    """Return a line a file; a line a folder where there are too many."""
    if shown is None or len(files) <= shown:
        return [*map(_file, files)]
    for depth in range(max(file.path.count("/") for file in files), -1, -1):
        folders = _by_folder(files, depth)
        if len(folders) <= shown:
            break
    return wording.capped([_summary(*folder) for folder in folders.items()], shown)


def _by_folder(files: Sequence[PathDifference], depth: int) -> dict[str, list[PathDifference]]:
    """Group files by the first `depth` parts of the folder they stand in."""
    folders: dict[str, list[PathDifference]] = {}
    for file in files:
        folders.setdefault("/".join(file.path.split("/")[:-1][:depth]), []).append(file)
    return folders


def _summary(folder: str, files: Sequence[PathDifference]) -> str:
    if len(files) == 1:
        return _file(files[0])
    counts = Counter(VERBS[file.side] for file in files)
    told = ", ".join(f"{number} {verb}" for verb, number in sorted(counts.items()))
    return f"/{folder}{'/' if folder else ''}: {told}"


def _file(file: PathDifference) -> str:
    line = f"{VERBS[file.side]} /{file.path}"
    return f"{line}: {', '.join(map(wording.aspect, file.aspects))}" if file.aspects else line


def _package(package: PackageChange) -> str:
    files = f" ({package.files} files)"
    if package.was is None:
        return f"added {package.name} {package.now}{files}"
    if package.now is None:
        return f"removed {package.name} {package.was}{files}"
    return f"changed {package.name} {package.was} -> {package.now}{files}"


def _delta(first: Snapshot, second: Snapshot) -> int | None:
    """Return by how much the second is larger, or nothing where the two count differently."""
    return second.size_bytes - first.size_bytes if first.counted == second.counted else None


def _size(first: Snapshot, second: Snapshot) -> str:
    was, now = (
        f"{wording.size(image.size_bytes)} ({image.size_bytes} bytes, {image.counted})"
        for image in (first, second)
    )
    delta = _delta(first, second)
    if delta is None:
        return f"size: {was} -> {now}"
    told = ("+" if delta > 0 else "") + wording.size(delta) if delta else "no change"
    return f"size: {was} -> {now}, {told}"
