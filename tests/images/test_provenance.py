"""The statement says what the locks say, in the words of in-toto and SLSA."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from images import provenance
from images.errors import ImageError
from images.lock import Lock, read_lock
from images.provenance import ANY_OF, Build, render, require_same, statement

from tests.images.samples import BASE, ONE, STACK_LOCK, THREE, TWO, image, write_locks

COMMIT = "c0" * 20
PINNED = {"reference": BASE, "digest": "sha256:" + "ba" * 32, "pinned": True}
BUILD = Build(name="repro-env", digest="d1" * 32, commit=COMMIT, base=PINNED)


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return read_lock(write_locks(tmp_path))


def dependencies(lock: Lock, build: Build = BUILD) -> list[dict[str, Any]]:
    return list(statement(lock, build)["predicate"]["buildDefinition"]["resolvedDependencies"])


def made_of(locked: Lock, **changes: Any) -> dict[str, Any]:
    """Return what an image says that was built from a lock."""
    return {
        "lock": f"sha256:{locked.sha256}",
        "source": {"commit": COMMIT, "changed": False},
        "base": PINNED,
        "os_packages": {"state": "locked"},
        **changes,
    }


def test_it_is_an_in_toto_statement_about_the_image(lock: Lock) -> None:
    made = statement(lock, BUILD)

    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    assert made["subject"] == [{"name": "repro-env", "digest": {"sha256": "d1" * 32}}]
    assert set(made["predicate"]) == {"buildDefinition", "runDetails"}


def test_the_parameters_are_the_stack_the_commit_and_the_snapshot(lock: Lock) -> None:
    definition = statement(lock, BUILD)["predicate"]["buildDefinition"]

    assert definition["externalParameters"] == {"stack": "torch", "commit": COMMIT}
    assert definition["internalParameters"] == {"snapshot": "20261121T000000Z"}


def test_everything_of_the_lock_is_a_dependency(lock: Lock) -> None:
    source, stack_lock, python_lock, base, *packages = dependencies(lock)

    assert source == {"name": "source", "digest": {"gitCommit": COMMIT}}
    assert stack_lock == {"name": "stacks/torch.lock", "digest": {"sha256": lock.sha256}}
    assert python_lock == {"name": "requirements.txt", "digest": {"sha256": lock.python_sha256}}
    assert base == {
        "name": "base",
        "uri": "pkg:docker/debian@bookworm-slim",
        "digest": {"sha256": "ba" * 32},
    }
    assert packages[:3] == [
        {
            "uri": "pkg:deb/debian/adduser@3.134?arch=all&distro=debian-12",
            "digest": {"sha256": ONE},
        },
        {
            "uri": "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
            "digest": {"sha256": TWO},
        },
        {
            "uri": "pkg:deb/debian/graphviz@2.42?arch=amd64&distro=debian-12",
            "digest": {"sha256": THREE},
        },
    ]
    assert len(packages) == len(lock.debian) + len(lock.python)


def test_a_python_package_with_one_file_has_its_digest(lock: Lock) -> None:
    assert dependencies(lock)[-1] == {
        "uri": "pkg:pypi/single-file@1.0",
        "digest": {"sha256": THREE},
    }


def test_of_several_files_none_is_said_to_be_the_one(lock: Lock) -> None:
    assert dependencies(lock)[-2] == {
        "uri": "pkg:pypi/requests@2.32.5",
        "annotations": {ANY_OF: [ONE, TWO]},
    }


def test_every_dependency_has_a_uri_or_a_digest(lock: Lock) -> None:
    assert [one for one in dependencies(lock) if not {"uri", "digest"} & set(one)] == []


def test_a_source_url_is_where_the_commit_is_found(lock: Lock) -> None:
    build = BUILD._replace(source_url="https://example.org/project")

    assert dependencies(lock, build)[0]["uri"] == f"git+https://example.org/project@{COMMIT}"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("debian:bookworm-slim", "pkg:docker/debian@bookworm-slim"),
        ("debian", "pkg:docker/debian"),
        ("example.org/team/base:1", "pkg:docker/example.org/team/base@1"),
    ],
)
def test_a_base_is_named_by_its_repository_and_tag(
    lock: Lock, reference: str, expected: str
) -> None:
    base = {**PINNED, "reference": f"{reference}@sha256:{ONE}"}

    assert dependencies(lock, BUILD._replace(base=base))[3]["uri"] == expected


def test_the_builder_is_unidentified_until_somebody_is_named(lock: Lock) -> None:
    builder = statement(lock, BUILD)["predicate"]["runDetails"]["builder"]
    named = statement(lock, BUILD._replace(builder_id="https://example.org/ci"))

    assert builder == {
        "id": "urn:repro-env:builder:unidentified",
        "version": {"docker": "26.1.5"},
    }
    assert named["predicate"]["runDetails"]["builder"]["id"] == "https://example.org/ci"


def test_when_it_was_built_is_left_out_since_it_is_not_known(lock: Lock) -> None:
    assert "metadata" not in statement(lock, BUILD)["predicate"]["runDetails"]


def test_the_same_build_gives_the_same_bytes(lock: Lock) -> None:
    assert render(lock, BUILD) == render(lock, BUILD)
    assert json.loads(render(lock, BUILD)) == statement(lock, BUILD)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        pytest.param("3.134", "3.135", id="version"),
        pytest.param(THREE, ONE, id="digest"),
        pytest.param("20261121T000000Z", "20261122T000000Z", id="snapshot"),
        pytest.param("26.1.5", "27.0.0", id="builder"),
    ],
)
def test_another_lock_gives_other_bytes(lock: Lock, tmp_path: Path, was: str, now: str) -> None:
    other = read_lock(write_locks(tmp_path / "other", STACK_LOCK.replace(was, now)))

    assert render(other, BUILD) != render(lock, BUILD)


def test_an_image_of_these_locks_is_accepted(lock: Lock) -> None:
    require_same(image(facts=made_of(lock)), lock)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"lock": "sha256:" + ONE}, f"lock: sha256:{ONE}", id="lock"),
        pytest.param(
            {"source": {"commit": COMMIT, "changed": True}}, "changed since", id="changed"
        ),
        pytest.param(
            {"source": {"commit": "unknown", "changed": False}}, "commit: unknown", id="commit"
        ),
        pytest.param({"os_packages": {"state": "drifted"}}, "drifted, not locked", id="drifted"),
    ],
)
def test_an_image_of_something_else_is_refused(
    lock: Lock, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ImageError) as caught:
        require_same(image(facts=made_of(lock, **changes)), lock)

    assert named in str(caught.value)


def test_an_image_that_says_nothing_is_refused_for_every_reason(lock: Lock) -> None:
    with pytest.raises(ImageError) as caught:
        require_same(image(facts={}), lock)

    assert str(caught.value).count("None") == 4


def test_a_base_that_is_not_the_pinned_one_is_told_as_it_is(lock: Lock) -> None:
    made = {"reference": "repro-env-base:bookworm", "digest": f"sha256:{ONE}", "pinned": False}

    told = [
        one for one in dependencies(lock, BUILD._replace(base=made)) if one.get("name") == "base"
    ]

    reference = {"reproEnv_reference": "repro-env-base:bookworm"}
    assert told == [{"name": "base", "digest": {"sha256": ONE}, "annotations": reference}]


def test_the_help_says_that_it_is_not_signed() -> None:
    parser = argparse.ArgumentParser()
    provenance.add_arguments(parser)

    assert "NOT SIGNED" in parser.format_help()
    assert "not signed" in str(provenance.__doc__)
