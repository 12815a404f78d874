"""The bill of materials lists what is installed, in a form that others can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from images.contents import Image
from images.lock import read_lock
from images.sbom import debian_graph, home_page, licences, lock_of, python_graph, render

from tests.conftest import PROJECT
from tests.images.samples import (
    IMAGE_ID,
    MARKERS,
    ONE,
    THREE,
    TWO,
    debian,
    distribution,
    image,
    write_locks,
)


def components(of: Image, folder: Path) -> dict[str, dict[str, Any]]:
    """Return a bill's components by name, made with the locks of a folder."""
    bill = json.loads(render(of, read_lock(write_locks(folder))))
    return {component["name"]: component for component in bill["components"]}


def dependencies(of: Image) -> dict[str, list[str]]:
    bill = json.loads(render(of, None))
    return {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}


def test_the_bill_is_valid_by_the_strict_schema(tmp_path: Path) -> None:
    lock = read_lock(write_locks(tmp_path))

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(render(image(), lock)) is None


def test_a_bill_with_a_field_that_the_schema_has_not_is_invalid() -> None:
    bill = {**json.loads(render(image(), None)), "nonsense": 1}

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is not None


def test_each_installed_package_is_one_component_and_nothing_else_is(tmp_path: Path) -> None:
    found = components(image(), tmp_path)

    assert {name: component["purl"] for name, component in found.items()} == {
        "adduser": "pkg:deb/debian/adduser@3.134?arch=all&distro=debian-12",
        "graphviz": "pkg:deb/debian/graphviz@2.42?arch=amd64&distro=debian-12",
        "libc6": "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
        "repro-env": "pkg:generic/repro-env@0.1.0",
        "requests": "pkg:pypi/requests@2.32.5",
        "single_file": "pkg:pypi/single-file@1.0",
    }


def test_the_image_itself_is_what_the_bill_is_of() -> None:
    facts = {"stack": "torch", "lock": "sha256:" + ONE, "source": {"commit": "f" * 40}}

    of = json.loads(render(image(facts=facts), None))["metadata"]["component"]

    properties = {one["name"]: one["value"] for one in of["properties"]}
    assert (of["type"], of["name"], of["version"]) == ("container", "repro-env", "0.1.0")
    assert properties["repro-env:image:id"] == IMAGE_ID
    assert properties["repro-env:stack"] == "torch"
    assert properties["repro-env:lock"] == "sha256:" + ONE
    assert properties["repro-env:source:commit"] == "f" * 40
    assert properties["repro-env:label:org.opencontainers.image.title"] == "repro-env"


def test_the_same_image_gives_the_same_bytes_in_every_process() -> None:
    code = "from tests.images.samples import image; from images.sbom import render\n"
    code += "import sys; sys.stdout.write(render(image(), None))"

    bills = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "PYTHONPATH": f"{PROJECT}:{PROJECT}/scripts",
                "PYTHONHASHSEED": seed,
            },
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert bills == {render(image(), None).encode()}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"id": "sha256:" + "2e" * 32}, id="id"),
        pytest.param({"python": [distribution("requests", "2.32.6")]}, id="python"),
        pytest.param({"debian": [debian("libc6", "2.36-10")]}, id="debian"),
        pytest.param({"facts": {"stack": "tf"}}, id="facts"),
    ],
)
def test_another_image_gives_other_bytes(changes: dict[str, Any]) -> None:
    assert render(image(**changes), None) != render(image(), None)


def test_another_image_has_another_serial_number() -> None:
    bills = [render(image(id="sha256:" + digit * 64), None) for digit in "12"]

    assert len({json.loads(bill)["serialNumber"] for bill in bills}) == 2


def test_a_package_has_its_locked_digest(tmp_path: Path) -> None:
    found = components(image(), tmp_path)

    assert found["libc6"]["hashes"] == [{"alg": "SHA-256", "content": TWO}]
    assert found["graphviz"]["hashes"] == [{"alg": "SHA-256", "content": THREE}]
    assert found["single_file"]["hashes"] == [{"alg": "SHA-256", "content": THREE}]


def test_of_several_locked_files_none_is_said_to_be_the_one(tmp_path: Path) -> None:
    found = components(image(), tmp_path)["requests"]

    allowed = [one["value"] for one in found["properties"]]
    assert "hashes" not in found
    assert allowed == [ONE, TWO]


