"""The figures: how sure they are, and how they get into the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark.__main__ import OF_ALL, OF_ONE, OF_TORCH, TORCH, runs
from benchmark.errors import BenchmarkError
from benchmark.inside import (
    call_seconds,
    digest_seconds,
    process_seconds,
    write_random,
)
from benchmark.markdown import compare, duration, megabytes, replaced, table
from benchmark.published import PUBLISHED, Published
from benchmark.records import (
    MANY,
    ONE,
    beyond,
    circumstances,
    report_record,
    row,
    shown_row,
    targets_of,
    whole,
)
from benchmark.stack import Stack
from benchmark.streams import KINDS, report
from benchmark.turns import UNKNOWN, Comparison, take_turns, verdict

from tests.conftest import PROJECT


def comparison(ours: list[float], plain: list[float], target: float = 1.15) -> Comparison:
    return Comparison("a start", ours, plain, target)


def steady(seconds: float, runs: int = 20) -> list[float]:
    """Times that scatter by a tenth of a per cent."""
    return [seconds * (1 + run % 3 / 1000) for run in range(runs)]


def test_each_side_goes_first_every_other_time() -> None:
    order: list[str] = []

    def side(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    ours, plain = take_turns(lambda: side("ours", 2.0), lambda: side("plain", 1.0), runs=4)

    assert order == ["plain", "ours", "ours", "plain"] * 2
    assert ours == [2.0] * 4
    assert plain == [1.0] * 4


def test_what_runs_to_warm_up_is_not_counted() -> None:
    seconds = iter(range(100))

    ours, plain = take_turns(lambda: next(seconds), lambda: next(seconds), runs=1, warm_up=2)

    assert sorted([*ours, *plain]) == [4, 5]


def test_the_ratio_is_that_of_the_medians() -> None:
    ratio = comparison([2.0, 3.0, 400.0], [1.0, 2.0, 3.0]).ratio()

    assert ratio == 1.5  # not the means', which one slow run decides


def test_an_interval_holds_the_ratio_and_steady_sides_have_a_narrow_one() -> None:
    measured = comparison(steady(1.1), steady(1.0))

    low, high = measured.interval()

    assert low <= measured.ratio() <= high
    assert high - low < 0.005


def test_sides_that_scatter_have_a_wide_interval() -> None:
    ours = [1.0, 2.0, 1.1, 1.9, 1.2]

    low, high = comparison(ours, [1.0, 1.1, 1.0, 1.1, 1.0]).interval()

    assert high - low > 0.5


def test_an_interval_comes_out_the_same_twice() -> None:
    ours = [1 + (run * 37 % 101) / 100 for run in range(50)]
    measured = comparison(ours, steady(1.0, runs=50))

    assert len({measured.interval() for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("low", "high", "kept"),
    [
        pytest.param(1.00, 1.10, "yes", id="below"),
        pytest.param(1.00, 1.15, "yes", id="up to the target"),
        pytest.param(1.10, 1.20, UNKNOWN, id="across"),
        pytest.param(1.15, 1.20, UNKNOWN, id="from the target on"),
        pytest.param(1.16, 1.20, "no", id="above"),
    ],
)
def test_a_target_is_kept_or_missed_only_by_the_whole_interval(
    low: float, high: float, kept: str
) -> None:
    assert verdict(low, high, 1.15) == kept


def test_a_table_has_its_head_a_rule_and_its_rows() -> None:
    report = table(["step", "took"], ["one", "1.0 s"], ["two", "2.0 s"])

    assert report.text == "| step | took |\n| --- | --- |\n| one | 1.0 s |\n| two | 2.0 s |\n"


@pytest.mark.parametrize(
    ("ours", "kept", "missed"),
    [
        pytest.param(steady(1.1), "yes", False, id="kept"),
        pytest.param(steady(1.3), "no", True, id="missed"),
        pytest.param([1.0, 1.3] * 10, UNKNOWN, False, id="nobody can tell"),
    ],
)
def test_a_comparison_is_a_miss_only_where_that_is_sure(
    ours: list[float], kept: str, missed: bool
) -> None:
    report = compare("without", "with", comparison(ours, steady(1.0)))

    assert report.missed is missed
    assert report.text.endswith(f" | {kept} |\n")
    assert report.text.splitlines()[0].startswith("|  | runs | without: median (least) | with:")
    assert "| 2 x 20 | 1.00 s (1.00 s) |" in report.text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0000153, "15.30 µs"), (0.001, "1.00 ms"), (0.9994, "999.40 ms"), (1.0, "1.00 s")],
)
def test_seconds_have_a_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_megabyte_is_a_million_bytes() -> None:
    assert megabytes(6_600_400_000) == "6,600.4 MB"


PAGE = """# Page
<!-- start tf: begin -->
old
<!-- start tf: end -->
between
<!-- start torch: begin -->
theirs
<!-- start torch: end -->
after
"""


@pytest.mark.parametrize("text", ["new\n", "", "| a\\d \\1 |\n", "two\nlines\n"])
def test_a_table_replaces_what_is_between_its_marks_and_nothing_else(text: str) -> None:
    page = replaced(PAGE, "start tf", text)

    assert page == PAGE.replace("old\n", text)


def test_writing_the_same_twice_changes_nothing() -> None:
    once = replaced(PAGE, "start torch", "new\n")

    assert replaced(once, "start torch", "new\n") == once


@pytest.mark.parametrize(
    ("page", "name"),
    [
        pytest.param(PAGE, "start", id="no such marks"),
        pytest.param(PAGE + PAGE, "start tf", id="marks twice"),
        pytest.param(PAGE.replace("<!-- start tf: end -->\n", ""), "start tf", id="no end"),
        pytest.param(PAGE + "<!-- start tf: begin -->\n", "start tf", id="begun again"),
        pytest.param(
            "<!-- a: end -->\n<!-- a: begin -->\n<!-- a: end -->\n", "a", id="an end before"
        ),
    ],
)
def test_a_page_without_one_place_for_the_table_is_refused(page: str, name: str) -> None:
    with pytest.raises(BenchmarkError, match=f"no one place for {name}"):
        replaced(page, name, "new\n")


@pytest.mark.parametrize("stack", ["tf", "torch"])
@pytest.mark.parametrize("measure", OF_ONE)
def test_the_page_has_a_place_for_every_table(measure: str, stack: str) -> None:
    page = (PROJECT / "docs/benchmarks.md").read_text()

    assert "a table\n" in replaced(page, f"{measure} {stack}", "a table\n")


@pytest.mark.parametrize("measure", OF_TORCH)
def test_the_page_has_a_place_for_what_the_torch_stack_alone_has(measure: str) -> None:
    page = (PROJECT / "docs/benchmarks.md").read_text()

    assert "a table\n" in replaced(page, f"{measure} torch", "a table\n")


@pytest.mark.parametrize("measure", OF_ALL)
def test_the_page_has_a_place_for_what_holds_all_stacks(measure: str) -> None:
    page = (PROJECT / "docs/benchmarks.md").read_text()

    assert "a table\n" in replaced(page, measure, "a table\n")


@pytest.mark.parametrize(
    ("measure", "tables"),
    [
        pytest.param("start", ["start tf", "start torch"], id="in each stack"),
        pytest.param("seeding", ["seeding torch"], id="in the torch stack alone"),
        pytest.param("sizes", ["sizes"], id="over all stacks"),
    ],
)
def test_a_measure_runs_in_the_stacks_that_it_is_for(measure: str, tables: list[str]) -> None:
    found = runs(measure, [Stack("tf"), TORCH])

    assert [name for name, _ in found] == tables


def test_a_measure_of_the_torch_stack_is_refused_where_only_another_is_asked_for() -> None:
    with pytest.raises(BenchmarkError, match="seeding is for the torch stack"):
        runs("seeding", [Stack("tf")])


def test_a_call_is_timed_in_the_mean_of_a_block_with_other_numbers_each() -> None:
    numbers: list[int] = []

    seconds = call_seconds(numbers.append, calls=3)

    assert numbers == [1, 2, 3]  # 0 was the first, which is measured alone
    assert 0 < seconds < 1


@pytest.mark.parametrize(
    ("slowest_s", "kept"),
    [
        pytest.param(19e-6, "yes", id="below"),
        pytest.param(21e-6, UNKNOWN, id="across"),
    ],
)
def test_streams_keep_their_target_only_in_every_process(slowest_s: float, kept: str) -> None:
    processes = [dict.fromkeys(KINDS, seconds) for seconds in (15e-6, 16e-6, slowest_s)]

    row = report(processes).text.splitlines()[3]

    assert row.endswith(
        f" | 3 | 16.00 µs | 15.00 µs | {slowest_s * 1e6:.2f} µs | 20.00 µs | {kept} |"
    )


@pytest.mark.parametrize(
    ("kind", "missed"),
    [
        pytest.param("stream", True, id="a stream"),
        pytest.param("first", False, id="the first"),
        pytest.param("default_rng", False, id="what is beside it"),
    ],
)
def test_the_target_is_that_of_streams_after_the_first(kind: str, missed: bool) -> None:
    process = {**dict.fromkeys(KINDS, 10e-6), kind: 50e-6}

    assert report([process]).missed is missed


def test_a_run_counts_by_what_it_takes_beyond_its_command_and_the_help_whole() -> None:
    pairs = [(0.5, 0.1), (0.6, 0.5), (0.9, 0.3)]

    assert beyond(pairs) == pytest.approx(
        0.3
    )  # the difference of the medians, not the median difference
    assert whole(pairs) == 0.6


@pytest.mark.parametrize(
    ("ours", "kept"),
    [
        pytest.param(steady(0.3), "yes", id="kept"),
        pytest.param(steady(0.5), "no", id="missed"),
        pytest.param([0.3, 0.5] * 10, UNKNOWN, id="nobody can tell"),
    ],
)
def test_a_figure_in_seconds_keeps_its_target_only_by_the_whole_interval(
    ours: list[float], kept: str
) -> None:
    cells = row("a run", list(zip(ours, steady(0.1))), beyond, target_s=0.35)

    assert cells[:3] == ["a run", "2 x 20", "100.10 ms"]
    assert cells[-2:] == ["0.35 s", kept]


@pytest.mark.parametrize(
    ("run_s", "help_s", "missed"),
    [
        pytest.param(0.36, 0.14, False, id="both kept"),
        pytest.param(0.38, 0.14, True, id="the run is slow"),
        pytest.param(0.36, 0.16, True, id="the help is slow, though not beyond Python's start"),
    ],
)
def test_a_slow_run_and_a_slow_help_are_each_a_miss(
    run_s: float, help_s: float, missed: bool
) -> None:
    beside = steady(0.02)

    report = report_record(list(zip(steady(run_s), beside)), list(zip(steady(help_s), beside)))

    assert report.missed is missed


@pytest.mark.parametrize(("cores", "target"), [(1, 1.25), (2, 0.625), (16, 0.078125)])
def test_many_files_may_take_less_the_more_cores_there_are_and_one_file_may_not(
    cores: int, target: float
) -> None:
    assert targets_of(cores) == {ONE: 1.0, MANY: target}


def test_what_is_shown_without_a_target_is_no_miss_however_slow() -> None:
    cells = shown_row(ONE, Comparison("", steady(9.0), steady(1.0), target=1.0))

    assert cells[0] == "one file of 512 MiB, beside `sha256sum`"
    assert cells[4] == "**9.000**"
    assert not table(["a head"], cells).missed


@pytest.mark.parametrize(
    ("cpu", "libraries", "text"),
    [
        pytest.param(
            "flags : sse2 sha_ni\n",
            "\tlibc.so.6 => /lib/libc.so.6\n",
            "has instructions for SHA-256; `sha256sum` is not linked to",
            id="x86 with, in plain C",
        ),
        pytest.param(
            "Features : sha1 sha2 crc32\n",
            "\tlibc.so.6 => /lib/libc.so.6\n",
            "has instructions for SHA-256; `sha256sum` is not linked to",
            id="ARM with, in plain C",
        ),
        pytest.param(
            "flags : sse2 sha512_ni\n",
            "\tlibcrypto.so.3 => /lib/libcrypto.so.3\n",
            "lacks instructions for SHA-256; `sha256sum` is linked to",
            id="without, by OpenSSL",
        ),
    ],
)
def test_the_figures_say_what_computed_the_digests(cpu: str, libraries: str, text: str) -> None:
    assert text in circumstances(cpu, libraries)


def test_a_process_is_timed_to_its_end_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    seconds = process_seconds(["sh", "-c", "echo out; echo err >&2; sleep 0.2"])

    assert 0.2 <= seconds < 10
    assert capfd.readouterr() == ("", "")


def test_a_process_that_fails_ends_the_measure_with_its_command() -> None:
    with pytest.raises(SystemExit, match="'sh -c exit 3' ended with wait status 768"):
        process_seconds(["sh", "-c", "exit 3"])


def test_files_to_digest_have_their_size_and_other_bytes_each(tmp_path: Path) -> None:
    files = [tmp_path / "0.bin", tmp_path / "1.bin"]

    for file in files:
        write_random(file, 100)

    assert [file.stat().st_size for file in files] == [100, 100]
    assert files[0].read_bytes() != files[1].read_bytes()


def test_digests_are_timed(tmp_path: Path) -> None:
    write_random(tmp_path / "0.bin", 100)

    assert 0 < digest_seconds([str(tmp_path / "0.bin")]) < 10


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("absent.bin", id="a file that is not there"),
        pytest.param("0.npy", id="an array whose content can't be read"),
        pytest.param("0.json", id="content where bytes were to be timed"),
    ],
)
def test_digests_of_another_kind_than_meant_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "0.npy").write_bytes(b"no array")
    (tmp_path / "0.json").write_text("{}")

    with pytest.raises(SystemExit, match=f"{name} has another digest"):
        digest_seconds([str(tmp_path / name)])


@pytest.mark.parametrize("image", PUBLISHED, ids=lambda image: image.name)
def test_every_published_size_says_where_and_when(image: Published) -> None:
    has_figure = image.unpacked_gb is not None or image.compressed_gb is not None

    assert image.source.startswith("https://") == has_figure
    assert (image.as_of >= "2024") == has_figure
