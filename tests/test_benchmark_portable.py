"""What a profile costs: the sides that are timed, and how their table says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from benchmark.inside import Loop, process_seconds
from benchmark.markdown import table
from benchmark.operations import (
    BLOCK_S,
    CACHE_SIZES,
    OPERATIONS,
    block_seconds,
    main,
    time_program,
)
from benchmark.portable import (
    EXAMPLES,
    LIBRARIES,
    knob_cell,
    knob_rows,
    knob_sets,
    profile_row,
    profiles,
)
from benchmark.turns import in_turns

from repro_env.knobs import knob
from repro_env.portable import VALUES
from tests.conftest import PROJECT

KNOBS = {name: text.format(threads=4) for name, text in VALUES}
KNOBS[CACHE_SIZES] = str(knob(CACHE_SIZES).portable)


def test_many_sides_take_turns_and_their_order_is_turned_round_each_time() -> None:
    order: list[float] = []

    def side(seconds: float) -> float:
        order.append(seconds)
        return seconds

    told = in_turns([lambda: side(1.0), lambda: side(2.0), lambda: side(3.0)], runs=2)

    assert order == [3.0, 2.0, 1.0, 1.0, 2.0, 3.0]
    assert told == [[1.0] * 2, [2.0] * 2, [3.0] * 2]


def test_a_block_is_long_enough_to_tell_and_its_first_call_is_not_counted() -> None:
    calls: list[int] = []

    took_s = block_seconds(lambda: calls.append(1))

    assert took_s * (len(calls) - 1) >= BLOCK_S * 0.999
    assert took_s < BLOCK_S / 100  # of one call, not of the block


def test_a_call_longer_than_a_block_is_called_once_to_warm_up_and_once_to_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmark.operations.BLOCK_S", 1e-9)
    calls: list[int] = []

    block_seconds(lambda: calls.append(1))

    assert len(calls) == 2


def test_a_process_works_on_demand_with_its_own_words_and_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asked.py").write_text(
        "import os, sys\n"
        "for line in sys.stdin:\n"
        "    print(float(line) + float(sys.argv[1]) + float(os.environ['MORE']), flush=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with Loop(["asked", "10"], {"MORE": "100"}) as ours, Loop(["asked", "20"], {"MORE": "0"}) as b:
        told = [ours.seconds(1), b.seconds(2), ours.seconds("3")]

    assert told == [111.0, 22.0, 113.0]


def test_a_process_is_timed_with_variables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")

    process_seconds(["sh", "-c", '[ "$OURS$THEIRS" = 12 ]'], {"THEIRS": "2"})

    with pytest.raises(SystemExit, match="ended with wait status"):
        process_seconds(["sh", "-c", '[ "$OURS$THEIRS" = 12 ]'])


def test_a_program_is_timed_under_each_side_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # and back, after it
    log = tmp_path / "log"
    code = f"import os; open({str(log)!r}, 'a').write(os.environ['A']); open('written', 'w')"

    time_program(["-c", code], [{"A": "x"}, {"A": "y"}], runs=2)

    told = json.loads(capsys.readouterr().out)
    assert [len(side) for side in told] == [2, 2]
    assert log.read_text() == "xyyxxy"  # one more of each, to warm up
    assert [file.name for file in tmp_path.iterdir()] == ["log"]


def test_the_sides_are_both_profiles_and_the_other_one_with_as_many_threads() -> None:
    assert profiles(16) == [
        {"REPRO_PROFILE": "repeatable"},
        {"REPRO_PROFILE": "portable"},
        {"REPRO_PROFILE": "portable", "REPRO_THREADS": "16"},
    ]


def test_a_row_has_each_side_beside_the_first_and_is_never_a_miss() -> None:
    cells = profile_row("PyTorch: exp", [[1.0, 1.0, 1.0], [9.0, 9.0, 9.0], [0.5, 0.5, 0.5]])

    assert cells == [
        "PyTorch: exp",
        "3 x 3",
        "1.00 s",
        *("9.00 s", "**9.00**", "9.00 to 9.00"),
        *("500.00 ms", "**0.50**", "0.50 to 0.50"),
    ]
    assert not table(["a head"], cells).missed


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("library", LIBRARIES)
def test_each_knob_of_the_profile_that_a_library_reads_is_priced_alone_and_with_all(
    library: str, wide: bool
) -> None:
    sets = knob_sets(library, 4, wide)

    both = sets["all of `portable`"]
    assert next(iter(sets)) == "nothing"
    assert sets["nothing"] == {}
    assert both.items() <= KNOBS.items()
    assert all(sets[f"`{name}={text}`"] == {name: text} for name, text in both.items())


def test_no_knob_of_the_profile_is_left_out() -> None:
    priced = [name for library in LIBRARIES for name in knob_sets(library, 4, wide=False)]

    assert {f"`{name}={text}`" for name, text in KNOBS.items()} <= {*priced}


@pytest.mark.parametrize("library", LIBRARIES)
def test_wider_vectors_are_tried_only_where_the_cpu_has_them(library: str) -> None:
    def settings(sets: Mapping[str, Mapping[str, str]]) -> str:
        return str(list(sets.values())).replace("NPY_DISABLE_CPU_FEATURES': 'AVX512", "")

    narrow, wide = (settings(knob_sets(library, 4, wide)) for wide in (False, True))

    assert not any(word in narrow for word in ("avx512", "AVX512_CORE", "SkylakeX"))
    assert any(word in wide for word in ("avx512", "AVX512_CORE", "SkylakeX"))


def test_wider_vectors_leave_the_other_knobs_as_the_profile_sets_them() -> None:
    sets = knob_sets("torch", 4, wide=True)

    both, wider = sets["all of `portable`"], sets["all, but AVX-512"]
    changed = {name for name, value in both.items() if wider[name] != value}
    assert {*both} == {*wider}
    assert changed == {"ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"}


@pytest.mark.parametrize(
    ("ours", "text"),
    [
        pytest.param([2.0, 2.2, 2.4], "**2.00**", id="all slower"),
        pytest.param([0.5, 0.55, 0.9], "**0.50**", id="all faster"),
        pytest.param([1.15, 2.2, 2.4], "2.00", id="one is not slower"),
        pytest.param([0.5, 0.55, 1.05], "0.50", id="one is not faster"),
    ],
)
def test_a_ratio_is_bold_where_all_processes_of_a_side_lie_apart(
    ours: list[float], text: str
) -> None:
    assert knob_cell([[1.0, 1.1, 1.2], ours], 1) == text


def test_rows_of_knobs_begin_with_the_seconds_of_none_and_leave_out_what_is_not_there() -> None:
    timed = {"exp": [[1.0], [2.0]]}

    rows = list(knob_rows("numpy", ["nothing", "`A=1`"], timed, ["step", "exp"]))

    assert rows == [["NumPy", "nothing", "", "1.00 s"], ["NumPy", "`A=1`", "", "**2.00**"]]


def test_every_library_has_operations_and_a_framework_an_example() -> None:
    assert {*OPERATIONS} == {*LIBRARIES}
    assert {*EXAMPLES} == {*LIBRARIES} - {"numpy"}
    assert all((PROJECT / "examples" / name).is_file() for name in EXAMPLES.values())


def test_a_profile_that_is_not_in_effect_ends_the_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_PROFILE", "portable")  # and no hook is there to set it

    with pytest.raises(SystemExit, match="the profile portable is not in effect"):
        main("numpy")
