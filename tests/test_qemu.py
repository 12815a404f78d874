"""`scripts/qemu`: what is not Debian's package as it was is refused, and nothing of it kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.conftest import PROJECT
from tests.image.conftest import cannot_run

OLD = "#!/bin/sh\necho qemu-x86_64 version 7.2.0\n"


class Proxy(BaseHTTPRequestHandler):
    """Answers each address with content of its own."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"!<arch>\nnot what was asked for")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def proxy() -> Iterator[str]:
    """A proxy that tampers with everything."""
    Proxy.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fetched(folder: Path, proxy: str) -> subprocess.CompletedProcess[str]:
    """Call `scripts/qemu` where the first emulator on PATH is too old."""
    if shutil.which("dpkg-deb") is None:
        cannot_run("scripts/qemu unpacks Debian's package with dpkg-deb")
    old = folder / "bin" / "qemu-x86_64"
    old.parent.mkdir()
    old.write_text(OLD)
    old.chmod(0o755)
    variables = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": ""}
    return subprocess.run(
        ["scripts/qemu"],
        cwd=PROJECT,
        env={
            **os.environ,
            **variables,
            **{name.upper(): value for name, value in variables.items()},
            "PATH": f"{old.parent}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "TMPDIR": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_other_content_is_refused(tmp_path: Path, proxy: str) -> None:
    done = fetched(tmp_path, proxy)

    assert (done.returncode, done.stdout) == (2, "")
    assert Proxy.asked
    assert done.stderr.count(": other content") == len(Proxy.asked)
    assert "error: no mirror has Debian's qemu-user" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    done = fetched(tmp_path, "http://127.0.0.1:9")  # discard: nothing listens there

    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "refused" in done.stderr
    assert "what to do: see whether there is a network" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
