"""Write and check the list of checksums of a folder, as sha256sum does: not every system has that.

Usage: sums.py write|check FOLDER
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

NAME = "SHA256SUMS"
CHUNK_BYTES = 1 << 20


def sha256(path: Path) -> str:
    """Return a file's digest, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def write(folder: Path) -> int:
    """List every file below the folder; the list appears when it is whole."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256(path)}  ./{path.relative_to(folder)}\n" for path in files]
    (folder / NAME).write_text("".join(lines))
    return 0


def check(folder: Path) -> int:
    """Name on stderr each file that is missing or another; status 1 if there is one."""
    listed = (line.split("  ", 1) for line in (folder / NAME).read_text().splitlines())
    wrong = [
        name
        for digest, name in listed
        if not (folder / name).is_file() or sha256(folder / name) != digest
    ]
    for name in wrong:
        sys.stderr.write(f"{name}: FAILED\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit({"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2])))
