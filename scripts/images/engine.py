"""Images of the local Docker engine: what it says of them, and the files it hands out.

`docker export` of a container that never started gives the files as the container
would see them. Two exports take about as long as one `docker save` of both images
(measured at 2.4 GB), and unlike it need no disk of the images' size for the engine.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO, Any, cast

from images.entries import Readable
from images.errors import ImageError

REPORT_EVERY_S = 5.0
# The engine lays these over every container, whatever the image holds there.
# Source: https://github.com/moby/moby/blob/v26.1.5/daemon/initlayer/setup_unix.go
LAID_OVER = frozenset(
    [
        ".dockerenv",
        "dev/console",
        "dev/pts",
        "dev/shm",
        "etc/hostname",
        "etc/hosts",
        "etc/mtab",
        "etc/resolv.conf",
        "proc",
        "sys",
    ]
)


class Counted:
    """A stream that says on stderr, every few seconds, how much of it was read."""

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream = stream
        self._name = name
        self._size_bytes = 0
        self._next_report = time.monotonic() + REPORT_EVERY_S

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        content = self._stream.read(size)
        self._size_bytes += len(content)
        if time.monotonic() >= self._next_report:
            self._next_report = time.monotonic() + REPORT_EVERY_S
            sys.stderr.write(f"==> {self._name}: {self._size_bytes / 1e9:.1f} GB read\n")
        return content


def inspect(name: str) -> dict[str, Any]:
    """Return what the engine knows of an image.

    Raises:
        ImageError: it has no such image, or there is no engine.
    """
    told = _docker("image", "inspect", "--", name)
    if told.returncode == 0:
        return cast("dict[str, Any]", json.loads(told.stdout)[0])
    if "no such image" in told.stderr.lower() or "invalid reference" in told.stderr.lower():
        raise ImageError(
            f"no image and no file {name}", "name one of those that `docker image ls` lists"
        )
    raise ImageError(
        f"the Docker engine does not answer: {_last_line(told.stderr)}",
        "start it, or name archives: docker save -o FILE IMAGE",
    )


@contextlib.contextmanager
def exported(image_id: str) -> Iterator[IO[bytes]]:
    """Give all files of an image as a tar stream; leave neither container nor process behind."""
    with _container(image_id) as container:
        process = subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None  # it is a pipe
            yield process.stdout
            if process.wait() != 0:
                raise ImageError(f"docker export of {image_id} failed", "see the line above")
        finally:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def _container(image_id: str) -> Iterator[str]:
    # Named beforehand: one whose id never reached us can be removed too.
    name = f"repro-env-diff-{secrets.token_hex(8)}"
    try:
        # An image may have no command of its own; this one is never run.
        made = _docker("create", "--pull", "never", "--name", name, image_id, "never-run")
        if made.returncode != 0:
            raise ImageError(
                f"no container of {image_id}: {_last_line(made.stderr)}",
                "see what `docker create` says",
            )
        yield name
    finally:
        _docker("rm", "--force", "--volumes", name)


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a short command, out of reach of the terminal's Ctrl-C, so that it ends what it began."""
    try:
        return subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ImageError(
            "there is no docker command here", "install Docker: ./scripts/up --install-engine"
        ) from error


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it says nothing"])[-1]
