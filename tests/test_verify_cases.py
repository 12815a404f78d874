"""Programs that don't repeat, and one that does: what `repro verify` says of each."""

from __future__ import annotations

import shutil

import pytest

from repro_env.verification import factors
from tests.conftest import PROJECT, Project
from tests.test_verify import first, verified

PROGRAMS = PROJECT / "tests" / "programs"


@pytest.fixture
def cases(project: Project) -> Project:
    """A project that holds the programs."""
    for program in PROGRAMS.glob("*.py"):
        shutil.copyfile(program, project.folder / program.name)
    project.commit()
    return project


@pytest.mark.parametrize(
    ("program", "factor", "output"),
    [
        ("set_order", "hash-seed", "words.json"),
        ("directory_order", "listing-order", "all.txt"),
        ("clock", "start-time", "drawn.txt"),
    ],
)
def test_the_one_factor_that_breaks_the_agreement_is_named(
    cases: Project, program: str, factor: str, output: str
) -> None:
    command = ["--", "python", f"{program}.py"]

    plain = verified(cases, "-n", "2", *command)
    varied = verified(
        cases, "--vary", "hash-seed,listing-order,start-time,time-zone,locale", *command, status=1
    )

    assert plain["verdict"] == "identical bytes"
    assert varied["guilty"] == [factor]
    assert (varied["grade"], varied["robust_to"]) == ("none", [])
    assert first(varied)["kind"] == "output"
    assert output in first(varied)["text"]


@pytest.mark.parametrize("factor", ["host-name", "folder", "time-zone", "locale"])
def test_each_thing_that_a_program_writes_down_of_its_surroundings_is_named(
    cases: Project, factor: str
) -> None:
    if factors.unavailable(factor):
        pytest.skip(f"{factor} can't be varied here: see the next test")
    answer = verified(
        cases,
        "-n",
        "2",
        "--vary",
        "host-name,folder,time-zone,locale,load",
        "--param",
        f"FACTS={factor}",
        "--",
        "python",
        "host.py",
        status=1,
    )

    assert answer["guilty"] == [factor]


def test_what_can_t_be_varied_here_is_said_and_nothing_is_claimed_of_it(cases: Project) -> None:
    refused = {one.name: factors.unavailable(one.name) for one in factors.FACTORS}

    answer = verified(cases, "--vary", "all", "--", "python", "clean.py")

    named = {one["factor"]: one["reason"] for one in answer["not_varied"]}
    harmless = {one.name for one in factors.FACTORS if one.must_not_matter}
    assert named == {name: why for name, why in refused.items() if why and name in harmless}
    assert set(answer["robust_to"]) == harmless - named.keys()
    assert all(set(one["varied"]) <= set(answer["robust_to"]) for one in answer["attempts"])


def test_the_guilty_factor_stands_in_words(cases: Project) -> None:
    done = cases.repro("verify", "-n", "2", "--vary", "all", "--", "python", "set_order.py")

    assert done.returncode == 1
    assert "guilty: hash-seed: varied alone, it breaks the agreement" in done.stdout
    assert "repro: varied: " in done.stderr


def test_a_race_is_no_factor_s_fault(cases: Project) -> None:
    answer = verified(
        cases, "-n", "4", "--vary", "hash-seed,load", "--", "python", "race.py", status=1
    )

    assert answer["guilty"] == []
    assert any("with nothing varied, too" in note for note in answer["notes"])
    assert "order.txt" in first(answer)["text"]


def test_a_file_that_an_attempt_leaves_outside_is_named_before_what_it_changes(
    cases: Project,
) -> None:
    cache = cases.folder.parent / "cache.json"

    answer = verified(cases, "--", "python", "stale_file.py", cache, status=1)

    kinds = [one["kind"] for one in answer["attempts"][1]["divergences"]]
    assert kinds == ["inputs", "output"]
    assert str(cache) in first(answer)["text"]


def test_an_unseeded_draw_is_named_by_its_place_in_the_output(cases: Project) -> None:
    answer = verified(cases, "-n", "2", "--", "python", "unseeded.py", status=1)

    assert "drawn.json: unseeded: " in first(answer)["text"]


def test_a_pickled_set_is_the_same_content_in_other_bytes(cases: Project) -> None:
    answer = verified(cases, "--vary", "hash-seed", "--", "python", "pickled_set.py")

    assert answer["verdict"] == "identical content"
    assert "words.pkl" in answer["attempts"][1]["why"]
    assert (answer["grade"], answer["robust_to"]) == ("robust", ["hash-seed"])


def test_a_clean_program_is_robust_to_all_that_must_not_matter(cases: Project) -> None:
    answer = verified(cases, "--vary", "all", "--", "python", "clean.py")

    assert answer["verdict"] == "identical bytes"
    assert answer["grade"] == "robust"
    for name in ("hash-seed", "folder", "time-zone", "listing-order", "load", "start-time"):
        assert name in answer["robust_to"]


def test_varied_attempts_say_what_was_varied(cases: Project) -> None:
    answer = verified(cases, "-n", "3", "--vary", "hash-seed,load", "--", "python", "clean.py")

    assert [one["varied"] for one in answer["attempts"]] == [
        [],
        ["hash-seed", "load"],
        ["hash-seed", "load"],
    ]


def test_with_jobs_factors_are_varied_all_the_same(cases: Project) -> None:
    answer = verified(
        cases, "-n", "4", "--jobs", "2", "--vary", "all", "--", "python", "set_order.py", status=1
    )

    assert answer["guilty"] == ["hash-seed"]
