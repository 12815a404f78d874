"""Verdicts under the profile `portable`, on processes made up: each knob, each way to spoil it."""

from __future__ import annotations

from typing import Any

import pytest

from repro_env import knobs, verdicts
from repro_env.knob import THREADS, Knob, Profile
from repro_env.verdicts import Row, Seen

PROFILE = Profile("portable", 4)
PORTABLE = [
    knob for knob in knobs.KNOBS if knob.is_variable and knob.portable and knob.repeatable is None
]
WANTED = {knob.name: str(knob.wanted(PROFILE)) for knob in PORTABLE}
BAD = "3"  # no knob's value
LIBRARIES = {"numpy": "2.4.6", "torch": "2.15.0", "tensorflow": "2.9.3"}

each_knob = pytest.mark.parametrize("knob", PORTABLE, ids=lambda knob: knob.name)


def change(knob: Knob, value: str | None, line: int, in_time: bool = True) -> dict[str, Any]:
    """What is seen of a line that changes a variable."""
    loaded = [] if in_time else list(LIBRARIES)
    where = f"train.py:{line}"
    return {"name": knob.name, "value": value, "where": where, "loaded": loaded, "cuda": False}


def judged(
    knob: Knob,
    start: str | None,
    *changes: dict[str, Any],
    effect: str | None = None,
    reading: dict[str, str] | None = None,
    place: str = "",
) -> Row:
    """Return the knob's row in a process that is healthy but for this.

    Args:
        knob: The knob.
        start: The variable's value at the start; None where it had none.
        changes: What was seen of it since.
        effect: What is in effect; None for what the variable was when the library read it.
        reading: What was read, where that is no value.
        place: Which of the run's processes it is.
    """
    now = changes[-1]["value"] if changes else start
    read = [one["value"] for one in changes if not one["loaded"]]
    found = effect or (read[-1] if read else start) or "what the machine suggests"
    report = {
        "ended": "exit",
        "profile": list(PROFILE),
        "libraries": LIBRARIES,
        "at exec": {knob.name: start} if start is not None else {},
        "now": {knob.name: now} if now is not None else {},
        "changes": list(changes),
        "after import": {},
        "in effect": {knob.name: reading or {"value": found}},
        "ignores variables": False,
        "seeds": {"place": place},
    }
    rows = verdicts.judge(Seen(report, has_gpu=False, hash_holds=True))
    return next(row for row in rows if row.knob == knob.name)


@each_knob
def test_what_is_in_effect_is_well(knob: Knob) -> None:
    wanted = WANTED[knob.name]

    assert judged(knob, wanted) == Row(knob.name, wanted, wanted, "ok")


def test_a_process_that_lost_the_profile_is_told_to_be_started_with_it() -> None:
    row = judged(knobs.knob("REPRO_PROFILE"), None, effect="repeatable")

    assert (row.verdict, row.wanted, row.found) == ("missing", "portable", "not set")
    assert row.advice == "start the command with REPRO_PROFILE=portable"


def test_another_number_of_threads_does_not_serve() -> None:
    assert judged(knobs.knob("REPRO_THREADS"), "4").verdict == "ok"
    assert judged(knobs.knob("REPRO_THREADS"), "2").verdict == "wrong value"


def test_a_switch_of_the_profile_that_was_never_set_is_missing() -> None:
    knob = knobs.knob("tensorflow.eigen.cache_sizes")

    row = judged(knob, None, effect="49152 262144 2097152")

    assert row.verdict == "missing"
    assert row.why == f"nothing has set it, so {knob.why}"
    assert row.advice == (
        "start the command with REPRO_PROFILE=portable, so that the start-up hook sets it"
    )


@each_knob
def test_each_value_that_serves_as_well_is_well(knob: Knob) -> None:
    for found in map(str, knob.good):
        row = judged(knob, WANTED[knob.name], effect=found)

        assert (row.verdict, row.found, row.advice) == ("ok", found, "")


def test_the_number_of_threads_is_the_profiles() -> None:
    shared = [knob.name for knob in PORTABLE if knob.portable == THREADS]

    assert shared
    assert {WANTED[name] for name in shared} == {"4"}


@each_knob
def test_what_cannot_be_read_goes_by_its_variable_and_says_why(knob: Knob) -> None:
    row = judged(knob, WANTED[knob.name], reading={"unreadable": "it is not loaded"})

    assert (row.verdict, row.found, row.advice) == ("ok", WANTED[knob.name], "")
    assert row.why == "going by the variable: it is not loaded"


@each_knob
def test_what_nobody_set_is_missing(knob: Knob) -> None:
    row = judged(knob, None)

    assert (row.verdict, row.found) == ("missing", "not set")
    assert row.advice == f"start the command with {knob.name}={WANTED[knob.name]}"


