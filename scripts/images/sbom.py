"""Write an image's bill of materials: CycloneDX 1.6, one component for each installed package.

What is listed is what the image says is installed; the locks add digests, where the installed
version is the locked one. The same image gives the same bytes: the serial number follows from the
image's id, and the time is the image's own.

Source: https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseAcknowledgement
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from images.contents import Debian, Distribution, Image, read_image, write_result
from images.lock import Lock, PythonPackage, read_lock

PROJECT = Path(__file__).resolve().parents[2]
NAME = "repro-env"
LONGEST_LICENCE_NAME = 80
HOME_PAGE_LABELS = (
    "homepage",
    "home",
    "home-page",
    "source",
    "source code",
    "repository",
    "github",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "Write an image's bill of materials, CycloneDX 1.6 as JSON."
    parser.add_argument("image", help="its name, as docker images shows it")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")


def main(args: argparse.Namespace) -> int:
    """Ask the image, write the bill."""
    image = read_image(args.image)
    write_result(render(image, lock_of(image)), args.output)
    return 0


def lock_of(image: Image) -> Lock | None:
    """Return the lock that the image was built from, if this checkout still has it."""
    path = PROJECT / "stacks" / f"{image.facts.get('stack')}.lock"
    lock = read_lock(path) if path.exists() else None
    if lock is None or f"sha256:{lock.sha256}" != image.facts.get("lock"):
        sys.stderr.write("note: no digests, since this checkout has not the image's lock\n")
        return None
    return lock


def render(image: Image, lock: Lock | None) -> str:
    """Return the bill as JSON: equal for equal arguments."""
    return str(JsonV1Dot6(bill(image, lock)).output_as_string(indent=2)) + "\n"


def bill(image: Image, lock: Lock | None) -> Bom:
    """Return the bill of what an image holds."""
    root = _root(image)
    debian = {package.name: _debian(package, image, lock) for package in image.debian}
    python = {key(package.name): _python(package, lock) for package in image.python}
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, image.id),
        metadata=BomMetaData(
            component=root,
            timestamp=image.created,
            lifecycles=[PredefinedLifecycle(phase=LifecyclePhase.POST_BUILD)],
            tools=ToolRepository(
                components=[Component(type=ComponentType.APPLICATION, name=f"{NAME} images sbom")]
            ),
        ),
        components=[*debian.values(), *python.values()],
    )
    bom.register_dependency(root, [*debian.values(), *python.values()])
    for name, needs in debian_graph(image.debian).items():
        bom.register_dependency(debian[name], [debian[need] for need in needs])
    for name, needs in python_graph(image.python, image.markers).items():
        bom.register_dependency(python[name], [python[need] for need in needs])
    return bom


def key(name: str) -> str:
    """Return the one spelling of a distribution's name (PEP 503)."""
    return str(canonicalize_name(name))


def debian_graph(packages: Iterable[Debian]) -> dict[str, list[str]]:
    """Return, for each package, the installed ones that meet one of its dependencies."""
    packages = list(packages)
    meets: dict[str, set[str]] = {}
    for package in packages:
        for name in {package.name, *_names(package.provides)}:
            meets.setdefault(name, set()).add(package.name)
    return {
        package.name: sorted(
            {met for name in _names(package.depends) for met in meets.get(name, ())}
            - {package.name}
        )
        for package in packages
    }


def _names(relation: str) -> list[str]:
    """Read `a (>= 1), b:any | c` as a, b, c."""
    return [re.split(r"[\s:(]", part.strip())[0] for part in re.split(r"[,|]", relation) if part]


def python_graph(packages: Iterable[Distribution], markers: dict[str, str]) -> dict[str, list[str]]:
    """Return, for each distribution, the installed ones that it and its used extras require."""
    requires = {
        key(package.name): [Requirement(line) for line in package.requires] for package in packages
    }
    extras: dict[str, set[str]] = {name: {""} for name in requires}
    while True:  # an extra may ask for another package's extra
        before = sum(map(len, extras.values()))
        active = {name: _active(requires[name], extras[name], markers) for name in requires}
        for requirement in (one for listed in active.values() for one in listed):
            extras.get(key(requirement.name), set()).update(requirement.extras)
        if sum(map(len, extras.values())) == before:
            break
    return {
        name: sorted({key(one.name) for one in listed} & (requires.keys() - {name}))
        for name, listed in active.items()
    }


