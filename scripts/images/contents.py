"""What is installed in an image, asked of the image itself.

A container without a network runs a small script on the image's own Python, which reads dpkg's
and pip's records. Nothing is taken from the locks: they say what should be there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, cast

from images.engine import inspect
from images.errors import ImageError

# Runs in the image, on its Debian's Python, which may be 3.9, with the standard library alone.
SCRIPT = r"""
import glob, json, os, platform, subprocess, sys
from importlib.metadata import distributions

fields = ("db:Status-Status Package Version Architecture source:Package"
          " source:Version Pre-Depends Depends Provides").split()
form = "\\t".join("${%s}" % field for field in fields) + "\\n"
listed = subprocess.run(["dpkg-query", "-W", "-f", form], stdout=subprocess.PIPE, check=True)
rows = (line.split("\t") for line in listed.stdout.decode().splitlines())
debian = [
    {"name": name, "version": version, "architecture": architecture,
     "source": source, "source_version": source_version,
     "depends": ", ".join(filter(None, (before, depends))), "provides": provides}
    for status, name, version, architecture, source, source_version, before, depends, provides
    in rows if status == "installed"
]

def described(distribution):
    metadata = distribution.metadata
    return {
        "name": metadata["Name"],
        "version": metadata["Version"],
        "summary": metadata["Summary"] or "",
        "licence_expression": metadata["License-Expression"] or "",
        "licence": metadata["License"] or "",
        "classifiers": metadata.get_all("Classifier") or [],
        "urls": [metadata["Home-page"] or ""] + (metadata.get_all("Project-URL") or []),
        "requires": distribution.requires or [],
        "from_index": distribution.read_text("direct_url.json") is None,
    }

def text(path):
    return open(path, encoding="utf-8").read() if os.path.exists(path) else ""

json.dump({
    "debian": debian,
    "python": [described(d) for d in
               distributions(path=glob.glob("/opt/venv/lib/python3*/site-packages"))],
    "markers": {
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": "",
        "platform_system": platform.system(),
        "platform_version": "",
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    },
    "os_release": text("/etc/os-release"),
    "image": json.loads(text("/etc/repro/image.json") or "{}"),
}, sys.stdout)
"""


class Debian(NamedTuple):
    """A Debian package that dpkg calls installed."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    depends: str
    provides: str


class Distribution(NamedTuple):
    """A Python distribution of the image's environment, in its metadata's own words."""

    name: str
    version: str
    summary: str
    licence_expression: str
    licence: str
    classifiers: list[str]
    urls: list[str]
    requires: list[str]
    from_index: bool  # False: pip was given a file, as our own wheel is


class Image(NamedTuple):
    """An image: who it is, and what it holds."""

    reference: str
    id: str  # sha256:DIGEST of its configuration
    created: datetime
    architecture: str
    labels: dict[str, str]
    os_release: dict[str, str]
    facts: dict[str, Any]  # /etc/repro/image.json, or empty
    debian: list[Debian]
    python: list[Distribution]
    markers: dict[str, str]  # what PEP 508 markers are evaluated with

    @property
    def release(self) -> str:
        """Debian's number: 11, 12."""
        return self.os_release.get("VERSION_ID", "")


def read_image(reference: str) -> Image:
    """Ask an image that this machine's engine has.

    Raises:
        ImageError: there is no such image here, or it has no Python that answers.
    """
    inspected = inspect(reference)
    answered = _answer(inspected["Id"])
    return Image(
        reference=reference,
        id=inspected["Id"],
        created=_moment(inspected.get("Created", "")),
        architecture=inspected["Architecture"],
        labels=inspected["Config"].get("Labels") or {},
        os_release=_os_release(answered["os_release"]),
        facts=answered["image"],
        debian=sorted(Debian(**package) for package in answered["debian"]),
        python=sorted(Distribution(**package) for package in answered["python"]),
        markers=answered["markers"],
    )


def write_result(text: str, output: Path | None) -> None:
    """Write what a command found to a file, or to standard output."""
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


def _answer(image_id: str) -> dict[str, Any]:
    """Run the script in a container that can reach nothing, and return what it printed."""
    run = ["docker", "run", "--rm", "--interactive", "--pull", "never", "--network", "none"]
    # -I -S: neither the start-up hook nor anything else that is installed has a say.
    python = ["--user", "0", "--entrypoint", "/usr/bin/python3", image_id, "-I", "-S", "-"]
    done = subprocess.run(
        [*run, *python], input=SCRIPT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [
            line for line in done.stderr.splitlines() if line and "docker run --help" not in line
        ]
        said = (lines or ["it did not say why"])[-1]
        raise ImageError(
            f"the image {image_id} can't be asked what is installed: {said}",
            hint="name an image of this project, which has Debian's Python",
        )
    return cast("dict[str, Any]", json.loads(done.stdout))


def _moment(created: str) -> datetime:
    """Read Docker's time to the second: Python 3.9 reads no nanoseconds."""
    moment = datetime.strptime(created[:19] or "1970-01-01T00:00:00", "%Y-%m-%dT%H:%M:%S")
    return moment.replace(tzinfo=timezone.utc)


def _os_release(text: str) -> dict[str, str]:
    return dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.M))
