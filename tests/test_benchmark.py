"""The figures: how sure they are, and how they get into the page."""

from __future__ import annotations

import pytest
from benchmark.__main__ import OF_ALL, OF_ONE
from benchmark.errors import BenchmarkError
from benchmark.markdown import compare, duration, megabytes, replaced, table
from benchmark.published import PUBLISHED, Published
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
    ("seconds", "text"), [(0.01747, "17.47 ms"), (0.9994, "999.40 ms"), (1.0, "1.00 s")]
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


@pytest.mark.parametrize("measure", OF_ALL)
def test_the_page_has_a_place_for_what_holds_all_stacks(measure: str) -> None:
    page = (PROJECT / "docs/benchmarks.md").read_text()

    assert "a table\n" in replaced(page, measure, "a table\n")


@pytest.mark.parametrize("image", PUBLISHED, ids=lambda image: image.name)
def test_every_published_size_says_where_and_when(image: Published) -> None:
    has_figure = image.unpacked_gb is not None or image.compressed_gb is not None

    assert image.source.startswith("https://") == has_figure
    assert (image.as_of >= "2024") == has_figure
