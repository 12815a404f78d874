"""Verdicts on processes that can't be had on every machine: with a GPU, of other versions."""

from __future__ import annotations

from typing import Any

import pytest

from repro_env import knobs, verdicts
from repro_env.notes import Note, of
from repro_env.probe import Gpu, Machine
from repro_env.verdicts import Row, Seen

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
LINE = {"name": CUBLAS, "value": ":4096:8", "where": "train.py:7", "loaded": ["torch"]}
BUILD = {"cuda_compute_capabilities": ["sm_70", "compute_80"]}


def report(**changes: Any) -> dict[str, Any]:
    """What a healthy process with torch leaves, but for some fields."""
    environ = knobs.image_variables()
    switches = {
        knob.name: {"value": knob.repeatable}
        for knob in knobs.KNOBS
        if not knob.is_variable and "torch" in knob.modules and knob.repeatable
    }
    return {
        "pid": 21,
        "command": ["python", "train.py"],
        "ended": "exit",
        "ignores variables": False,
        "libraries": {"torch": "2.15.0"},
        "profile": ["repeatable", 0],
        "at exec": environ,
        "now": environ,
        "changes": [],
        "after import": switches,
        "in effect": {**switches, "REPRO_SEED": {"value": "42"}},
        "facts": {"torch architectures": "sm_75 sm_80"},
        "seeds": {"seed": 42, "place": "", "libraries": [], "at": {}, "unseeded": 0},
        "blas": [],
        **changes,
    }


def row(name: str, has_gpu: bool | None = True, **changes: Any) -> Row:
    seen = Seen(report(**changes), has_gpu, hash_holds=True)
    return next(row for row in verdicts.judge(seen) if row.knob == name)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in knobs.image_variables().items() if key != name}


@pytest.mark.parametrize(
    ("has_gpu", "verdict", "why"),
    [
        (True, "ok", ""),
        (False, "unknown", "the environment is right; there is no GPU here that reads it"),
        (None, "unknown", "the environment is right; whether a GPU is here can't be told"),
    ],
)
def test_what_only_gpus_read_is_judged_where_there_is_one(
    has_gpu: bool | None, verdict: str, why: str
) -> None:
    found = row(CUBLAS, has_gpu)

    assert (found.verdict, found.why, found.advice) == (verdict, why, "")


@pytest.mark.parametrize(("cuda", "verdict"), [(True, "too late"), (False, "ok")])
def test_a_workspace_that_is_set_counts_until_cuda_has_begun(cuda: bool, verdict: str) -> None:
    changes: Any = {"at exec": without(CUBLAS), "changes": [{**LINE, "cuda": cuda}]}

    found = row(CUBLAS, **changes)

    assert found.verdict == verdict
    assert cuda == ("set in train.py:7, but it counts only before CUDA" in found.why)


def test_when_tensorflow_begins_with_cuda_is_not_known() -> None:
    change = {**LINE, "loaded": ["tensorflow"], "cuda": False}
    changes: Any = {"at exec": without(CUBLAS), "changes": [change]}

    found = row(CUBLAS, libraries={"tensorflow": "2.9.3"}, **changes)

    assert found.verdict == "too late"


THREADS = {"name": "OMP_NUM_THREADS", "value": "1", "where": "train.py:7", "cuda": False}


def judged_threads(*changes: dict[str, Any]) -> list[Row]:
    environ = {**knobs.image_variables(), "OMP_NUM_THREADS": "1"}
    seen = Seen(report(now=environ, changes=list(changes)), has_gpu=False, hash_holds=True)
    return [row for row in verdicts.judge(seen) if row.knob == "OMP_NUM_THREADS"]


def test_what_is_set_in_time_may_be_set_again() -> None:
    first, again = {**THREADS, "loaded": []}, {**THREADS, "loaded": ["torch"]}

    assert judged_threads(first, again) == []
    assert judged_threads({**first, "value": "2"}, again)[0].verdict == "too late"


@pytest.mark.parametrize(
    ("where", "complains"),
    [("train.py:7", True), ("/opt/venv/lib/python3.9/site-packages/dask/nanny.py:7", False)],
)
def test_what_a_library_sets_for_its_children_is_no_complaint(where: str, complains: bool) -> None:
    (found,) = judged_threads({**THREADS, "loaded": ["torch"], "where": where})

    assert found.verdict == "too late"
    assert bool(found.advice) == complains


