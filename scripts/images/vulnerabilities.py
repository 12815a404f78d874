"""Report the known vulnerabilities of what is installed in an image.

The advisories are those of OSV (`osv`), which gathers PyPI's and Debian's. A source that did not
answer, or answered something else, is named as not checked: then the report never says that
nothing is known.

Exit status: 0 everything was checked and nothing is known; 1 something is known; 2 something could
not be checked, whatever the rest says.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from images.contents import Image, read_image, write_result
from images.osv import OSV, NotAnsweredError, Osv, Package
from images.sbom import key

LONG_KNOWN = {"PyPI": ("jinja2", "2.4.1"), "Debian": ("openssl", "0.9.8a-1")}
TENSORFLOW_2_9 = """\
TensorFlow 2.9 gets no fixes any more: what is known of it stays, and what is found later is not \
listed everywhere. Keep the services on loopback (the default), never expose Jupyter or SSH to a \
network, and feed it no models, checkpoints or data that you do not trust. Where you need fixes, \
use the torch stack.
"""


class Finding(NamedTuple):
    """One known vulnerability of one package."""

    package: Package
    id: str  # the CVE where it has one, else the advisory's own
    advisories: tuple[str, ...]
    fixed_in: tuple[str, ...]
    summary: str


class Source(NamedTuple):
    """What one source was asked, and what it said."""

    name: str
    asked: int
    problem: str  # why it could not be checked; empty: it was
    findings: tuple[Finding, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Report the known vulnerabilities of what is installed in an image, by OSV's advisories. "
        "Status 0: all was checked, none is known. 1: some are known. 2: not all could be checked."
    )
    parser.add_argument("image", help="its name, as docker images shows it")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--osv-url", default=OSV, metavar="URL", help=f"default: {OSV}")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")


def main(args: argparse.Namespace) -> int:
    """Ask the image what it holds, and OSV what is known of it."""
    image = read_image(args.image)
    sources = check(image, Osv(args.osv_url))
    render = as_json if args.json else as_text
    write_result(render(image, sources), args.output)
    return status(sources)


def status(sources: Iterable[Source]) -> int:
    """Return the exit status that says the same as the report."""
    sources = list(sources)
    if any(source.problem for source in sources):
        return 2
    return int(any(source.findings for source in sources))


def check(image: Image, osv: Osv) -> list[Source]:
    """Ask about every package, one source for each kind."""
    # Our own wheel is of no index: what is known there by its name is somebody else's.
    python = {
        Package("PyPI", key(package.name), package.version)
        for package in image.python
        if package.from_index
    }
    release = f"Debian:{image.release}"
    debian = {Package(release, package.source, package.source_version) for package in image.debian}
    return [
        ask("Python packages", python, Package("PyPI", *LONG_KNOWN["PyPI"]), osv),
        ask(f"{release} source packages", debian, Package(release, *LONG_KNOWN["Debian"]), osv),
    ]


def ask(name: str, packages: Iterable[Package], long_known: Package, osv: Osv) -> Source:
    """Return what a source knows of some packages, or why that is not known.

    Args:
        name: of the source, for the report.
        packages: of one ecosystem.
        long_known: a version with known vulnerabilities, asked about as well: silence about it
            means that the source does not know the ecosystem, not that all is well.
        osv: who is asked.
    """
    packages = sorted(packages)
    if not packages:
        return Source(name, 0, "the image named none", ())
    try:
        *ids, known = osv.advisories_of([*packages, long_known])
    except NotAnsweredError as error:
        return Source(name, len(packages), str(error), ())
    if not known:
        return Source(name, len(packages), f"{osv.url} does not know {long_known.ecosystem}", ())
    wanted = sorted({one for listed in ids for one in listed})
    advisories, problem = osv.advisories(wanted)
    findings = [
        finding
        for package, listed in zip(packages, ids)
        for finding in merged(package, [advisories.get(one, {"id": one}) for one in listed])
    ]
    return Source(name, len(packages), problem, tuple(findings))


def merged(package: Package, advisories: Iterable[dict[str, Any]]) -> list[Finding]:
    """Return one finding for each vulnerability, however many advisories describe it."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for advisory in advisories:
        if "withdrawn" not in advisory:
            groups.setdefault(_name_of(advisory), []).append(advisory)
    return [
        Finding(
            package=package,
            id=name,
            advisories=tuple(sorted(one["id"] for one in group)),
            fixed_in=tuple(sorted({fix for one in group for fix in _fixes(one, package)})),
            summary=next((one["summary"] for one in group if one.get("summary")), ""),
        )
        for name, group in sorted(groups.items())
    ]


def _name_of(advisory: dict[str, Any]) -> str:
    known = [advisory["id"], *advisory.get("aliases", []), *advisory.get("upstream", [])]
    cves = sorted({one for one in known if one.startswith("CVE-")})
    return cves[0] if len(cves) == 1 else str(advisory["id"])


def _fixes(advisory: dict[str, Any], package: Package) -> list[str]:
    return [
        event["fixed"]
        for affected in advisory.get("affected", [])
        if _is_about(affected.get("package", {}), package)
        for versions in affected.get("ranges", [])
        if versions.get("type") == "ECOSYSTEM"
        for event in versions.get("events", [])
        if "fixed" in event
    ]


def _is_about(affected: dict[str, str], package: Package) -> bool:
    return (affected.get("ecosystem"), affected.get("name")) == (package.ecosystem, package.name)


def notes(image: Image) -> list[str]:
    """Return what no advisory says."""
    versions = [one.version for one in image.python if key(one.name) == "tensorflow"]
    return [TENSORFLOW_2_9] if any(one.startswith("2.9.") for one in versions) else []


def as_text(image: Image, sources: Iterable[Source]) -> str:
    """Return the report for a reader."""
    lines = [f"Known vulnerabilities of {image.reference} ({image.id})", ""]
    for source in sources:
        lines += [*_section(source), ""]
    return "\n".join([*lines, *notes(image)])


def _section(source: Source) -> list[str]:
    head = f"{source.name}, {source.asked}: "
    known = f"{len(source.findings)} known" if source.findings else "none known"
    if source.problem:
        known = f"not checked: {source.problem}" + (f"; {known}" if source.findings else "")
    return [head + known, *[_line(finding) for finding in source.findings]]


def _line(finding: Finding) -> str:
    fix = "fixed in " + ", ".join(finding.fixed_in) if finding.fixed_in else "no fix named"
    package = f"{finding.package.name} {finding.package.version}"
    return f"  {package}: {finding.id}, {fix}" + (f": {finding.summary}" * bool(finding.summary))


def as_json(image: Image, sources: Iterable[Source]) -> str:
    """Return the report for a program."""
    report = {
        "image": image.reference,
        "id": image.id,
        "sources": [
            {
                "name": source.name,
                "asked": source.asked,
                "checked": not source.problem,
                "problem": source.problem,
                "findings": [
                    {**finding._asdict(), "package": finding.package._asdict()}
                    for finding in source.findings
                ],
            }
            for source in sources
        ],
        "notes": [note.strip() for note in notes(image)],
    }
    return json.dumps(report, indent=2) + "\n"
