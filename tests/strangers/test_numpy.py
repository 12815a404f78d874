"""NumPy's own tests of its generators pass under the hook as they pass without it."""

from __future__ import annotations

import re

from tests.conftest import Run
from tests.strangers.conftest import IN_IMAGE

SUITE = """
import pytest
alone = ["-c", "/dev/null", "--rootdir", "/tmp", "-p", "no:cacheprovider"]
raise SystemExit(pytest.main(["--pyargs", "numpy.random", "--quiet", *alone]))
"""


def outcome(run: Run, **env: str) -> tuple[int, str]:
    """Return the status, and the last line without the time: `2500 passed, 3 skipped`."""
    result = run(SUITE, env={**IN_IMAGE, **env})
    return result.returncode, re.sub(r" in .*", "", result.stdout.splitlines()[-1])


def test_numpys_own_tests_pass_as_without_the_hook(run: Run) -> None:
    status, words = outcome(run, REPRO_UNSEEDED="derive")

    assert (status, words) == outcome(run, REPRO_DISABLE="1")
    assert status == 0
    assert re.match(r"[1-9]\d{3} passed", words)
