"""Python's own tests of its random numbers pass under the hook as without it."""

from __future__ import annotations

import importlib.util
import os
import re

import pytest

from tests.conftest import SEEDED, Run


def _has_its_tests() -> bool:
    try:
        return importlib.util.find_spec("test.test_random") is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.skipif(
    not _has_its_tests() and os.environ.get("CI") != "true",
    reason="this Python came without its own tests (Debian: libpython3-testsuite)",
)
@pytest.mark.parametrize("module", ["test_random", "test_uuid", "test_tempfile", "test_secrets"])
def test_pythons_own_tests_pass_as_without_the_hook(run: Run, module: str) -> None:
    code = f"import unittest; unittest.main('test.{module}')"

    seeded, plain = (run(code, "-W", "ignore", env=env) for env in (SEEDED, {}))

    assert (seeded.returncode, plain.returncode) == (0, 0), seeded.stderr
    counts = [re.findall(r"Ran (\d+) tests", result.stderr) for result in (seeded, plain)]
    assert counts[0] == counts[1] != []
