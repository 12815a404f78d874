"""The lock follows from what is asked for, and `scripts/lock --check` notices where it does not."""

from __future__ import annotations

import re

from tests.image.conftest import MakeStack, Stack, any_stack

pytestmark = any_stack


def test_the_locks_follow_from_what_is_asked_for(stack: Stack) -> None:
    result = stack.run("./scripts/lock", "--check")

    told = [line for line in result.stdout.splitlines() if not line.startswith("drifted: ")]
    assert (result.returncode, told) == (0, []), result.stdout + result.stderr


def test_a_package_that_is_not_in_the_lock_is_noticed_and_nothing_written(
    make_stack: MakeStack,
) -> None:
    stack = make_stack()
    asked, lock = stack.folder / "requirements.in", stack.folder / "requirements.txt"
    asked.write_text(asked.read_text() + "toolz\n")
    before = lock.read_bytes()

    result = stack.run("./scripts/lock", "--check")

    assert result.returncode == 1
    assert re.search(r"^requirements\.txt: toolz \S+ added$", result.stdout, re.M)
    assert "run scripts/lock" in result.stderr
    assert lock.read_bytes() == before


def test_what_can_not_be_resolved_is_an_error_and_the_lock_stays(make_stack: MakeStack) -> None:
    stack = make_stack()
    asked, lock = stack.folder / "requirements.in", stack.folder / "requirements.txt"
    asked.write_text(asked.read_text() + "numpy>1.24\n")
    before = lock.read_bytes()

    result = stack.run("./scripts/lock")

    assert result.returncode == 2
    assert "error: requirements.in does not resolve" in result.stderr
    assert lock.read_bytes() == before
