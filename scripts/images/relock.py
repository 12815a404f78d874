"""Put the locks together from what scripts/lock found; say what changes and what drifted.

Versions that still fit stay: where only a mirror without the lock's date answers, a Debian package
that is locked already keeps its version, though the mirror has moved on.

Imports the standard library alone: scripts/lock needs nothing installed but Docker and Python.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

from images.errors import ImageError
from images.lock import FORMS, DebianPackage

LOCKS = {"tf": "requirements.txt", "torch": "requirements/torch.txt"}
ASKED = {"tf": "requirements.in", "torch": "requirements/torch.in"}
OTHERS = ("requirements/dev.txt", "requirements/strangers.txt")  # what goes into no image of ours
DOCKERFILE = Path("Dockerfile")
HEADER = """\
# All that goes into the {stack} stack, with its digests. Written by scripts/lock;
# scripts/lock --check says what drifted since.
#
# os and yours: Debian's packages, and those of docker/packages.txt:
# name, version, architecture, digest of the .deb
"""


def read(path: Path) -> str:
    """Return a file's text; a file that isn't there yet holds nothing."""
    return path.read_text() if path.exists() else ""


def digest(text: str) -> str:
    """Return a text's digest as locks write it."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def debian(text: str) -> dict[str, DebianPackage]:
    """Read the Debian packages of a lock, or of what docker/apt-lock printed, by name."""
    packages = {}
    for section, fields in re.findall(r"^(os|yours) (.+)$", text, re.M):
        match = FORMS[section].fullmatch(fields)
        if not match:
            raise ImageError(
                f"no digest is known of {fields}",
                hint="the base is older than the mirror: make it anew (scripts/base)",
            )
        packages[match[1]] = DebianPackage(section, *match.groups())
    return packages


def header(text: str) -> dict[str, str]:
    """Read the lines of a lock that are no packages, and apt-lock's mirror, by their first word."""
    return dict(re.findall(r"^(base|snapshot|builder|asked|python|mirror) (.+)$", text, re.M))


def pythons(text: str) -> dict[str, str]:
    """Read the versions of a pip-compile lock, by name."""
    return dict(re.findall(r"^([\w.-]+)==([^\s\\]+)", text, re.M))


class StackLock:
    """One stack's lock: as it is, and as it follows from what was found."""

    def __init__(self, stack: str, options: argparse.Namespace) -> None:
        self.stack = stack
        self.path = Path("stacks", f"{stack}.lock")
        self.old = read(self.path)
        self.everything = options.mode == "upgrade" and not options.package
        self.options = options
        self.newest_base = read(options.found / f"{stack}.base").strip()
        pinned = re.search(rf"^FROM (\S+) AS base-{stack}$", read(DOCKERFILE), re.M)
        if not pinned:
            raise ImageError(f"the Dockerfile names no base-{stack}", hint="take back the change")
        self.pinned = pinned[1]
        self.offered = read(options.found / f"{stack}.debian")
        self.python = read(options.found / LOCKS[stack])

    @property
    def base(self) -> str:
        """The base's reference: the Dockerfile's, unless everything moves."""
        return self.newest_base if self.everything and self.newest_base else self.pinned

    @property
    def builder(self) -> str:
        """The engine that the lock is made for."""
        here: str = self.options.builder
        return here if self.everything else header(self.old).get("builder", here)

    @property
    def is_dated(self) -> bool:
        """Whether the packages were offered by Debian's archive of the lock's own date."""
        mirror = header(self.offered)["mirror"].rstrip("/")
        return mirror.endswith("/" + self.options.snapshot)

    def packages(self) -> dict[str, DebianPackage]:
        """Return the Debian packages of the new lock, by name."""
        offered, locked = debian(self.offered), debian(self.old)
        if self.everything or self.is_dated:
            return offered
        kept = {
            name: locked[name]._replace(section=package.section)
            for name, package in offered.items()
            if name in locked
        }
        return {**offered, **kept}

    def text(self) -> str:
        """Return the new lock."""
        lines = [
            f"base {self.base}",
            f"snapshot {self.options.snapshot}",
            f"builder {self.builder}",
            f"asked {ASKED[self.stack]} {digest(read(Path(ASKED[self.stack])))}",
            f"python {LOCKS[self.stack]} {digest(self.python)}",
            *sorted(line_of(package) for package in self.packages().values()),
        ]
        return HEADER.format(stack=self.stack) + "".join(line + "\n" for line in lines)

    def drift(self) -> list[str]:
        """Name what is newer out there than the lock."""
        pairs = {}
        if self.newest_base:
            pairs["base"] = (self.base, self.newest_base)
        pairs["builder"] = (self.builder, self.options.builder)
        offered = debian(self.offered)
        for name, package in sorted(self.packages().items()):
            pairs[f"os package {name}"] = (package.version, offered[name].version)
        return [
            f"drifted: {self.stack}: {what}: locked {locked}, found {found}"
            for what, (locked, found) in pairs.items()
            if locked != found
        ]


