"""Bits are compared between this CPU and an emulated one, with the profile and without it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.image.conftest import IMAGE, STACK, any_stack, cannot_run

LIBRARIES = {"tf": ("numpy", "torch", "tensorflow"), "torch": ("numpy", "torch")}[STACK]
SHARED = ["numpy matmul of large", "torch sum"]  # among threads
if "tensorflow" in LIBRARIES:
    SHARED += ["tensorflow matmul of large", "tensorflow conv2d of full blocks"]

pytestmark = pytest.mark.usefixtures("emulator")


def portability(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["scripts/portability", "--stack", STACK, *arguments],
        cwd=PROJECT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_operations_have_the_same_bits_on_an_emulated_cpu() -> None:
    told = portability("--quick")

    verdict = told.stdout.splitlines()[-1]
    assert told.returncode == 0, told.stdout + told.stderr
    assert verdict.startswith("portable: ")
    assert " have the same bits on 2 CPUs; without the profile " in verdict
    for library in LIBRARIES:
        assert f"| {library}: products |" in told.stdout


def test_what_differs_nowhere_without_the_profile_proves_nothing() -> None:
    told = portability("--cpu", "EPYC", "--operations", "numpy old integers")

    assert told.returncode == 1
    assert told.stdout.splitlines()[-1].startswith("proves nothing: ")


def test_each_place_and_each_operation_is_in_the_json() -> None:
    told = portability("--json", "--cpu", "EPYC", "--operations", "numpy exp2 float64")

    found = json.loads(told.stdout)
    sides = found["stacks"][STACK]
    assert told.returncode == 0, told.stderr
    assert found["verdict"] == told.stderr.splitlines()[-1]
    assert list(sides["with"]) == ["this CPU", "EPYC"]
    digests = {place["numpy exp2 float64"]["digest"] for place in sides["with"].values()}
    apart = {place["numpy exp2 float64"]["digest"] for place in sides["without"].values()}
    assert len(digests) == 1
    assert len(apart) == 2


def test_another_machines_outcomes_are_compared_with(tmp_path: Path) -> None:
    operation = "numpy exp2 float64"
    asked = ("--here", "--operations", operation)
    there = json.loads(portability("--json", *asked).stdout)
    file = tmp_path / "there.json"

    def compared() -> str:
        file.write_text(json.dumps(there))
        return portability("--against", str(file), *asked).stdout.splitlines()[-1]

    sides = there["stacks"][STACK]
    assert compared().startswith("proves nothing: ")
    sides["without"]["this CPU"][operation]["digest"] = "another"
    assert compared().startswith("portable: 1 operation has the same bits on 2 CPUs")
    sides["with"]["this CPU"][operation]["digest"] = "another"
    assert compared().startswith("not portable: 1 of 1 differ on 2 CPUs")


def test_numbers_of_threads_keep_their_bits_on_one_cpu_and_on_two() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        cannot_run("this machine has one CPU alone")

    told = portability("--threads", "1,3", "--operations", *SHARED)

    assert told.returncode == 0, told.stdout + told.stderr
    assert " on 4 sets of CPUs; without the profile " in told.stdout.splitlines()[-1]


@any_stack
def test_an_operation_that_ends_its_process_leaves_the_others_and_is_named() -> None:
    crash = (
        "import os, sys\n"
        "from processors.operations import __main__ as program, numpy_operations\n"
        "numpy_operations.OPERATIONS = tuple(\n"
        "    each._replace(run=lambda: os.abort()) if each.name == 'dot float32' else each\n"
        "    for each in numpy_operations.OPERATIONS)\n"
        "sys.exit(program.main(['--library', 'numpy', 'numpy dot', 'matrix by']))\n"
    )
    told = subprocess.run(
        [
            *("docker", "run", "--rm", "--network", "none", "--env", "PYTHONPATH=/code"),
            *("--volume", f"{PROJECT}/scripts/processors:/code/processors:ro", IMAGE),
            *("python", "-B", "-c", crash),
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [json.loads(line) for line in told.stdout.splitlines()]
    failed = {line["operation"]: line["error"] for line in lines if "error" in line}
    assert failed == {"numpy dot float32": "ended its process: 6"}
    assert [line["operation"] for line in lines] == [
        "numpy matrix by vector float32",
        "numpy matrix by vector float64",
        "numpy dot float32",
        "numpy dot float64",
    ]


@any_stack
def test_without_an_engine_the_error_names_the_way_out() -> None:
    told = portability(DOCKER_HOST="unix:///nowhere.sock")

    assert told.returncode == 2
    assert "error: no Docker engine answers" in told.stderr
    assert "what to do: " in told.stderr


@any_stack
def test_a_cpu_that_the_emulator_does_not_know_is_an_error() -> None:
    told = portability("--cpu", "Z80")

    assert told.returncode == 2
    assert "knows no CPU Z80" in told.stderr
