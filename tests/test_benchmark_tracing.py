"""What it costs to follow a training and to verify: how it counts, and when it is a miss."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark.inside_tracing import check_followed
from benchmark.tracing import beyond_share, report_jobs, report_verify

from tests.test_benchmark import steady


def test_a_verify_counts_by_what_it_takes_beyond_the_plain_runs_and_their_share() -> None:
    pairs = [(16.0, 14.0), (17.0, 15.0), (30.0, 15.0)]

    assert beyond_share(pairs) == pytest.approx(17.0 - 1.05 * 15.0)


@pytest.mark.parametrize(
    ("verify_s", "missed"),
    [
        pytest.param(16.6, False, id="within the share and a second"),
        pytest.param(16.9, True, id="beyond"),
    ],
)
def test_a_slow_verify_is_a_miss(verify_s: float, missed: bool) -> None:
    report = report_verify(list(zip(steady(verify_s), steady(15.0))))

    assert report.missed is missed


@pytest.mark.parametrize(("jobs_s", "missed"), [(9.9, False), (10.1, True)])
def test_jobs_that_take_longer_than_one_after_the_other_are_a_miss(
    jobs_s: float, missed: bool
) -> None:
    assert report_jobs(steady(jobs_s), steady(10.0)).missed is missed


@pytest.mark.parametrize("lines", [pytest.param(1, id="too few"), pytest.param(3, id="too many")])
def test_a_training_that_was_not_followed_step_by_step_ends_the_measure(
    tmp_path: Path, lines: int
) -> None:
    stream = tmp_path / "1-1.steps.jsonl"
    stream.write_text('{"format":1}\n' + '{"digests":""}\n' * 2)
    check_followed(tmp_path, 2)
    stream.write_text('{"format":1}\n' + '{"digests":""}\n' * lines)

    with pytest.raises(SystemExit, match=f"{lines} of 2 steps"):
        check_followed(tmp_path, 2)
