"""Saved images, made here byte by byte: what `docker save` and BuildKit write, or nearly that."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


class File:
    """One entry of a layer; a path that ends in a slash is a folder."""

    def __init__(self, path: str, content: bytes = b"", **properties: Any) -> None:
        self.content = content
        self.info = tarfile.TarInfo(path.rstrip("/"))
        self.info.size = len(content)
        self.info.type = tarfile.DIRTYPE if path.endswith("/") else tarfile.REGTYPE
        for name, value in properties.items():
            setattr(self.info, name, value)


def symlink(path: str, target: str) -> File:
    return File(path, type=tarfile.SYMTYPE, linkname=target)


def hard_link(path: str, target: str) -> File:
    return File(path, type=tarfile.LNKTYPE, linkname=target)


def layer(*files: File) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            tar.addfile(file.info, io.BytesIO(file.content))
    return written.getvalue()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Layout:
    """An OCI image layout: add blobs, name them, write it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def add(self, content: bytes, **more: Any) -> Json:
        """Add a blob; return its descriptor."""
        self.files[f"blobs/sha256/{digest(content)[7:]}"] = content
        return {"digest": digest(content), "size": len(content), **more}

    def add_document(self, document: object, **more: Any) -> Json:
        return self.add(json.dumps(document).encode(), **more)

    def add_image(self, layers: Sequence[bytes], config: Json, **more: Any) -> Json:
        manifest = {
            "schemaVersion": 2,
            "config": self.add_document(config),
            "layers": [self.add(content, mediaType=LAYER) for content in layers],
        }
        return self.add_document(manifest, **more)

    def name(self, *manifests: Json) -> None:
        self.files["index.json"] = json.dumps({"manifests": manifests}).encode()

    def write(self, path: Path) -> Path:
        with tarfile.open(path, "w") as tar:
            for name, content in self.files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return path


def platform(system: str, architecture: str) -> Json:
    return {"platform": {"os": system, "architecture": architecture}}


def configuration(layers: Sequence[bytes], settings: Mapping[str, Any] | None = None) -> Json:
    steps: list[Json] = [{"created_by": f"COPY part{i} /"} for i in range(1, len(layers) + 1)]
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": dict(settings or {}),
        "history": [{"created_by": "ENV A=B", "empty_layer": True}, *steps],
        "rootfs": {"type": "layers", "diff_ids": [digest(content) for content in layers]},
    }


def save(path: Path, *layers: bytes, settings: Mapping[str, Any] | None = None) -> Path:
    """Write an image the way `docker save` does: one manifest, without a platform."""
    layout = Layout()
    layout.name(layout.add_image(layers, configuration(layers, settings)))
    return layout.write(path)
