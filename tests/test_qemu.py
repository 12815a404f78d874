"""The emulator: only one that can be relied on is taken, and of packages only Debian's own."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from processors.emulator import check_models, find_emulator, is_static
from processors.errors import PortabilityError

from tests.conftest import PROJECT


def emulator(folder: Path, text: str, name: str = "qemu-x86_64") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_an_emulator_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PortabilityError, match=r"no qemu-x86_64 or .* is on PATH") as raised:
        find_emulator()
    assert "apt install" in raised.value.hint


@pytest.mark.parametrize(
    ("says", "message"),
    [
        pytest.param("qemu-x86_64 version 7.2.22 (Debian)", "is QEMU 7.2, and 10.0 is", id="old"),
        pytest.param("qemu-x86_64 version 10.0.2", "not statically linked", id="no ELF"),
        pytest.param("nonsense", "does not say its version", id="no version"),
    ],
)
def test_an_emulator_that_can_not_be_relied_on_is_refused(
    says: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator(tmp_path, says)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(PortabilityError, match=message):
        find_emulator()


def test_an_emulator_of_the_other_name_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator(tmp_path, "qemu-x86_64 version 6.1.0", name="qemu-x86_64-static")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PortabilityError, match=r"qemu-x86_64-static is QEMU 6\.1"):
        find_emulator()


def program(*kinds: int, bits: int = 2) -> bytes:
    """A program's head: 64 bytes, and 56 for each segment."""
    head = bytearray(64)
    head[:5] = b"\x7fELF" + bytes([bits])
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, len(kinds))
    return bytes(head) + b"".join(struct.pack("<I", kind).ljust(56, b"\0") for kind in kinds)


@pytest.mark.parametrize(
    ("content", "static"),
    [
        pytest.param(program(1, 2), True, id="no segment names a linker"),
        pytest.param(program(1, 3), False, id="one does"),
        pytest.param(program(1, bits=1), False, id="of 32 bits"),
        pytest.param(b"#!/bin/sh\n", False, id="a script"),
        pytest.param(b"", False, id="empty"),
    ],
)
def test_a_static_program_names_no_linker(content: bytes, static: bool, tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(content)

    assert is_static(path) is static


@pytest.mark.parametrize(
    "listed", ["Available CPUs:\n  EPYC    (alias)", "x86 EPYC    (alias configured)"]
)
def test_a_cpu_that_the_emulator_does_not_know_is_refused(listed: str, tmp_path: Path) -> None:
    path = emulator(tmp_path, listed)

    check_models(path, ["EPYC"])
    with pytest.raises(PortabilityError, match="knows no CPU EPYC-9"):
        check_models(path, ["EPYC", "EPYC-9"])


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
        pytest.skip("scripts/qemu unpacks Debian's package with dpkg-deb")
    programs = folder / "bin"
    programs.mkdir()
    emulator(programs, "qemu-x86_64 version 7.2.0")
    variables = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": ""}
    return subprocess.run(
        ["scripts/qemu"],
        cwd=PROJECT,
        env={
            **os.environ,
            **variables,
            **{name.upper(): value for name, value in variables.items()},
            "PATH": f"{programs}:{os.environ['PATH']}",
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
