"""What a run stands on: image, packages, machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from repro_env.errors import RecordError, SettingError
from repro_env.records.definition import Image, Packages, Unavailable
from repro_env.runs import surroundings

FACTS: dict[str, Any] = {
    "schema": 1,
    "stack": "tf",
    "source": {"url": "", "commit": "unknown", "changed": False},
    "base": {"reference": "debian:x@sha256:1", "digest": "sha256:1", "pinned": True},
    "lock": "sha256:2",
    "requirements": "sha256:3",
    "snapshot": "20261101T000000Z",
    "builder": "docker 26",
    "os_packages": {
        "state": "drifted",
        "drifted": [{"name": "git", "locked": "1", "installed": "2"}],
    },
}
DIGEST = "sha256:" + "4" * 64


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    file = tmp_path / "image.json"
    file.write_text(json.dumps(FACTS))
    return file


def test_the_image_is_what_was_baked_and_what_the_launcher_says(facts: Path) -> None:
    found = surroundings.image({"REPRO_IMAGE_DIGEST": DIGEST}, facts)

    assert isinstance(found, Image)
    assert (found.digest, found.stack, found.lock, found.drifted) == (
        DIGEST,
        "tf",
        "sha256:2",
        ["git 1 2"],
    )


@pytest.mark.parametrize("environ", [{}, {"REPRO_IMAGE_DIGEST": ""}])
def test_without_the_launcher_s_word_the_digest_is_unavailable(
    facts: Path, environ: dict[str, str]
) -> None:
    found = surroundings.image(environ, facts)

    assert isinstance(found, Image)
    assert isinstance(found.digest, Unavailable)


@pytest.mark.parametrize(
    "digest", ["latest", "sha256:", "sha256:" + "g" * 64, "4" * 64, DIGEST.upper()]
)
def test_what_is_no_digest_is_refused(facts: Path, digest: str) -> None:
    with pytest.raises(SettingError, match="REPRO_IMAGE_DIGEST"):
        surroundings.image({"REPRO_IMAGE_DIGEST": digest}, facts)


def test_outside_of_an_image_there_is_none(tmp_path: Path) -> None:
    assert surroundings.image({}, tmp_path / "none") == Unavailable("not in one of our images")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_damaged_facts_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "image.json").write_text(text)

    with pytest.raises(RecordError, match="can't be read"):
        surroundings.image({}, tmp_path / "image.json")


def test_packages_are_named_by_their_metadata(tmp_path: Path) -> None:
    for name in (
        "NumPy-1.2.dist-info",
        "my_package-0.1.dev1+local.dist-info",
        "old-2.0-py3.9.egg-info",
        "numpy",
        "x.py",
    ):
        (tmp_path / name).mkdir()

    found = surroundings.packages([str(tmp_path), "/nowhere"])

    versions = {"my-package": "0.1.dev1+local", "numpy": "1.2", "old": "2.0"}
    text = "my-package==0.1.dev1+local\nnumpy==1.2\nold==2.0\n"
    assert found == Packages(hashlib.sha256(text.encode()).hexdigest(), 3, versions)


def test_the_first_folder_wins_as_in_an_import(tmp_path: Path) -> None:
    for folder, version in (("a", "1"), ("b", "2")):
        (tmp_path / folder / f"x-{version}.dist-info").mkdir(parents=True)

    found = surroundings.packages([str(tmp_path / "a"), str(tmp_path / "b")])

    assert isinstance(found, Packages)
    assert found.versions == {"x": "1"}


def test_no_packages_are_unavailable() -> None:
    assert isinstance(surroundings.packages([]), Unavailable)