def test_a_package_that_is_not_the_locked_one_has_no_digest(tmp_path: Path) -> None:
    drifted = image(
        debian=[debian("libc6", "2.36-9+deb12u11")], python=[distribution("single-file", "1.1")]
    )

    found = components(drifted, tmp_path)

    assert "hashes" not in found["libc6"]
    assert "hashes" not in found["single-file"]


def test_a_lock_that_the_image_was_not_made_of_gives_no_digests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lock_of(image(facts={"stack": "tf", "lock": "sha256:" + ONE})) is None
    assert "no digests" in capsys.readouterr().err


def test_what_is_of_no_index_does_not_bear_an_index_s_name(tmp_path: Path) -> None:
    ours = distribution("requests", "2.32.5", from_index=False)

    found = components(image(python=[ours]), tmp_path)["requests"]

    assert found["purl"] == "pkg:generic/requests@2.32.5"
    assert "properties" not in found


def test_the_image_depends_on_all_that_is_in_it() -> None:
    assert len(dependencies(image())[IMAGE_ID]) == 6


def test_python_dependencies_are_those_that_hold_in_the_image() -> None:
    requires = ["requests>=2", "colorama; sys_platform == 'win32'", "Zope.Interface", "absent"]
    packages = [
        distribution("app", "1", requires=requires),
        distribution("requests", "2"),
        distribution("colorama", "1"),
        distribution("zope-interface", "1"),
    ]

    assert python_graph(packages, MARKERS)["app"] == ["requests", "zope-interface"]


def test_an_extra_counts_where_somebody_asks_for_it_and_only_there() -> None:
    extra = ["PySocks; extra == 'socks'"]
    packages = [
        distribution("requests", "2", requires=extra),
        distribution("pysocks", "1"),
        distribution("app", "1", requires=["requests[socks]; extra == 'net'"]),
    ]
    caller = distribution("caller", "1", requires=["app[net]"])

    assert python_graph(packages, MARKERS)["requests"] == []
    assert python_graph([*packages, caller], MARKERS)["requests"] == ["pysocks"]


def test_debian_dependencies_follow_alternatives_and_what_is_provided() -> None:
    packages = [
        debian("git", "1", depends="perl:any, mta | exim4, libc6 (>= 2.28), absent"),
        debian("perl", "5"),
        debian("postfix", "3", provides="mta (= 1), other"),
        debian("libc6", "2"),
    ]

    graph = debian_graph(packages)

    assert graph["git"] == ["libc6", "perl", "postfix"]
    assert graph["perl"] == []


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param({"licence_expression": "MIT OR Apache-2.0"}, "MIT OR Apache-2.0", id="spdx"),
        pytest.param({"licence": "MIT"}, "MIT", id="id"),
        pytest.param({"licence": "Own terms"}, "Own terms", id="name"),
        pytest.param(
            {"licence": "see file", "classifiers": ["License :: OSI Approved :: ISC License"]},
            "ISC License",
            id="classifier",
        ),
        pytest.param(
            {"licence": "Copyright\n" * 9, "classifiers": ["License :: Public Domain"]},
            "Public Domain",
            id="whole-text",
        ),
    ],
)
def test_a_licence_is_what_the_package_declares(declared: dict[str, Any], expected: str) -> None:
    (licence,) = licences(distribution("some", "1", **declared))

    assert expected in (
        getattr(licence, "value", ""),
        getattr(licence, "id", ""),
        getattr(licence, "name", ""),
    )


def test_no_declared_licence_is_no_licence() -> None:
    assert licences(distribution("some", "1", classifiers=["Topic :: Internet"])) == []


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        pytest.param(["https://example.org"], ["https://example.org"], id="home-page"),
        pytest.param(
            ["", "Changes, https://example.org/c", "Homepage, https://example.org"],
            ["https://example.org"],
            id="labelled",
        ),
        pytest.param(["UNKNOWN", "Homepage, not a link"], [], id="no-link"),
    ],
)
def test_a_home_page_is_a_link_or_nothing(urls: list[str], expected: list[str]) -> None:
    assert home_page(urls) == expected
