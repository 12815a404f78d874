"""What scripts/lock found, put together: the locks, what changed in them, what drifted out there."""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

LOCKS = {"tf": "requirements.txt", "torch": "requirements/torch.txt"}
TOOLS = "requirements/dev.txt"
HEADER = """\
# All that goes into the {stack} stack, with its digests. Written by scripts/lock;
# scripts/lock --check says what drifted since.
#
# os and yours: Debian's packages, and those of docker/packages.txt:
# name, version, architecture, digest of the .deb
"""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DEBIAN = re.compile(r"(os|yours) (\S+) (\S+) (\S+) (\S+)")


class Package(NamedTuple):
    """A Debian package as a lock has it."""

    section: str  # os or yours
    name: str
    version: str
    architecture: str
    digest: str

    @property
    def line(self) -> str:
        return " ".join(self)


def fail(what: str, advice: str) -> None:
    """Leave with one line of error and one of advice."""
    sys.stderr.write(f"error: {what}\n  what to do: {advice}\n")
    sys.exit(2)


def debian(text: str) -> dict[str, Package]:
    """Read the packages of a lock, or of what apt-lock printed."""
    packages = {}
    for line in text.splitlines():
        match = DEBIAN.fullmatch(line)
        if match:
            package = Package(*match.groups())
            packages[package.name] = package
            if not DIGEST.fullmatch(package.digest):
                fail(
                    f"no digest is known of {package.name} {package.version}",
                    "the base is older than the mirror: make it anew (scripts/base) or choose a newer one",
                )
    return packages


def header(text: str) -> dict[str, str]:
    """Read the lines of a lock that are no packages: base, snapshot, builder, python."""
    return dict(re.findall(r"^(base|snapshot|builder|python|mirror) (.+)$", text, re.M))


def pythons(text: str) -> dict[str, str]:
    """Read names and versions of a pip-compile lock."""
    return dict(re.findall(r"^([\w.-]+)==([^\s\\]+)", text, re.M))


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


class StackLock:
    """One stack's lock: as it is, and as it follows from what was found."""

    def __init__(self, stack: str, found: Path, options: argparse.Namespace) -> None:
        self.stack = stack
        self.path = Path("stacks", f"{stack}.lock")
        self.old = read(self.path)
        self.options = options
        self.everything = options.mode == "upgrade" and not options.package
        self.newest_base = read(found / f"{stack}.base").strip()
        self.pinned = re.findall(rf"^FROM (\S+) AS base-{stack}$", read(Path("Dockerfile")), re.M)[0]
        self.offered = read(found / f"{stack}.debian")
        self.python = (found / LOCKS[stack]).read_text()

    @property
    def base(self) -> str:
        return self.newest_base if self.everything and self.newest_base else self.pinned

    @property
    def builder(self) -> str:
        here: str = self.options.builder
        return here if self.everything else header(self.old).get("builder", here)

    def packages(self) -> dict[str, Package]:
        """Keep the locked ones unless they are to move: a mirror without the date may be ahead."""
        offered, locked = debian(self.offered), debian(self.old)
        dated = header(self.offered)["mirror"].rstrip("/").endswith("/" + self.options.snapshot)
        if self.everything or dated:
            return offered
        return {
            name: package
            if name == self.options.package or name not in locked
            else locked[name]._replace(section=package.section)
            for name, package in offered.items()
        }

    def text(self) -> str:
        digest = hashlib.sha256(self.python.encode()).hexdigest()
        lines = [
            f"base {self.base}",
            f"snapshot {self.options.snapshot}",
            f"builder {self.builder}",
            f"python {LOCKS[self.stack]} sha256:{digest}",
            *sorted(package.line for package in self.packages().values()),
        ]
        return HEADER.format(stack=self.stack) + "".join(line + "\n" for line in lines)

    def drift(self) -> list[str]:
        """Name what is newer out there than the lock."""
        lines = []
        if self.newest_base and self.newest_base != self.base:
            lines.append(f"{self.stack}: base: locked {self.base}, the registry has {self.newest_base}")
        if self.builder != self.options.builder:
            lines.append(f"{self.stack}: builder: locked {self.builder}, here is {self.options.builder}")
        offered = debian(self.offered)
        lines += [
            f"{self.stack}: os packages: {name}: locked {package.version}, the mirror has {offered[name].version}"
            for name, package in sorted(self.packages().items())
            if package.version != offered[name].version
        ]
        return lines


def differences(name: str, was: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return a line for each entry that two locks do not share."""
    lines = []
    for key in sorted({*was, *now}):
        if key not in was:
            lines.append(f"{name}: {key} added, {now[key]}")
        elif key not in now:
            lines.append(f"{name}: {key} removed, was {was[key]}")
        elif was[key] != now[key]:
            lines.append(f"{name}: {key} {was[key]} -> {now[key]}")
    return lines


def stack_facts(text: str) -> dict[str, str]:
    """All that one line of a stack's lock says, by name."""
    packages = {name: package.version for name, package in debian(text).items()}
    return {**header(text), **packages}


def changes(name: str, was: str, now: str) -> list[str]:
    """Name what differs between two texts of a lock."""
    facts = stack_facts if name.endswith(".lock") else pythons
    lines = differences(name, facts(was), facts(now))
    return lines or ([f"{name}: other digests or comments"] if was != now else [])


def main() -> int:
    """Print what changes and what drifted; write the locks unless only asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("found", type=Path, help="the folder that holds what the containers printed")
    parser.add_argument("--mode", choices=["lock", "check", "upgrade"])
    parser.add_argument("--package", default="")
    parser.add_argument("--snapshot")
    parser.add_argument("--builder")
    options = parser.parse_args()
    stacks = [StackLock(stack, options.found, options) for stack in LOCKS]
    new = {str(stack.path): stack.text() for stack in stacks}
    new.update({name: (options.found / name).read_text() for name in [*LOCKS.values(), TOOLS]})
    dockerfile = read(Path("Dockerfile"))
    new["Dockerfile"] = dockerfile
    for stack in stacks:
        new["Dockerfile"] = new["Dockerfile"].replace(stack.pinned, stack.base)

    changed = {name: text for name, text in new.items() if text != read(Path(name))}
    for name, text in changed.items():
        if name != "Dockerfile":
            print(*changes(name, read(Path(name)), text), sep="\n")
    drifted = [line for stack in stacks for line in stack.drift()]
    print(*[f"drifted: {line}" for line in drifted], sep="\n", end="\n" if drifted else "")
    if options.mode == "check":
        if changed:
            fail_softly = "error: the locks do not follow from what is asked for\n  what to do: run scripts/lock\n"
            sys.stderr.write(fail_softly)
        return bool(changed)
    for name, text in changed.items():
        Path(name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
