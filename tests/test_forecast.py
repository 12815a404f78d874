"""What another CPU can change between two runs, by the profile under which they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from repro_env import knobs
from repro_env.knob import Profile
from repro_env.records import compare
from repro_env.records.record import Record
from tests.test_compare import UNAVAILABLE, changed, host, main

PROCESSOR = ("CPU model", "CPUs", "CPU features")
AVX2 = ["avx", "avx2", "fma"]


def run_of(
    profile: str = "portable",
    threads: int = 4,
    libraries: Mapping[str, str] = MappingProxyType({}),
    host_is: Mapping[str, object] = MappingProxyType({}),
    change: Callable[[Any], object] = bool,
) -> Record:
    """A run of which the main process kept all of the profile, but for what is changed."""

    def run(plain: Any) -> None:
        plain["definition"].update(profile=profile, threads=threads)
        host(plain).update({"cpu_features": AVX2, **host_is})
        asked = {knob.name: knob.wanted(Profile("portable", threads)) for knob in knobs.KNOBS}
        kept = {name: text for name, text in asked.items() if text is not None}
        main(plain).update(libraries=libraries, variables_at_end=kept, knobs_at_end={**kept})
        change(plain)

    return changed(run)


OTHER_CPU = {"cpu_model": "x", "cpus": 64.0, "cpu_features": [*AVX2, "x"]}


def decided(was: Record, now: Record) -> dict[str, str]:
    """What of the machine and of the profile can change bits."""
    found = compare.runs(was, now).differences
    shown = {*PROCESSOR, "profile", "threads"}
    return {one.what: one.can_change_bits for one in found if one.what in shown}


def why(was: Record, now: Record) -> str:
    return next(one.why for one in compare.runs(was, now).differences if one.what == "CPU model")


def test_another_cpu_changes_no_bit_under_the_profile_portable() -> None:
    assert decided(run_of(), run_of(host_is=OTHER_CPU)) == dict.fromkeys(PROCESSOR, "no")


@pytest.mark.parametrize(
    ("profiles", "threads", "also"),
    [
        pytest.param(("repeatable", "repeatable"), (0, 0), set(), id="repeatable"),
        pytest.param(("portable", "repeatable"), (4, 0), {"profile", "threads"}, id="one alone"),
    ],
)
def test_another_cpu_can_change_bits_under_any_other(
    profiles: tuple[str, str], threads: tuple[int, int], also: set[str]
) -> None:
    was = run_of(profiles[0], threads[0])
    now = run_of(profiles[1], threads[1], host_is=OTHER_CPU)

    assert decided(was, now) == dict.fromkeys({*PROCESSOR, *also}, "yes")


def test_another_number_of_threads_matters_under_portable() -> None:
    found = decided(run_of(threads=4), run_of(threads=2, host_is=OTHER_CPU))

    assert found == {**dict.fromkeys(PROCESSOR, "no"), "threads": "yes"}


@pytest.mark.parametrize("lacks", ["avx2", "fma"])
def test_a_cpu_on_which_the_profile_can_not_be_kept_changes_bits(lacks: str) -> None:
    without = [name for name in AVX2 if name != lacks]
    was, now = run_of(), run_of(host_is={**OTHER_CPU, "cpu_features": without})

    assert decided(was, now) == decided(now, was) == dict.fromkeys(PROCESSOR, "yes")
    assert why(was, now) == "the profile portable can't be kept on a CPU without AVX2"


@pytest.mark.parametrize(
    ("libraries", "decides", "named"),
    [
        pytest.param(
            {"tensorflow": "2.9.3"}, "unknown", "not portable in tensorflow 2.9", id="silent"
        ),
        pytest.param({"torch": "2.0.1+cu117"}, "no", "torch 2.0, bfloat16", id="raises an error"),
        pytest.param({"torch": "2.15.0", "numpy": "2.4.6"}, "no", "", id="all is portable"),
        pytest.param(
            {"tensorflow": "2.90.1"}, "unknown", "tensorflow 2.90.1 is portable", id="not measured"
        ),
    ],
)
def test_what_no_knob_reaches_is_named_of_another_cpu(
    libraries: dict[str, str], decides: str, named: str
) -> None:
    plain, other = run_of(host_is=OTHER_CPU), run_of(libraries=libraries)

    for pair in ((other, plain), (plain, other)):
        assert decided(*pair) == dict.fromkeys(PROCESSOR, decides)
        assert named in why(*pair)
        assert ("; but " in why(*pair)) == bool(named)


def of_main(name: str, value: str, *, variable: str | None = None) -> Callable[[Any], None]:
    """The knob's reading in the main process, and its variable where that is another."""

    def change(plain: Any) -> None:
        main(plain)["knobs_at_end"][name] = value
        main(plain)["variables_at_end"][name] = value if variable is None else variable

    return change


def of_another_process(plain: Any) -> None:
    lost = {**main(plain)["knobs_at_end"], "OMP_NUM_THREADS": "64"}
    plain["observation"]["processes"].append({**main(plain), "pid": 7, "knobs_at_end": lost})


def of_a_worker(plain: Any) -> None:
    of_another_process(plain)
    worker = plain["observation"]["processes"][-1]
    worker["place"] = "loader 1/process 2"
    worker["knobs_at_end"]["OMP_NUM_THREADS"] = "1"


def of_a_helper(plain: Any) -> None:
    of_another_process(plain)
    helper = plain["observation"]["processes"][-1]
    helper["libraries"] = {}
    helper["knobs_at_end"]["REPRO_PROFILE"] = "repeatable"


@pytest.mark.parametrize(
    ("change", "decides"),
    [
        pytest.param(of_main("ATEN_CPU_CAPABILITY", "AVX2"), "no", id="kept"),
        pytest.param(
            of_main("ATEN_CPU_CAPABILITY", "unreadable: x", variable="avx2"),
            "no",
            id="by the variable alone",
        ),
        pytest.param(
            of_main("ATEN_CPU_CAPABILITY", "unreadable: x", variable="avx512"),
            "unknown",
            id="another variable",
        ),
        pytest.param(of_main("OMP_NUM_THREADS", "8"), "unknown", id="another number of threads"),
        pytest.param(of_main("ATEN_CPU_CAPABILITY", "AVX512"), "unknown", id="a wider width"),
        pytest.param(of_main("REPRO_PROFILE", "repeatable"), "unknown", id="another profile"),
        pytest.param(of_main("TF_NUM_INTEROP_THREADS", "8"), "no", id="of what is not loaded"),
        pytest.param(of_another_process, "unknown", id="in another process"),
        pytest.param(of_a_worker, "no", id="one thread in a worker"),
        pytest.param(of_a_helper, "no", id="in a process that loads nothing"),
        pytest.param(
            lambda plain: plain["definition"].update(knobs=UNAVAILABLE),
            "unknown",
            id="no process was seen",
        ),
    ],
)
def test_a_profile_that_a_run_did_not_keep_makes_another_cpu_unknown(
    change: Callable[[Any], None], decides: str
) -> None:
    libraries = {"torch": "2.15.0", "numpy": "2.4.6"}
    one = run_of(libraries=libraries, change=change)
    other = run_of(libraries=libraries, host_is=OTHER_CPU)

    for pair in ((one, other), (other, one)):
        assert decided(*pair)["CPU model"] == decides
        assert ("; but " in why(*pair)) == (decides == "unknown")