def _active(
    requirements: list[Requirement], extras: set[str], markers: dict[str, str]
) -> list[Requirement]:
    return [
        one
        for one in requirements
        if one.marker is None
        or any(one.marker.evaluate({**markers, "extra": extra}) for extra in extras)
    ]


def _root(image: Image) -> Component:
    versions = [package.version for package in image.python if key(package.name) == NAME]
    facts, source = image.facts, image.facts.get("source", {})
    properties = {
        "image:id": image.id,
        "image:architecture": image.architecture,
        "os": image.os_release.get("PRETTY_NAME", ""),
        "stack": facts.get("stack", ""),
        "source:commit": source.get("commit", ""),
        "source:changed": str(source.get("changed", "")).lower(),
        "base": facts.get("base", {}).get("reference", ""),
        "lock": facts.get("lock", ""),
        "snapshot": facts.get("snapshot", ""),
        "os-packages": facts.get("os_packages", {}).get("state", ""),
        **{f"label:{name}": value for name, value in image.labels.items()},
    }
    return Component(
        type=ComponentType.CONTAINER,
        name=NAME,
        version=versions[0] if versions else None,
        bom_ref=image.id,
        properties=[_property(name, value) for name, value in properties.items() if value],
    )


def _debian(package: Debian, image: Image, lock: Lock | None) -> Component:
    distro = f"{image.os_release.get('ID', 'debian')}-{image.release}"
    purl = PackageURL(
        "deb",
        "debian",
        package.name,
        package.version,
        {"arch": package.architecture, "distro": distro},
    )
    locked = [
        one.sha256
        for one in (lock.debian if lock else ())
        if one[1:4] == (package.name, package.version, package.architecture)
    ]
    return Component(
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=[_sha256(one) for one in locked],
        properties=[_property("debian:source", package.source)],
    )


def _python(package: Distribution, lock: Lock | None) -> Component:
    # What pip was given as a file comes from no index: its name there may be somebody else's.
    purl = PackageURL(
        "pypi" if package.from_index else "generic", None, key(package.name), package.version
    )
    files = _locked_files(package, lock)
    home = home_page(package.urls)
    return Component(
        name=package.name,
        version=package.version,
        description=package.summary or None,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=licences(package),
        hashes=[_sha256(files[0])] if len(files) == 1 else [],
        # A hash is one file's. Of several, the lock does not say which one pip took.
        properties=[_property("one-of:sha256", file) for file in files if len(files) > 1],
        external_references=[
            ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(url)) for url in home
        ],
    )


def _locked_files(package: Distribution, lock: Lock | None) -> tuple[str, ...]:
    wanted = (key(package.name), package.version)
    found: Iterable[PythonPackage] = lock.python if lock and package.from_index else ()
    return next((one.sha256s for one in found if (key(one.name), one.version) == wanted), ())


def licences(package: Distribution) -> list[License]:
    """Return what a distribution declares: its SPDX expression, or else the names that it uses."""
    factory = LicenseFactory()
    declared = LicenseAcknowledgement.DECLARED
    text = package.licence_expression or package.licence.strip()
    if not text.isprintable() or len(text) > LONGEST_LICENCE_NAME:
        text = ""  # some put the whole licence into the field
    if text:
        licence = factory.make_from_string(text, license_acknowledgement=declared)
        if not (isinstance(licence, DisjunctiveLicense) and licence.name):
            return [licence]
    named = {
        line.split(" :: ")[-1] for line in package.classifiers if line.startswith("License ::")
    }
    names = sorted(named) or [text]
    return [factory.make_with_name(name, acknowledgement=declared) for name in names if name]


def home_page(urls: Iterable[str]) -> list[str]:
    """Return the first of `URL` or `Label, URL` that says where a project lives, or nothing."""
    for entry in urls:
        label, _, url = entry.rpartition(", ")
        if label.lower() in ("", *HOME_PAGE_LABELS) and re.fullmatch(r"https?://[!-~]+", url):
            return [url]
    return []


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _property(name: str, value: str) -> Property:
    return Property(name=f"{NAME}:{name}", value=value)
