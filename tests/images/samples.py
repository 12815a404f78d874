"""A small stack's locks, and an image that holds what they say."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from images.contents import Debian, Distribution, Image

IMAGE_ID = "sha256:" + "1d" * 32
ONE, TWO, THREE = "a1" * 32, "b2" * 32, "c3" * 32
BASE = "debian:bookworm-slim@sha256:" + "ba" * 32
REQUIREMENTS = f"""\
# made by pip-compile
requests==2.32.5 \\
    --hash=sha256:{ONE} \\
    --hash=sha256:{TWO}
    # via -r requirements.in
single-file==1.0 \\
    --hash=sha256:{THREE}
"""
STACK_LOCK = f"""\
# all that goes into the stack
base {BASE}
snapshot 20261121T000000Z
builder docker 26.1.5
asked requirements.in sha256:{TWO}
python requirements.txt sha256:{{python}}
os adduser 3.134 all sha256:{ONE}
os libc6 2.36-9+deb12u10 amd64 sha256:{TWO}
yours graphviz 2.42 amd64 sha256:{THREE}
"""
MARKERS = {
    "python_version": "3.11",
    "python_full_version": "3.11.2",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "implementation_version": "3.11.2",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_version": "",
}


def write_locks(
    folder: Path, stack_lock: str = STACK_LOCK, requirements: str = REQUIREMENTS
) -> Path:
    """Lay out `stacks/torch.lock` and `requirements.txt`; return the former."""
    (folder / "stacks").mkdir(parents=True)
    (folder / "requirements.txt").write_text(requirements)
    digest = hashlib.sha256(requirements.encode()).hexdigest()
    lock = folder / "stacks" / "torch.lock"
    lock.write_text(stack_lock.replace("{python}", digest))
    return lock


def debian(name: str, version: str, **more: str) -> Debian:
    facts = {"architecture": "amd64", "source": name, "source_version": version}
    return Debian(
        **{"name": name, "version": version, "depends": "", "provides": "", **facts, **more}
    )


def distribution(name: str, version: str, **more: Any) -> Distribution:
    facts: dict[str, Any] = {
        "summary": "",
        "licence_expression": "",
        "licence": "",
        "classifiers": [],
        "urls": [],
        "requires": [],
        "from_index": True,
    }
    return Distribution(name=name, version=version, **{**facts, **more})


def image(**changes: Any) -> Image:
    """Return what an image says that was built from `write_locks`'s files."""
    made = Image(
        reference="repro-env:torch",
        id=IMAGE_ID,
        created=datetime(2026, 11, 21, tzinfo=timezone.utc),
        architecture="amd64",
        labels={"org.opencontainers.image.title": "repro-env"},
        os_release={"ID": "debian", "VERSION_ID": "12"},
        facts={"stack": "torch"},
        debian=[
            debian("adduser", "3.134", architecture="all", depends="passwd, debconf | libc6"),
            debian("graphviz", "2.42", depends="libc6 (>= 2.29)"),
            debian("libc6", "2.36-9+deb12u10", source="glibc"),
        ],
        python=[
            distribution("repro-env", "0.1.0", from_index=False),
            distribution("requests", "2.32.5", licence="Apache-2.0"),
            distribution("single_file", "1.0", requires=["requests>=2"]),
        ],
        markers=MARKERS,
    )
    return made._replace(**changes)
