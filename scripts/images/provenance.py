"""Say how an image came to be: an in-toto Statement v1 with SLSA's provenance v1 as its predicate.

The statement is **not signed**. It proves nothing by itself: it says in a standard form what the
locks of a commit ask for, so that somebody else can build the same and compare digests. Who wants
to vouch for it signs the file.

What its words mean, since SLSA leaves that to the build type:

- `externalParameters`: `stack`, and the `commit` that was built. Nothing else has a say.
- `internalParameters`: `snapshot`, the date at which Debian's archive was asked.
- `resolvedDependencies`: the commit; the base image; both locks; each Debian package; each Python
  package. A digest set is one file's. Where the Python lock allows several files of a package (a
  wheel for each platform, the sources), the entry has no digest, and the annotation
  `reproEnv_anyOfSha256` lists those of which pip took one.
- `runDetails`: the builder is whoever ran the build, unless `--builder-id` says who that was; its
  version is the lock's. When the build ran is not known, so it is left out.

The same arguments and locks give the same bytes.

Source: https://slsa.dev/spec/v1.0/provenance and
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from packageurl import PackageURL

from images.archive import Archive
from images.contents import Image, read_image, write_result
from images.errors import ImageError
from images.lock import DebianPackage, Lock, PythonPackage, read_lock

PROJECT = Path(__file__).resolve().parents[2]
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:repro-env:stack-image:v1"
UNIDENTIFIED_BUILDER = "urn:repro-env:builder:unidentified"
ANY_OF = "reproEnv_anyOfSha256"
DEBIAN_RELEASES = {"bullseye": "11", "bookworm": "12", "trixie": "13"}

Descriptor = dict[str, Any]


class Build(NamedTuple):
    """What one build is called, and who says so."""

    name: str
    digest: str  # of the image, bare hex
    commit: str
    base: dict[str, Any]  # as the image tells it: reference, digest, pinned
    source_url: str = ""
    builder_id: str = UNIDENTIFIED_BUILDER


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Say how an image came to be: an in-toto Statement with SLSA provenance v1, made from the "
        "locks. It is NOT SIGNED: it claims, and proves nothing by itself."
    )
    parser.add_argument("--stack", required=True, help="whose lock: tf or torch")
    parser.add_argument("--image", required=True, help="that was built; it says of what")
    parser.add_argument(
        "--archive", type=Path, required=True, help="what `docker save` wrote of it: its digest"
    )
    parser.add_argument("--name", default="repro-env", help="of the image; default: repro-env")
    parser.add_argument(
        "--builder-id",
        default=UNIDENTIFIED_BUILDER,
        metavar="URI",
        help="who built it, for whoever trusts them",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")


def main(args: argparse.Namespace) -> int:
    """Read the locks and what the image says of itself, write the statement."""
    lock = read_lock(PROJECT / "stacks" / f"{args.stack}.lock")
    image = read_image(args.image)
    require_same(image, lock)
    source = image.facts["source"]
    build = Build(
        name=args.name,
        digest=Archive(args.archive).manifest_digest.partition(":")[2],
        commit=source["commit"],
        base=image.facts["base"],
        source_url=source["url"],
        builder_id=args.builder_id,
    )
    write_result(render(lock, build), args.output)
    return 0


def render(lock: Lock, build: Build) -> str:
    """Return the statement as JSON: equal for equal arguments."""
    return json.dumps(statement(lock, build), indent=2) + "\n"


def statement(lock: Lock, build: Build) -> dict[str, Any]:
    """Return the statement that a build made an image from a lock."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": build.name, "digest": {"sha256": build.digest}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"stack": lock.stack, "commit": build.commit},
                "internalParameters": {"snapshot": lock.snapshot},
                "resolvedDependencies": dependencies(lock, build),
            },
            "runDetails": {
                "builder": {
                    "id": build.builder_id,
                    "version": {lock.builder.name: lock.builder.version},
                }
            },
        },
    }


def dependencies(lock: Lock, build: Build) -> list[Descriptor]:
    """Return all that went into an image, what decides the most first."""
    return [
        _source(build),
        _file(f"stacks/{lock.path.name}", lock.sha256),
        _file(lock.python_file, lock.python_sha256),
        _base(build.base),
        *[_debian(package, _distro(lock.base)) for package in lock.debian],
        *[_python(package) for package in lock.python],
    ]


def require_same(image: Image, lock: Lock) -> None:
    """Refuse an image that says that it was made of something else, or of what nobody can fetch.

    Raises:
        ImageError: naming everything that differs.
    """
    facts = image.facts
    source = facts.get("source", {})
    commit = source.get("commit")
    said = {
        "lock": (facts.get("lock"), f"sha256:{lock.sha256}"),
        "changed since the commit": (source.get("changed"), False),
        "Debian packages": (facts.get("os_packages", {}).get("state"), "locked"),
    }
    wrong = [f"{what}: {was}, not {now}" for what, (was, now) in said.items() if was != now]
    if not re.fullmatch("[0-9a-f]{40}", str(commit)):
        wrong.append(f"commit: {commit}")
    if wrong:
        raise ImageError(
            f"{image.reference} was not made of this lock and one commit: " + "; ".join(wrong),
            hint="build it from a clean checkout of the commit: scripts/image",
        )


def _source(build: Build) -> Descriptor:
    uri = {"uri": f"git+{build.source_url}@{build.commit}"} if build.source_url else {}
    return {"name": "source", **uri, "digest": {"gitCommit": build.commit}}


def _file(name: str, sha256: str) -> Descriptor:
    return {"name": name, "digest": {"sha256": sha256}}


def _base(base: dict[str, Any]) -> Descriptor:
    algorithm, _, sha256 = base["digest"].partition(":")
    described: Descriptor = {"name": "base", "digest": {algorithm: sha256}}
    if not base["pinned"]:  # made from a mirror: the digest is its one layer's
        return {**described, "annotations": {"reproEnv_reference": base["reference"]}}
    name = base["reference"].partition("@")[0]
    repository, _, tag = name.rpartition(":")
    namespace, _, image = (repository or name).rpartition("/")
    purl = PackageURL("docker", namespace or None, image, tag if repository else None)
    return {**described, "uri": purl.to_string()}


def _distro(base: str) -> str:
    """Return a base's release as package URLs have it: debian-12."""
    found = [number for name, number in DEBIAN_RELEASES.items() if name in base]
    return f"debian-{found[0]}" if found else "debian"


def _debian(package: DebianPackage, distro: str) -> Descriptor:
    qualifiers = {"arch": package.architecture, "distro": distro}
    purl = PackageURL("deb", "debian", package.name, package.version, qualifiers)
    return {"uri": purl.to_string(), "digest": {"sha256": package.sha256}}


def _python(package: PythonPackage) -> Descriptor:
    uri = PackageURL("pypi", None, package.name, package.version).to_string()
    if len(package.sha256s) == 1:
        return {"uri": uri, "digest": {"sha256": package.sha256s[0]}}
    return {"uri": uri, "annotations": {ANY_OF: list(package.sha256s)}}
