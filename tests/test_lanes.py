"""The parts of `scripts/test`: each runs, a failure is kept, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT

SOURCED = ". scripts/environment.sh; . scripts/lanes.sh\n"
PARTS = """
good_tests() { echo "good $*"; }
bad_tests() { echo "bad $*"; false; echo "went on"; }
empty_tests() { return 5; }
"""
# It ends with a status of its own, as pytest and docker do, and not by the signal.
HANDLES_CTRL_C = """
import sys, time
try:
    print('started', flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.5)
    open(sys.argv[1], 'w').write('cleaned')
    sys.exit(2)
"""


def bash(code: str) -> subprocess.CompletedProcess[str]:
    """Run code that may call what `scripts/test` does."""
    return subprocess.run(
        ["bash", "-c", SOURCED + PARTS + code],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_each_part_runs_though_one_fails_and_the_failure_is_kept() -> None:
    done = bash('lane "bad tf" "good torch" --')

    assert done.stdout.splitlines() == ["bad tf", "good torch"]
    assert done.returncode == 1


def test_parts_get_the_arguments_and_all_good_is_good() -> None:
    done = bash('lane "good tf" "good torch" -- -k "a b"')

    assert done.stdout.splitlines() == ["good tf -k a b", "good torch -k a b"]
    assert done.returncode == 0


@pytest.mark.parametrize(("arguments", "status"), [("-k seed", 0), ("", 1)])
def test_a_part_without_tests_fails_where_no_argument_has_chosen_none(
    arguments: str, status: int
) -> None:
    assert bash(f'lane "empty tf" -- {arguments}').returncode == status


@pytest.mark.parametrize("end", ["Ctrl-C", "an error"])
def test_what_runs_side_by_side_is_ended_and_cleans_up(tmp_path: Path, end: str) -> None:
    code = f"""
    slow_tests() {{ python3 -c "{HANDLES_CTRL_C}" "$1"; }}
    late_tests() {{ touch "$1"; }}
    open_lanes
    lane "slow $0/first" "late $0/late" -- >"$OUTPUT/first" &
    lane "slow $0/second" "late $0/later" -- >"$OUTPUT/second" &
    for try in {{1..600}}; do
        grep -qs started "$OUTPUT/first" && grep -qs started "$OUTPUT/second" && break || sleep 0.05
    done
    echo "$OUTPUT"
    {"wait" if end == "Ctrl-C" else "false"}
    """
    process = subprocess.Popen(
        ["bash", "-c", SOURCED + code, tmp_path],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout
        output = Path(process.stdout.readline().strip())
        if end == "Ctrl-C":
            assert (output / "first").is_file()
            os.killpg(process.pid, signal.SIGINT)
        status = process.wait(30)
    finally:
        process.kill()
        process.communicate()

    assert status != 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "first": "cleaned",
        "second": "cleaned",
    }
    assert not output.exists()
