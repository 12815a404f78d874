"""One image, wherever it is: what it says of itself, and all its files on request."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from images import engine
from images.archive import Archive, Json, Layer
from images.entries import Contents, read_contents
from images.errors import ImageError
from images.overlay import merged, resolved
from images.packages import is_about_packages

Reading = Callable[[], Contents]


class Snapshot(Protocol):
    """An image of the engine or of an archive."""

    name: str
    identity: str
    layers: list[str]  # digests of the layers' uncompressed bytes: equal ones hold equal files
    settings: Json
    size_bytes: int
    counted: str  # what the size counts
    hidden: frozenset[str]  # paths that can't be seen this way

    def opened(self) -> AbstractContextManager[Reading]:
        """Prepare the reading, which another thread may do, and clean up after it."""


class LayerCache:
    """Layers by their digest, so that one which two archives share is read once."""

    def __init__(self) -> None:
        self._found: dict[str, Contents] = {}
        self._lock = threading.Lock()

    def read(self, archive: Archive, layer: Layer) -> Contents:
        """Return a layer's contents."""
        with self._lock:
            if layer.digest not in self._found:
                self._found[layer.digest] = archive.contents(layer, is_about_packages)
            return self._found[layer.digest]


class SavedImage:
    """An image in an archive."""

    hidden: frozenset[str] = frozenset()
    counted = "layers as saved"

    def __init__(self, archive: Archive, cache: LayerCache) -> None:
        self._archive = archive
        self._cache = cache
        self.name = str(archive.path)
        self.identity = archive.manifest_digest
        self.layers = [
            str(digest) for digest in archive.config.get("rootfs", {}).get("diff_ids", [])
        ]
        self.settings = _settings(archive.config.get("config"), archive.config)
        self.size_bytes = sum(layer.size_bytes for layer in archive.layers)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Reading]:
        """Prepare nothing: the archive is open."""
        yield lambda: merged(
            self._cache.read(self._archive, layer) for layer in self._archive.layers
        )


class EngineImage:
    """An image of the local Docker engine."""

    hidden = engine.LAID_OVER
    counted = "as the engine counts"

    def __init__(self, name: str) -> None:
        told = engine.inspect(name)
        self.name = name
        self.identity = str(told["Id"])
        self.layers = [str(digest) for digest in told["RootFS"].get("Layers") or []]
        self.settings = _settings(told.get("Config"), {key.lower(): told[key] for key in told})
        self.size_bytes = int(told["Size"])

    @contextlib.contextmanager
    def opened(self) -> Iterator[Reading]:
        """Start an export."""
        with engine.exported(self.identity) as stream:
            counted = engine.Counted(stream, self.name)
            yield lambda: resolved(read_contents(counted, is_about_packages))


@contextlib.contextmanager
def snapshots(*names: str) -> Iterator[list[Snapshot]]:
    """Open images by name: a file is an archive, all else the engine's.

    Raises:
        ImageError: there is no such image, or it can't be read.
    """
    cache = LayerCache()
    with contextlib.ExitStack() as stack:
        found: list[Snapshot] = []
        for name in names:
            if Path(name).is_file():
                found.append(SavedImage(stack.enter_context(Archive(Path(name))), cache))
            else:
                found.append(EngineImage(name))
        yield found


def _settings(config: Any, platform: Json) -> Json:
    """Return what is set; the engine also lists what is not, and with which types varies."""
    if config is not None and not isinstance(config, dict):
        raise ImageError("an image's config is no JSON object", "save the image again")
    parts = {
        **(config or {}),
        "Os": platform.get("os"),
        "Architecture": platform.get("architecture"),
    }
    return {name: part for name, part in parts.items() if part}