@each_knob
def test_what_was_something_else_from_the_start_is_wrong(knob: Knob) -> None:
    row = judged(knob, BAD)

    assert (row.verdict, row.found) == ("wrong value", BAD)
    assert row.advice == f"start the command with {knob.name}={WANTED[knob.name]}"


@each_knob
def test_what_is_set_in_time_is_well(knob: Knob) -> None:
    row = judged(knob, None, change(knob, WANTED[knob.name], 7))

    assert (row.verdict, row.why, row.advice) == ("ok", "", "")


@each_knob
def test_what_is_set_after_the_import_is_too_late(knob: Knob) -> None:
    row = judged(knob, None, change(knob, WANTED[knob.name], 7, in_time=False))

    assert (row.verdict, row.found) == ("too late", "what the machine suggests")
    assert row.why == (
        "it was set in train.py:7, but it counts only before the library is imported"
    )
    assert row.advice.endswith(f"with {knob.name}={WANTED[knob.name]}, and take that line out")


@each_knob
@pytest.mark.parametrize("value", [BAD, None])
def test_what_is_changed_after_the_import_is_too_late_and_names_what_is_in_effect(
    knob: Knob, value: str | None
) -> None:
    row = judged(knob, WANTED[knob.name], change(knob, value, 7, in_time=False))

    assert (row.verdict, row.found) == ("too late", WANTED[knob.name])
    assert row.why == (
        "it was changed in train.py:7, but it counts only before the library is imported"
    )
    assert row.advice == "take out train.py:7"


@each_knob
def test_what_a_library_changes_for_its_children_is_no_complaint(knob: Knob) -> None:
    late = change(knob, BAD, 7, in_time=False)
    late["where"] = "/opt/venv/lib/python3.9/site-packages/dask/nanny.py:7"

    row = judged(knob, WANTED[knob.name], late)

    assert (row.verdict, row.advice) == ("too late", "")


@each_knob
@pytest.mark.parametrize("effect", ["what the machine suggests", "as wanted"])
def test_what_is_changed_before_the_import_is_overridden(knob: Knob, effect: str) -> None:
    """Where this machine would do the same without the knob, too: another one would not."""
    found = WANTED[knob.name] if effect == "as wanted" else effect

    row = judged(knob, WANTED[knob.name], change(knob, BAD, 7), effect=found)

    assert (row.verdict, row.found) == ("overridden", found)
    assert row.why == "it was right at the start, and the program changed it in train.py:7"
    assert row.advice == "take out train.py:7"


@each_knob
def test_the_line_that_spoils_is_named_and_not_the_one_that_mends_too_late(knob: Knob) -> None:
    spoils, mends = change(knob, BAD, 3), change(knob, WANTED[knob.name], 9, in_time=False)

    row = judged(knob, WANTED[knob.name], spoils, mends)

    assert (row.verdict, row.found, row.advice) == ("overridden", BAD, "take out train.py:3")


@each_knob
def test_what_is_spoiled_and_mended_in_time_is_well(knob: Knob) -> None:
    row = judged(knob, WANTED[knob.name], change(knob, BAD, 3), change(knob, WANTED[knob.name], 4))

    assert (row.verdict, row.advice) == ("ok", "")


@each_knob
def test_what_is_changed_late_and_read_later_still_is_overridden(knob: Knob) -> None:
    """Some are read when their library first computes, not when it is imported."""
    row = judged(knob, WANTED[knob.name], change(knob, BAD, 7, in_time=False), effect=BAD)

    assert (row.verdict, row.found, row.advice) == ("overridden", BAD, "take out train.py:7")


@each_knob
def test_another_value_without_a_change_is_a_call_or_a_build_that_takes_no_notice(
    knob: Knob,
) -> None:
    row = judged(knob, WANTED[knob.name], effect="another")

    call = verdicts.CALLS.get(knob.name)
    assert row.found == "another"
    assert row.verdict == ("overridden" if call else "inert")
    assert row.why.endswith(f"by a call such as {call}" if call else "takes no notice of it")
    assert row.advice


def test_there_are_calls_of_no_other_knobs() -> None:
    assert set(verdicts.CALLS) <= set(WANTED)


@pytest.mark.parametrize(
    ("name", "place", "verdict"),
    [
        ("OMP_NUM_THREADS", "process 1", "ok"),
        ("OMP_NUM_THREADS", "", "overridden"),
        ("MKL_CBWR", "process 1", "overridden"),
    ],
)
def test_one_thread_is_well_in_a_child_of_multiprocessing(
    name: str, place: str, verdict: str
) -> None:
    row = judged(knobs.knob(name), WANTED[name], effect="1", place=place)

    assert row.verdict == verdict
