"""Layers laid over one another, to the files that a container would see.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md#whiteouts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from images.entries import Contents, Entry, normal_path

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


def merged(layers: Iterable[Contents]) -> Contents:
    """Return what is there after all layers, the lowest first."""
    found = Contents({}, {})
    for layer in layers:
        _hide(found, layer.entries)
        shown = resolved(layer)
        for path, entry in shown.entries.items():
            if not path.rpartition("/")[2].startswith(WHITEOUT):
                found.entries[path] = entry
        found.kept.update(shown.kept)
    return found


def resolved(contents: Contents) -> Contents:
    """Return contents whose hard links are the files they name.

    Which of a file's names comes first, and is the file, depends on who wrote the tar.
    """
    entries: dict[str, Entry] = {}
    kept = dict(contents.kept)
    for path, entry in contents.entries.items():
        target = normal_path(entry.link)
        is_link = entry.kind == "hard link" and target in entries
        entries[path] = entries[target] if is_link else entry
        if is_link and target in kept:
            kept[path] = kept[target]
    return Contents(entries, kept)


def ancestors(path: str) -> Iterator[str]:
    """Yield the folders above a path, the nearest first."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _hide(found: Contents, upper: dict[str, Entry]) -> None:
    """Take away what a layer deletes, empties or replaces."""
    gone, emptied = set(), set()
    for path, entry in upper.items():
        folder, _, name = path.rpartition("/")
        if name == OPAQUE:
            emptied.add(folder)
        elif name.startswith(WHITEOUT):
            gone.add(f"{folder}/{name[len(WHITEOUT) :]}".lstrip("/"))
        elif entry.kind != "directory":
            gone.add(path)
    present = found.entries.keys() & gone
    emptied |= {path for path in present if found.entries[path].kind == "directory"}
    if emptied:
        gone = gone | {path for path in found.entries if not emptied.isdisjoint(ancestors(path))}
    for path in found.entries.keys() & gone:
        del found.entries[path]
        found.kept.pop(path, None)
