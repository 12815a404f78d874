"""One image in a saved archive: what `docker save` (25 or newer) or BuildKit's `type=oci` wrote.

Both are an OCI image layout in a tar: `index.json` names a manifest, the manifest
names the configuration and the layers, each by the sha256 of its bytes. Opening an
archive reads the names only; a layer is read when it is asked for.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, cast

from images.entries import Contents, Entry, keep_nothing, read_contents
from images.errors import ImageError

Json = dict[str, Any]
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PLATFORM = ("linux", "amd64")
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
SAVE_AGAIN = "save it again: docker save -o FILE IMAGE, with Docker 25 or newer"


class Layer(NamedTuple):
    """A layer as the manifest names it, and the step that made it."""

    digest: str
    size_bytes: int
    created_by: str


class Archive:
    """An open archive of one image; close it, or use it as a context.

    Args:
        path: the tar file.

    Raises:
        ImageError: no such file, no OCI layout, several images, or a broken one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tar = self._open()
        try:
            self._members = self._list()
            self.manifest_digest = self._find_manifest()
            self.manifest = self._document(self.manifest_digest)
            config = self._part(self.manifest, "config", dict)
            self.config_digest = self._digest_of(config)
            self.config = self._document(self.config_digest)
            self.layers = self._layers()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._tar.close()

    def entries(self, layer: Layer) -> dict[str, Entry]:
        """Read a layer: each path with what it is and the digest of its bytes."""
        return self.contents(layer).entries

    def contents(self, layer: Layer, keep: Callable[[str], bool] = keep_nothing) -> Contents:
        """Read a layer, and hand back the bytes of the files that `keep` names."""
        try:
            with self._layer(layer) as stream:
                return read_contents(stream, keep)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise self._broken(f"layer {layer.digest} can't be read: {error}") from error

    def _layer(self, layer: Layer) -> IO[bytes]:
        blob = self._blob(layer.digest, layer.size_bytes)
        start = blob.read(len(ZSTD))
        blob.seek(0)
        if start == ZSTD:
            raise ImageError(
                f"{self.path}: layer {layer.digest} is zstd, which Python can't read",
                "save the image without compression, or with gzip",
            )
        if start.startswith(GZIP):
            return cast("IO[bytes]", gzip.GzipFile(fileobj=blob))
        return blob

    def _open(self) -> tarfile.TarFile:
        try:
            return tarfile.open(self.path, "r:")
        except FileNotFoundError as error:
            raise ImageError(
                f"no file {self.path}", "name an archive: docker save -o FILE IMAGE"
            ) from error
        except (tarfile.TarError, OSError) as error:
            raise self._broken(f"no plain tar archive: {error}") from error

    def _list(self) -> dict[str, tarfile.TarInfo]:
        try:
            members = {member.name: member for member in self._tar if member.isreg()}
        except (tarfile.TarError, OSError) as error:
            raise self._broken(str(error)) from error
        if "index.json" not in members:
            raise self._broken("no OCI image layout, for it holds no index.json")
        return members

    def _find_manifest(self) -> str:
        """Follow the index, and indexes in it, to the manifest of our platform."""
        document = self._parse("index.json", self._stream("index.json").read())
        while True:
            digest = self._choose(self._objects(document, "manifests"))
            document = self._document(digest)
            if "manifests" not in document:
                return digest

    def _choose(self, manifests: list[Json]) -> str:
        images = [entry for entry in manifests if _platform(entry) != ("unknown", "unknown")]
        ours = [entry for entry in images if _platform(entry) in (PLATFORM, None)]
        digests = sorted({self._digest_of(entry) for entry in ours})
        if len(digests) == 1:
            return digests[0]
        if digests:
            raise ImageError(f"{self.path} holds {len(digests)} images", "save one image to a file")
        others = ", ".join(sorted("/".join(_platform(entry) or ()) for entry in images))
        raise ImageError(
            f"{self.path} holds no image for {'/'.join(PLATFORM)}: {others or 'none at all'}",
            f"build it with --platform {'/'.join(PLATFORM)}",
        )

    def _layers(self) -> list[Layer]:
        named = self._objects(self.manifest, "layers")
        history = self._objects({"history": self.config.get("history") or []}, "history")
        made = [step for step in history if not step.get("empty_layer")]
        steps = [str(step.get("created_by") or step.get("comment") or "") for step in made]
        if len(steps) != len(named):
            steps = [""] * len(named)  # a history may be left out
        return [
            Layer(self._digest_of(entry), self._part(entry, "size", int), step)
            for entry, step in zip(named, steps)
        ]

    def _document(self, digest: str) -> Json:
        content = self._blob(digest).read()
        found = "sha256:" + hashlib.sha256(content).hexdigest()
        if found != digest:
            raise self._broken(f"the blob {digest} holds other bytes, of {found}")
        return self._parse(digest, content)

    def _parse(self, name: str, content: bytes) -> Json:
        try:
            document = json.loads(content)
        except ValueError as error:
            raise self._broken(f"{name} is no JSON: {error}") from error
        if not isinstance(document, dict):
            raise self._broken(f"{name} is no JSON object")
        return document

    def _blob(self, digest: str, size_bytes: int | None = None) -> IO[bytes]:
        name = f"blobs/sha256/{digest[len('sha256:') :]}"
        if name not in self._members:
            raise self._broken(f"the blob {digest} is missing")
        found_bytes = self._members[name].size
        if size_bytes not in (None, found_bytes):
            raise self._broken(f"the blob {digest} has {found_bytes} bytes, not {size_bytes}")
        return self._stream(name)

    def _stream(self, name: str) -> IO[bytes]:
        stream = self._tar.extractfile(self._members[name])
        assert stream is not None  # only regular files are listed
        return stream

    def _digest_of(self, descriptor: Json) -> str:
        digest = str(self._part(descriptor, "digest", str))
        if not DIGEST.fullmatch(digest):
            raise self._broken(f"{digest!r} is no digest: sha256: and 64 hexadecimal digits")
        return digest

    def _objects(self, document: Json, name: str) -> list[Json]:
        parts: list[Json] = self._part(document, name, list)
        if not all(isinstance(part, dict) for part in parts):
            raise self._broken(f"{name} holds something else than JSON objects")
        return parts

    def _part(self, document: Json, name: str, kind: type) -> Any:
        part = document.get(name) if isinstance(document, dict) else None
        if not isinstance(part, kind):
            raise self._broken(f"a manifest or an index has no {name}")
        return part

    def _broken(self, what: str) -> ImageError:
        return ImageError(f"{self.path}: {what}", SAVE_AGAIN)


def _platform(entry: Json) -> tuple[str, str] | None:
    """Return the system and the architecture, or nothing where a writer left them out."""
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return None
    return str(platform.get("os")), str(platform.get("architecture"))
