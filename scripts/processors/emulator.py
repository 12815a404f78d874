"""The emulator of other CPUs: where it is, and whether it can be relied on.

As a program it prints where the one on `PATH` is.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from processors.errors import PortabilityError

NAMES = ("qemu-x86_64", "qemu-x86_64-static")
# AVX2 came with 7.2, but up to 9.0 gathers may read the wrong register: tanh in NumPy is -inf.
# Source: https://gitlab.com/qemu-project/qemu/-/issues/2474
LEAST = (10, 0)
INSTALL = "put another one on PATH, such as that of scripts/qemu"
INTERPRETER = 3  # the segment that names a program's dynamic linker. Source: elf(5), PT_INTERP


def find_emulator() -> Path:
    """Return the emulator's path.

    Raises:
        PortabilityError: There is none, it is too old, or needs files that no image has.
    """
    found = [path for path in map(shutil.which, NAMES) if path]
    if not found:
        raise PortabilityError(
            f"no {' or '.join(NAMES)} is on PATH, so no other CPU can be asked",
            "install QEMU 10 or newer (apt install qemu-user in Debian 13), or see scripts/qemu",
        )
    path = Path(found[0]).resolve()
    version = _version(path)
    if version < LEAST:
        shown, least = (".".join(map(str, each)) for each in (version, LEAST))
        raise PortabilityError(f"{path} is QEMU {shown}, and {least} is needed", INSTALL)
    if not is_static(path):
        raise PortabilityError(
            f"{path} is not statically linked, so it can't run inside an image",
            INSTALL,
        )
    return path


def _version(path: Path) -> tuple[int, int]:
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.(\d+)", told)
    if not found:
        raise PortabilityError(f"{path} does not say its version", INSTALL)
    return int(found[1]), int(found[2])


def shown_version(path: Path) -> str:
    """Return the emulator's version as it is written."""
    return ".".join(map(str, _version(path)))


def check_models(emulator: Path, models: Sequence[str]) -> None:
    """See that the emulator knows these CPUs.

    Raises:
        PortabilityError: One it does not know.
    """
    told = subprocess.run([emulator, "-cpu", "help"], capture_output=True, text=True, check=False)
    known = {line.split()[1] for line in told.stdout.splitlines() if line.startswith("x86 ")}
    known |= set(re.findall(r"^  (\S+)", told.stdout, re.M))  # as those from 8 on list them
    for model in models:
        if model not in known:
            raise PortabilityError(
                f"{emulator} knows no CPU {model}", f"choose one that `{emulator} -cpu help` lists"
            )


def is_static(path: Path) -> bool:
    """Return whether a program is of 64 bits, and needs no dynamic linker."""
    program = path.read_bytes()
    if program[:5] != b"\x7fELF\x02":
        return False
    (at,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    kinds = (struct.unpack_from("<I", program, at + size * each)[0] for each in range(count))
    return INTERPRETER not in kinds


if __name__ == "__main__":
    try:
        print(find_emulator())
    except PortabilityError as error:
        sys.stderr.write(error.describe())
        sys.exit(2)
