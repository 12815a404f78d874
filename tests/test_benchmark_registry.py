"""The registry that weighs what is pushed and keeps nothing of it."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from benchmark.registry import Registry, serving


def ask(
    registry: Registry, method: str, path: str, body: bytes | Iterable[bytes] | None = None
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(registry.host, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def upload(registry: Registry, digest: str, pieces: list[bytes]) -> None:
    """Send a blob as `docker push` does: begin, stream in chunks, name the digest."""
    begun = ask(registry, "POST", "/v2/image/blobs/uploads/")
    sent = ask(registry, "PATCH", begun.headers["Location"], iter(pieces))
    ended = ask(registry, "PUT", f"{sent.headers['Location']}?digest={digest}")
    assert (begun.status, sent.status, ended.status) == (202, 202, 201)


def manifest(*sizes: int) -> bytes:
    layers = [{"size": size, "digest": f"sha256:{size}"} for size in sizes]
    return json.dumps({"config": {"size": 7}, "layers": layers}).encode()


def test_an_image_weighs_what_its_layers_weigh() -> None:
    with serving() as registry:
        pushed = ask(registry, "PUT", "/v2/image/manifests/tag", manifest(10, 20))

    assert pushed.status == 201
    assert urlsplit(pushed.headers["Location"]).path == "/v2/image/manifests/tag"
    assert registry.layer_bytes() == 30


def test_without_a_push_there_is_no_weight() -> None:
    with serving() as registry:
        assert ask(registry, "GET", "/v2/").status == 200

    assert registry.layer_bytes() == 0


def test_a_blob_is_asked_for_under_its_digest_once_it_came() -> None:
    with serving() as registry:
        before = ask(registry, "HEAD", "/v2/image/blobs/sha256:a")
        upload(registry, "sha256:a", [b"x" * 1000, b"y" * 234])
        after = ask(registry, "HEAD", "/v2/image/blobs/sha256:a")
        other = ask(registry, "HEAD", "/v2/image/blobs/sha256:b")

    assert (before.status, after.status, other.status) == (404, 200, 404)
    assert after.headers["Content-Length"] == "1234"


def test_a_manifest_is_answered_with_its_digest() -> None:
    with serving() as registry:
        answer = ask(registry, "PUT", "/v2/image/manifests/tag", b"{}")

    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert answer.headers["Docker-Content-Digest"] == f"sha256:{digest}"


def test_an_engine_that_tries_tls_first_is_told_at_once_that_there_is_none() -> None:
    with (
        serving() as registry,
        socket.create_connection(("127.0.0.1", registry.server_port), 10) as tls,
    ):
        tls.sendall(b"\x16\x03\x01")  # a handshake that waits for its answer
        answer = tls.recv(100)

    assert answer.startswith(b"HTTP/1.0 400 ")
