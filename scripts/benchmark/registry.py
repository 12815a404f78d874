"""A registry that keeps nothing but sizes: what an image weighs once it is pushed.

`docker push` compresses each layer (gzip, level 6) as it sends it, several at once, and writes
none of it to disk. What comes is counted and thrown away; the manifest, which comes last, names
each layer with its size.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
PIECE_BYTES = 1 << 20
TLS_HANDSHAKE = b"\x16"
NO_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\n"


class Registry(ThreadingHTTPServer):
    """A registry on a free port of this machine; `manifests` holds what was pushed."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blob_bytes: dict[str, int] = {}
        self.manifests: list[Json] = []

    @property
    def host(self) -> str:
        """Where it listens, as an image's name begins."""
        return f"127.0.0.1:{self.server_port}"

    def layer_bytes(self) -> int:
        """Return the sum of the layers of all that was pushed, as they came."""
        return sum(layer["size"] for one in self.manifests for layer in one.get("layers", []))


@contextlib.contextmanager
def serving() -> Iterator[Registry]:
    """Give a registry that answers until the block ends."""
    with Registry() as registry:
        thread = threading.Thread(target=registry.serve_forever)
        thread.start()
        try:
            yield registry
        finally:
            registry.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Answer, unless the engine tries TLS first: then say at once that there is none."""
        if self.request.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
            self.request.sendall(NO_TLS)
            return
        super().handle()

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self) -> None:
        digest = self.path.rpartition("/")[2]
        size = self.server.blob_bytes.get(digest)
        if size is None:
            self._answer(404)
        else:
            self._answer(200, {"Content-Length": str(size), "Docker-Content-Digest": digest})

    def do_POST(self) -> None:
        upload = secrets.token_hex(8)
        self._answer(202, {"Location": f"{urlsplit(self.path).path}{upload}", "Range": "0-0"})

    def do_PATCH(self) -> None:
        size = sum(map(len, self._pieces()))
        self._answer(202, {"Location": f"{self.path}-{size}", "Range": f"0-{max(size - 1, 0)}"})

    def do_PUT(self) -> None:
        content = b"".join(self._pieces())
        url = urlsplit(self.path)
        if "/manifests/" in url.path:
            self.server.manifests.append(json.loads(content))
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        else:
            digest = parse_qs(url.query)["digest"][0]
            sent = re.findall(r"-(\d+)", url.path.rpartition("/")[2])
            self.server.blob_bytes[digest] = sum(map(int, sent)) + len(content)
        self._answer(201, {"Location": url.path, "Docker-Content-Digest": digest})

    def _pieces(self) -> Iterator[bytes]:
        """Read the request's body, whole or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield from self._read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0 and (piece := self.rfile.read(min(size, PIECE_BYTES))):
            size -= len(piece)
            yield piece

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent: the push tells what goes wrong."""