def test_a_version_that_says_no_number_is_taken_as_new() -> None:
    assert row("TORCHINDUCTOR_DETERMINISTIC", libraries={"torch": "git"}).verdict == "ok"


def test_a_fault_is_named_without_a_gpu_too() -> None:
    unset: Any = {"at exec": without(CUBLAS), "now": without(CUBLAS)}

    found = row(CUBLAS, has_gpu=False, **unset)

    assert (found.verdict, found.advice) == (
        "missing",
        "start the command with CUBLAS_WORKSPACE_CONFIG=:4096:8",
    )


@pytest.mark.parametrize(
    ("version", "verdict"), [("2.9.1", "inert"), ("2.10.0", "ok"), ("2.0.1+cu117", "inert")]
)
def test_what_a_version_does_not_know_is_inert_and_no_complaint(version: str, verdict: str) -> None:
    found = row("TORCHINDUCTOR_DETERMINISTIC", libraries={"torch": version})

    assert (found.verdict, found.advice) == (verdict, "")


def test_hashes_that_cannot_be_compared_are_unknown() -> None:
    seen = Seen(report(), has_gpu=False, hash_holds=None)

    found = next(row for row in verdicts.judge(seen) if row.knob == "PYTHONHASHSEED")

    assert found.verdict == "unknown"
    assert found.advice


def test_a_process_that_was_not_seen_to_its_end_is_not_judged() -> None:
    assert verdicts.judge(Seen(report(ended=""), has_gpu=True, hash_holds=True)) == []


def notes(machine: Machine, **changes: Any) -> dict[str, Note]:
    return {note.about: note for note in of([report(**changes)], machine, 0, {}, {})}


@pytest.mark.parametrize(
    ("library", "capability", "runs"),
    [
        ("torch", (7, 5), True),
        ("torch", (8, 9), True),
        ("torch", (7, 0), False),
        ("torch", (9, 0), False),
        ("tensorflow", (8, 6), True),
        ("tensorflow", (9, 0), False),
    ],
)
def test_code_runs_on_its_own_generation_of_gpus(
    library: str, capability: tuple[int, int], runs: bool
) -> None:
    machine = Machine((Gpu("X", capability, "550.1"),), 2, None)
    facts = {"torch architectures": "sm_75 sm_80", "tensorflow build": BUILD}

    note = notes(machine, libraries={library: "1.0"}, facts=facts)["gpu"]

    assert (note.verdict == "ok") == runs
    assert bool(note.advice) != runs


@pytest.mark.parametrize(("size", "enough"), [(64 * 2**20, False), (2**31, True)])
def test_dockers_own_shared_memory_is_too_little(size: int, enough: bool) -> None:
    note = notes(Machine((), 2, size))["shared memory"]

    assert (note.advice == "") == enough
    assert f"{size // 2**20} MiB" in note.text


def test_a_share_of_the_cpus_is_said_beside_the_threads() -> None:
    note = notes(Machine((), 1.5, None), facts={"torch threads": 4})["threads"]

    assert note.text == (
        "1.5 CPUs may be used, threads: PyTorch 4; "
        "with another number of threads the same run has other bits"
    )


@pytest.mark.parametrize(
    ("profile", "libraries", "named"),
    [
        (["portable", 1], {"tensorflow": "2.9.3"}, ["tensorflow 2.9, float32", "softmax"]),
        (["portable", 1], {"torch": "2.0.1"}, ["lstsq"]),
        (["portable", 1], {"torch": "2.15.0"}, []),
        (["repeatable", 0], {"tensorflow": "2.9.3"}, []),
    ],
)
def test_the_doctor_names_what_no_knob_reaches(
    profile: list[Any], libraries: dict[str, str], named: list[str]
) -> None:
    seen = report(profile=profile, libraries=libraries)

    notes = of([seen], Machine((), 2, None), 0, {}, {})

    said = [note for note in notes if note.about == "portability"]
    assert bool(said) == bool(named)
    assert all(word in said[0].text and not said[0].advice for word in named)


def test_the_doctor_says_that_the_profile_fixes_the_threads() -> None:
    notes = of([report(profile=["portable", 3])], Machine((), 2, None), 0, {}, {})

    assert any("the profile portable fixes 3, on whatever machine" in one.text for one in notes)
