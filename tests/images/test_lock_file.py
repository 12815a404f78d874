"""A stack's lock is read whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from images.errors import ImageError
from images.lock import Builder, DebianPackage, PythonPackage, read_lock

from tests.conftest import PROJECT
from tests.images.samples import BASE, ONE, REQUIREMENTS, STACK_LOCK, THREE, TWO, write_locks


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_lock(path)
    return str(caught.value)


def test_everything_that_is_locked_is_read(tmp_path: Path) -> None:
    lock = read_lock(write_locks(tmp_path))

    assert (lock.stack, lock.base, lock.snapshot) == ("torch", BASE, "20261121T000000Z")
    assert lock.builder == Builder("docker", "26.1.5")
    assert lock.python_file == "requirements.txt"
    assert lock.debian == (
        DebianPackage("os", "adduser", "3.134", "all", ONE),
        DebianPackage("os", "libc6", "2.36-9+deb12u10", "amd64", TWO),
        DebianPackage("yours", "graphviz", "2.42", "amd64", THREE),
    )
    assert lock.python == (
        PythonPackage("requests", "2.32.5", (ONE, TWO)),
        PythonPackage("single-file", "1.0", (THREE,)),
    )


@pytest.mark.parametrize("path", sorted((PROJECT / "stacks").glob("*.lock")), ids=lambda p: p.stem)
def test_the_locks_of_this_project_can_be_read(path: Path) -> None:
    lock = read_lock(path)

    assert len(lock.debian) > 50
    assert len(lock.python) > 50


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        pytest.param(ONE, ONE[1:], "torch.lock:7: expected os NAME", id="63-digits"),
        pytest.param(ONE, ONE + "0", "torch.lock:7: expected os NAME", id="65-digits"),
        pytest.param(ONE, ONE.upper(), "torch.lock:7: expected os NAME", id="upper-case"),
        pytest.param("sha256:" + ONE, ONE, "torch.lock:7: expected os NAME", id="no-algorithm"),
        pytest.param(" all ", " ", "torch.lock:7: expected os NAME", id="no-architecture"),
        pytest.param("ba" * 32, "ba", "torch.lock:2: expected base REF", id="base"),
        pytest.param("20261121T000000Z", "today", "torch.lock:3: expected snapshot", id="snapshot"),
        pytest.param("docker 26.1.5", "docker", "torch.lock:4: expected builder", id="builder"),
        pytest.param("os libc6", "apt libc6", "torch.lock:8: expected a line", id="unknown"),
        pytest.param(f"base {BASE}\n", "", "torch.lock: expected one line: base", id="no-base"),
        pytest.param(
            "builder docker 26.1.5\n",
            "builder docker 26.1.5\nbuilder docker 27.0\n",
            "torch.lock: expected one line: builder",
            id="two-builders",
        ),
    ],
)
def test_a_malformed_line_is_named_with_what_was_expected(
    tmp_path: Path, was: str, now: str, expected: str
) -> None:
    assert expected in refusal(write_locks(tmp_path, STACK_LOCK.replace(was, now)))


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        pytest.param(THREE, THREE[1:], "requirements.txt:7: expected", id="63-digits"),
        pytest.param(
            "single-file==1.0", "single-file", "requirements.txt:6: expected", id="no-pin"
        ),
        pytest.param(
            f" \\\n    --hash=sha256:{THREE}", "", "without one: single-file", id="no-hash"
        ),
    ],
)
def test_a_malformed_python_lock_is_refused(
    tmp_path: Path, was: str, now: str, expected: str
) -> None:
    requirements = REQUIREMENTS.replace(was, now)

    assert expected in refusal(write_locks(tmp_path, requirements=requirements))


def test_a_python_lock_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    path = write_locks(tmp_path)
    with (tmp_path / "requirements.txt").open("a") as lock:
        lock.write("# a comment\n")

    assert "is not the Python lock that the stack's lock was made with" in refusal(path)


def test_a_lock_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "jax.lock can't be read: No such file" in refusal(tmp_path / "stacks" / "jax.lock")
