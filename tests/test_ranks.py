"""Ranks of a distributed run: one global seed, and streams and children that differ."""

from __future__ import annotations

import random

import pytest

from tests.conftest import SEEDED, Run

PLAIN = random.Random(42).random()


@pytest.mark.parametrize(
    ("rank", "size", "same"),
    [("0", "1", True), ("0", "2", False), ("1", "2", False), ("", "2", True)],
)
def test_streams_differ_by_rank_unless_shared(run: Run, rank: str, size: str, same: bool) -> None:
    code = "import repro_env; print(repro_env.seed_for('a', shared={}))"
    ranked = {**SEEDED, "RANK": rank, "WORLD_SIZE": size}

    own, shared = (
        run(code.format(False), env=ranked).stdout,
        run(code.format(True), env=ranked).stdout,
    )

    assert shared == run(code.format(True)).stdout == run(code.format(False)).stdout
    assert (own == shared) == same


def test_ranks_draw_alike_and_their_children_do_not(run: Run) -> None:
    code = """
import os, random
print(random.random(), flush=True)
if os.fork() == 0:
    print(random.random(), flush=True)
    os._exit(0)
os.wait()
"""

    zero, one = (
        run(code, env={**SEEDED, "RANK": rank, "WORLD_SIZE": "2"}).stdout.split() for rank in "01"
    )

    assert float(zero[0]) == float(one[0]) == PLAIN
    assert zero[1] != one[1]


@pytest.mark.parametrize(("rank", "size"), [("2", "2"), ("x", "2"), ("-1", "2"), ("0", "two")])
def test_a_rank_that_cannot_be_is_named(run: Run, rank: str, size: str) -> None:
    result = run(
        "import repro_env; repro_env.seed_for('a')",
        env={**SEEDED, "RANK": rank, "WORLD_SIZE": size},
    )

    assert result.returncode == 1
    assert (
        f"SettingError: RANK={rank!r} is not a whole number below WORLD_SIZE={size!r}"
        in result.stderr
    )