def line_of(package: DebianPackage) -> str:
    """Write a package as a lock's line."""
    return " ".join([*package[:-1], f"sha256:{package.sha256}"])


def facts(name: str, text: str) -> dict[str, str]:
    """Return what a lock says, by name."""
    if not name.endswith(".lock"):
        return pythons(text)
    packages = {key: package.version for key, package in debian(text).items()}
    lines = header(text)
    for word in ("asked", "python"):  # told by the Python lock's own lines
        lines.pop(word, None)
    return {**lines, **packages}


def changes(name: str, old: str, new: str) -> list[str]:
    """Return a line for each thing on which two texts of a lock differ."""
    was, now = facts(name, old), facts(name, new)
    lines = [f"{name}: {key} {now[key]} added" for key in sorted(now.keys() - was.keys())]
    lines += [f"{name}: {key} {was[key]} removed" for key in sorted(was.keys() - now.keys())]
    both = sorted(was.keys() & now.keys())
    lines += [f"{name}: {key} {was[key]} -> {now[key]}" for key in both if was[key] != now[key]]
    return lines or [f"{name}: the same versions, other digests or comments"]


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("found", type=Path, help="the folder with what the containers printed")
    parser.add_argument("--mode", choices=["lock", "check", "upgrade"], required=True)
    parser.add_argument("--package", default="", help="the one that moves; else everything")
    parser.add_argument("--snapshot", required=True)
    parser.add_argument("--builder", required=True)
    return parser.parse_args()


def relock(options: argparse.Namespace) -> int:
    """Print what changes and what drifted, write the locks unless only asked, return the status."""
    stacks = [StackLock(stack, options) for stack in LOCKS]
    new = {str(stack.path): stack.text() for stack in stacks}
    new.update({name: read(options.found / name) for name in [*LOCKS.values(), *OTHERS]})
    changed = {name: text for name, text in new.items() if text != read(Path(name))}
    for name, text in changed.items():
        print(*changes(name, read(Path(name)), text), sep="\n")
    for line in (line for stack in stacks for line in stack.drift()):
        print(line)
    if options.mode == "check":
        if changed:
            sys.stderr.write(
                "error: the locks do not follow from what is asked for\n"
                "  what to do: run scripts/lock\n"
            )
        return bool(changed)
    for name, text in changed.items():
        Path(name).write_text(text)
    dockerfile = read(DOCKERFILE)
    for stack in stacks:
        dockerfile = dockerfile.replace(stack.pinned, stack.base)
    DOCKERFILE.write_text(dockerfile)
    return 0


def main() -> int:
    """Relock; say an error in two lines."""
    try:
        return relock(parsed())
    except ImageError as error:
        sys.stderr.write(error.describe())
        return 2


if __name__ == "__main__":
    sys.exit(main())
