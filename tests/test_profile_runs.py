"""Runs under the profile portable: by an option, by the environment, and as another run had it."""

from __future__ import annotations

import json

import pytest

from repro_env import profile
from tests.conftest import Project
from tests.test_profile import NAMES, NOTHING, SHOW, shown


def test_a_run_has_it_by_an_option_and_its_record_says_so(project: Project) -> None:
    record = project.run("--profile", "portable", "--threads", "3", "--", "python", "-c", SHOW)

    definition = record["definition"]
    assert (definition["profile"], definition["threads"]) == ("portable", 3)
    expected = profile.variables(3)
    assert {name: definition["variables"][name] for name in expected} == expected
    assert definition["variables"]["REPRO_THREADS"] == "3"
    assert "42, portable with 3 threads" in project.repro("show", "last").stdout


def test_programs_that_are_no_python_have_it_too(project: Project) -> None:
    done = project.repro(
        "run", "--profile", "portable", "--", "sh", "-c", "echo $OMP_NUM_THREADS $MKL_CBWR"
    )

    assert done.stdout == "1 COMPATIBLE\n"


def test_a_run_has_it_by_the_environment(project: Project) -> None:
    project.environ["REPRO_PROFILE"] = "portable"

    definition = project.run("--", "python", "-c", SHOW)["definition"]

    assert (definition["profile"], definition["threads"]) == ("portable", 1)


def test_an_option_takes_the_environments_profile_back(project: Project) -> None:
    project.environ.update(REPRO_PROFILE="portable", REPRO_THREADS="2")

    done = project.repro("run", "--profile", "repeatable", "--", "python", "-c", SHOW)

    assert shown(done.stdout) == NOTHING
    definition = project.record()["definition"]
    assert definition["profile"] == "repeatable"
    assert "threads" not in definition
    assert not {*NAMES, "REPRO_THREADS"} & {*definition["variables"]}


def test_an_option_takes_another_number_of_threads(project: Project) -> None:
    project.environ.update(REPRO_PROFILE="portable", REPRO_THREADS="2")

    done = project.repro("run", "--threads", "5", "--", "python", "-c", SHOW)

    assert shown(done.stdout) == profile.variables(5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--profile", "nonsense"], "REPRO_PROFILE='nonsense' is not one of"),
        (["--profile", "portable", "--threads", "0"], "REPRO_THREADS='0' is not a whole number"),
        (["--threads", "4"], "REPRO_THREADS='4' counts only with REPRO_PROFILE=portable"),
    ],
)
def test_a_bad_option_runs_nothing(project: Project, options: list[str], words: str) -> None:
    done = project.repro("run", *options, "--", "python", "-c", "print('user code')")

    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert not list((project.folder / ".repro" / "runs").glob("2*"))


def test_a_run_that_seeds_nothing_can_t_be_portable(project: Project) -> None:
    done = project.repro(
        "run",
        "--profile",
        "portable",
        "--",
        "python",
        "-c",
        "print('user code')",
        REPRO_DISABLE="1",
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "REPRO_DISABLE=1 switches off what the profile portable needs" in done.stderr


def test_a_replay_has_the_runs_profile(project: Project) -> None:
    project.commit(train_py=f"{SHOW}\nopen('out', 'w').write(os.environ['OMP_NUM_THREADS'])")
    project.run("--profile", "portable", "--threads", "3", "--", "python", "train.py")

    done = project.repro("replay", "last")

    assert done.returncode == 0, done.stderr
    assert shown(done.stdout.splitlines()[0]) == profile.variables(3)


def test_a_verify_has_it_and_varies_neither_cpu_nor_threads(project: Project) -> None:
    done = project.repro(
        *("verify", "-n", "2", "--profile", "portable", "--json"),
        *("--vary", "threads,cpu,hash-seed"),
        *("--", "python", "-c", SHOW),
    )

    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    reason = "the profile portable fixes it"
    assert answer["not_varied"] == [
        {"factor": name, "reason": reason} for name in ("threads", "cpu")
    ]
    assert answer["robust_to"] == ["hash-seed"]


def test_a_recorded_run_is_verified_under_its_own_profile_alone(project: Project) -> None:
    project.commit(train_py="print(1)")
    project.run("--", "python", "train.py")

    done = project.repro("verify", "--profile", "portable", "last")

    assert done.returncode == 2
    assert "a run has its own inputs, outputs, parameters, profile and threads" in done.stderr
