"""Two saved images to their differences, layer by layer; prints nothing.

Layers with equal digests hold the same bytes, so they are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from itertools import zip_longest
from typing import NamedTuple

from images.archive import Archive, Json, Layer
from images.documents import Aspect, differing_fields
from images.entries import Entry

FIRST, SECOND, BOTH = "first", "second", "both"


def _time(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.mtime, timezone.utc).isoformat()


ASPECTS: Mapping[str, Callable[[Entry], str]] = {
    "size": lambda entry: f"{entry.size_bytes}",
    "content": lambda entry: f"sha256:{entry.sha256}",
    "mode": lambda entry: f"{entry.mode:04o}",
    "owner": lambda entry: f"{entry.uid}:{entry.gid}",
    "time": _time,
    "link": lambda entry: entry.link,
    "attributes": lambda entry: " ".join(f"{name}={value!r}" for name, value in entry.attributes),
}


class PathDifference(NamedTuple):
    """A path that one side lacks, or that differs; `aspects` is for those in both."""

    path: str
    side: str
    aspects: list[Aspect]


class LayerDifference(NamedTuple):
    """Two layers of the same number; one of them may be absent."""

    number: int  # from 1
    first: Layer | None
    second: Layer | None
    paths: list[PathDifference]


class Differences(NamedTuple):
    """All in which two images differ; empty lists where they do not."""

    layers: list[LayerDifference]
    config: list[Aspect]
    manifest: list[Aspect]
    same_values: list[str]  # documents that say the same in other bytes


def differences(first: Archive, second: Archive) -> Differences:
    """Compare two images down to what each file is."""
    config = differing_fields(_config(first), _config(second))
    manifest = differing_fields(_manifest(first), _manifest(second))
    layers = differing_layers(first, second)
    same_values = []
    if (
        first.config_digest != second.config_digest
        and not config
        and _diff_ids(first) == _diff_ids(second)
    ):
        same_values.append("config")
    if first.manifest_digest != second.manifest_digest and not (
        manifest or layers or first.config_digest != second.config_digest
    ):
        same_values.append("manifest")
    return Differences(layers, config, manifest, same_values)


def differing_layers(first: Archive, second: Archive) -> list[LayerDifference]:
    """Compare layer by layer, reading only those whose digests differ."""
    pairs = enumerate(zip_longest(first.layers, second.layers), start=1)
    return [
        LayerDifference(number, one, other, _paths(first, one, second, other))
        for number, (one, other) in pairs
        if one is None or other is None or one.digest != other.digest
    ]


def differing_paths(
    was: Mapping[str, Entry], now: Mapping[str, Entry], ignoring: Collection[str] = ()
) -> list[PathDifference]:
    """Compare two sets of files, and leave out the aspects that the caller does not ask about."""
    found = []
    for path in sorted({*was, *now}):
        if path not in now:
            found.append(PathDifference(path, FIRST, []))
        elif path not in was:
            found.append(PathDifference(path, SECOND, []))
        elif aspects := differing_aspects(was[path], now[path], ignoring):
            found.append(PathDifference(path, BOTH, aspects))
    return found


def differing_aspects(was: Entry, now: Entry, ignoring: Collection[str] = ()) -> list[Aspect]:
    """Say in what one path differs; of two kinds, nothing else is worth saying."""
    if was == now:
        return []
    if was.kind != now.kind:
        return [Aspect("kind", was.kind, now.kind)]
    aspects = (
        Aspect(name, of(was), of(now)) for name, of in ASPECTS.items() if name not in ignoring
    )
    return [aspect for aspect in aspects if aspect.was != aspect.now]


def _paths(
    first: Archive, one: Layer | None, second: Archive, other: Layer | None
) -> list[PathDifference]:
    return differing_paths(
        first.entries(one) if one else {},
        second.entries(other) if other else {},
    )


def _config(archive: Archive) -> Json:
    # The layers are compared themselves.
    return {name: part for name, part in archive.config.items() if name != "rootfs"}


def _manifest(archive: Archive) -> Json:
    """Return what a manifest says beside the digests of the parts compared themselves."""
    types = [layer.get("mediaType") for layer in archive.manifest["layers"]]
    rest = {k: v for k, v in archive.manifest.items() if k not in ("config", "layers")}
    return {**rest, "layers": types}


def _diff_ids(archive: Archive) -> object:
    return archive.config.get("rootfs")
