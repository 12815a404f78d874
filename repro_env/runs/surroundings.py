"""What a run stands on: the machine, the container's image, the installed packages."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from repro_env import paths, probe, settings
from repro_env.errors import RecordError
from repro_env.records.definition import Image, Packages, Unavailable
from repro_env.records.observation import Gpu, Host

IMAGE = Path("/etc/repro/image.json")
CPU = Path("/proc/cpuinfo")
_PACKAGE = re.compile(r"(.+?)-([^-]+)(-py[\d.]+)?\.(?:dist|egg)-info")


def host() -> Host:
    """Return the facts of this machine that decide bits."""
    machine = probe.machine()
    model, features = _cpu()
    return Host(
        architecture=platform.machine(),
        cpu_model=model,
        cpu_features=features,
        cpus=machine.cpus,
        cpuset=sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        gpus=_gpus(machine.gpus),
        kernel=platform.release(),
        libc=_libc(),
        shared_memory_bytes=machine.shared_memory or Unavailable("there is no /dev/shm"),
    )


def image(environ: Mapping[str, str], file: Path = IMAGE) -> Image | Unavailable:
    """Return the facts of the image that this process runs in.

    Args:
        environ: The environment, where the launcher has left the image's digest.
        file: What the build wrote into the image.

    Raises:
        RecordError: The file is no such facts.
        SettingError: `REPRO_IMAGE_DIGEST` is no digest.
    """
    digest = settings.read_image_digest(environ)
    try:
        return _image(json.loads(file.read_bytes()), digest)
    except FileNotFoundError:
        return Unavailable("not in one of our images")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RecordError(f"{file} can't be read: {error}", hint="build the image again") from None


def packages(folders: Iterable[str]) -> Packages | Unavailable:
    """Return the installed Python packages, by the names of their folders of metadata.

    Args:
        folders: Where an interpreter looks for packages, the first the better place.
    """
    versions: dict[str, str] = {}
    for folder in folders:
        try:
            names = os.listdir(folder)  # noqa: PTH208  # pathlib takes three times as long
        except OSError:
            continue
        for found in filter(None, map(_PACKAGE.fullmatch, names)):
            name = paths.printable(re.sub(r"[-_.]+", "-", found[1]).lower())
            versions.setdefault(name, paths.printable(found[2]))
    if not versions:
        return Unavailable("the main process has no packages, or was not seen")
    ordered = dict(sorted(versions.items()))
    lines = "".join(f"{name}=={version}\n" for name, version in ordered.items())
    return Packages(hashlib.sha256(lines.encode()).hexdigest(), len(ordered), ordered)


def _image(facts: Mapping[str, Any], digest: str) -> Image:
    return Image(
        digest=digest or Unavailable("REPRO_IMAGE_DIGEST is not set: scripts/up passes it in"),
        stack=facts["stack"],
        base=facts["base"]["reference"],
        base_digest=facts["base"]["digest"],
        lock=facts["lock"],
        requirements=facts["requirements"],
        source_commit=facts["source"]["commit"],
        source_changed=facts["source"]["changed"],
        drifted=[" ".join(one.values()) for one in facts["os_packages"]["drifted"]],
    )


def _cpu() -> tuple[str | Unavailable, list[str] | Unavailable]:
    """Return the first CPU's model and instruction sets; all are alike wherever Linux runs."""
    try:
        text = CPU.read_text(errors="replace").partition("\n\n")[0]
    except OSError as error:
        missing = Unavailable(f"{CPU}: {error.strerror}")
        return platform.processor() or missing, missing
    facts = {name.strip(): value.strip() for name, _, value in _pairs(text)}
    flags = facts.get("flags") or facts.get("Features")
    return (
        facts.get("model name") or Unavailable(f"{CPU} does not name it"),
        sorted(flags.split()) if flags else Unavailable(f"{CPU} does not name them"),
    )


def _pairs(text: str) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in text.splitlines()]


def _gpus(gpus: tuple[probe.Gpu, ...] | None) -> list[Gpu] | Unavailable:
    if gpus is None:
        return Unavailable("there is a GPU, and nvidia-smi doesn't say which")
    return [Gpu(one.name, ".".join(map(str, one.capability)), one.driver) for one in gpus]


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except ValueError:  # not GNU's
        return " ".join(platform.libc_ver()).strip() or "unknown"
