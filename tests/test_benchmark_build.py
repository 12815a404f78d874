"""What a build's log and a Dockerfile's stage say, for the benchmarks to time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmark.dockerfile import read_stage
from benchmark.errors import BenchmarkError
from benchmark.stack import Stack
from benchmark.steps import EXPORT, Step, covered_seconds, read_steps, seconds_of

from tests.conftest import PROJECT

ALONE = """\
#0 building with "default" instance using docker driver

#3 [internal] load build context
#3 transferring context: 353B done
#3 DONE 1.5s

#5 [os 1/2] FROM docker.io/library/repro-env-base:bullseye
#5 CACHED

#7 [os  2/2] RUN --mount=type=cache,target=/c     set -eux;     apt-install one two;     settle
#7 0.267 #8 DONE 99.0s
#7 DONE 2.6s

#8 [environment 1/3] RUN sleep 2; echo three
#8 ...

#9 [stage-3 1/1] COPY --from=three /three /
#9 DONE 0.0s

#8 [environment 1/3] RUN sleep 2; echo three
#8 3.234 end
#8 DONE 3.3s

#12 exporting to image
#12 exporting layers
#12 exporting layers 0.7s done
#12 writing image sha256:43156 done
#12 DONE 0.8s
"""
# `bake` with several targets, and a builder of its own.
AMONG_OTHERS = (
    ALONE.replace("[os", "[jupyter os")
    .replace("[environment", "[linux/amd64 environment")
    .replace("[stage-3", "[jupyter stage-3")
    .replace("[internal]", "[jupyter internal]")
    .replace("#12 exporting to image", "#12 [jupyter] exporting to docker image format")
)


def timed(log: str) -> Iterator[tuple[float, str]]:
    """A line a second."""
    return ((float(number), line) for number, line in enumerate(log.splitlines(keepends=True)))


@pytest.mark.parametrize(
    "log", [pytest.param(ALONE, id="one target"), pytest.param(AMONG_OTHERS, id="several")]
)
def test_a_log_has_each_finished_step_once_with_its_stage(log: str) -> None:
    found = [(step.stage, step.took_s) for step in read_steps(timed(log))]

    assert found == [
        ("internal", 1.5),
        ("os", 2.6),
        ("stage-3", 0.0),
        ("environment", 3.3),
        (EXPORT, 0.8),
    ]


def test_a_step_that_was_cached_or_never_ended_is_none() -> None:
    log = "#5 [os 1/2] RUN a\n#5 CACHED\n#6 [os 2/2] RUN b\n#6 ERROR: exit code: 1\n"

    assert read_steps(timed(log)) == []


def test_an_end_without_a_name_is_no_step() -> None:
    assert read_steps(timed("#1 DONE 5.0s\n")) == []


def test_a_step_is_named_by_its_stage_and_what_it_runs() -> None:
    names = [step.name for step in read_steps(timed(ALONE))]

    assert "os: `apt-install one two; settle`" in names
    assert "stage-3: `COPY --from=three /three /`" in names


def step(began_s: float, ended_s: float, stage: str = "os") -> Step:
    return Step(stage, "RUN x", ended_s - began_s, ended_s)


@pytest.mark.parametrize(
    ("steps", "covered_s"),
    [
        pytest.param([], 0.0, id="none"),
        pytest.param([step(0, 2), step(5, 6)], 3.0, id="one after the other"),
        pytest.param([step(0, 4), step(2, 6)], 6.0, id="overlapping"),
        pytest.param([step(0, 9), step(2, 3), step(4, 5)], 9.0, id="within another"),
        pytest.param([step(5, 6), step(0, 2)], 3.0, id="in any order"),
    ],
)
def test_time_with_several_steps_counts_once(steps: list[Step], covered_s: float) -> None:
    assert covered_seconds(steps) == pytest.approx(covered_s)


def test_a_stages_seconds_are_its_own() -> None:
    steps = [step(0, 2, "os"), step(1, 4, "environment"), step(4, 5, "environment")]

    assert seconds_of(steps, "environment") == pytest.approx(4.0)
    assert seconds_of(steps, "os") == pytest.approx(2.0)
    assert seconds_of(steps, EXPORT) == 0.0


DOCKERFILE = """\
FROM debian AS os
RUN no

FROM os AS environment
ENV A=/a B=/b:$PATH
# why
RUN --mount=type=bind,from=split,source=/lock/layers/pip.txt,target=/lock/pip.txt \\
    --mount=type=bind,source=docker/settle,target=/usr/sbin/settle \\
    --mount=type=cache,target=/root/.cache/pip \\
    --mount=type=secret,id=ca \\
    set -eux; \\
    first --one; \\
    settle
RUN second

FROM environment AS image
RUN neither
"""


def test_a_stage_is_its_own_settings_and_steps() -> None:
    stage = read_stage(DOCKERFILE, "environment")

    assert stage.settings == "export A=/a B=/b:$PATH"
    assert [one.code for one in stage.steps] == [
        "set -eux; \\\n    first --one; \\\n    settle",
        "second",
    ]


def test_a_step_keeps_its_bind_mounts_alone() -> None:
    first, second = read_stage(DOCKERFILE, "environment").steps

    assert [mount["target"] for mount in first.binds] == ["/lock/pip.txt", "/usr/sbin/settle"]
    assert [mount.get("from") for mount in first.binds] == ["split", None]
    assert second.binds == []


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        pytest.param(DOCKERFILE, "no stage nothing", id="no such stage"),
        pytest.param(
            "FROM a AS nothing\nCOPY x /x\n", "COPY, which can't be run by a shell", id="a COPY"
        ),
    ],
)
def test_a_stage_that_no_shell_can_run_is_refused(dockerfile: str, why: str) -> None:
    with pytest.raises(BenchmarkError, match=why):
        read_stage(dockerfile, "nothing")


def test_the_images_own_install_steps_can_be_run() -> None:
    stage = read_stage((PROJECT / "Dockerfile").read_text(), "environment")

    origins = {mount.get("from") for one in stage.steps for mount in one.binds}
    assert origins <= {"split", "saved", "tools"}
    assert all("pip-install" in one.code for one in stage.steps)


@pytest.mark.parametrize(
    ("stack", "frameworks"), [("tf", ["torch", "tensorflow"]), ("torch", ["torch"])]
)
def test_a_stack_imports_the_frameworks_that_it_locks(stack: str, frameworks: list[str]) -> None:
    assert Stack(stack).frameworks == frameworks
