"""The page of `repro report`: what it says, that nothing gets out of its text, and its size."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest

from repro_env.pages import chart, scale, spread, tracks
from repro_env.pages.markup import Html, element, escaped, joined
from repro_env.pages.report import STYLE, page
from repro_env.steps.stream import Entry
from repro_env.verification.outcome import NotVaried
from tests.pages_cases import (
    HOSTILE,
    RUNS,
    agreeing,
    attempt,
    differing,
    hostile,
    of_entries,
    record,
    step,
    stream,
    verification,
)

EMPTY = {"meta", "line", "path", "rect"}


class Reader(HTMLParser):
    """Reads a page: every tag must be closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def test_the_verdict_comes_first_and_says_what_it_shows() -> None:
    read = Reader(page(*agreeing()))

    assert read.text.startswith("identical bytes: 3 of 3 agree (20261126-140211-v3rf)")
    assert "a divergence in more than 63 % of runs would have shown, at 95 %" in read.text
    assert "grade repeatable" in " ".join(read.words)


@pytest.mark.parametrize("made", [agreeing, differing], ids=["agreeing", "differing"])
def test_it_never_says_deterministic(made: object) -> None:
    assert callable(made)
    assert (
        "deterministic"
        not in re.sub(r"TORCHINDUCTOR_DETERMINISTIC|TF_DETERM\w+", "", page(*made())).lower()
    )


def test_what_differs_is_named_with_its_cause_and_the_guilty_factor() -> None:
    read = Reader(page(*differing()))

    assert "different: 1 of 3 attempts differs from the first" in read.text
    assert "attempt 2: step 17 of Adam: parameter fc.weight differs" in read.text
    assert "the module fc" in read.text
    assert "thread race: varied alone, it breaks the agreement" in read.text
    assert "would have shown" not in read.text


def test_the_map_starts_where_the_runs_part_and_only_there() -> None:
    read = Reader(page(*differing()))

    maps = [attributes for tag, attributes in read.tags if attributes.get("class") == "map"]
    assert len(maps) == 1
    assert "Starts at step 17 in parameter fc.weight." in read.text
    assert page(*differing()).count('<tr class="first new">') == 1
    assert "runs part at step 17" in read.text


def test_agreeing_runs_have_one_curve_and_no_map() -> None:
    read = Reader(page(*agreeing()))

    assert "All 3 curves lie on each other" in read.text
    assert "the digests of 4 things are the same after each of 40 steps" in read.text
    assert 'class="map"' not in page(*agreeing())


def test_a_run_that_was_never_verified_says_so() -> None:
    read = Reader(page(None, {RUNS[0]: record(RUNS[0])}, {RUNS[0]: [stream()]}))

    assert f"repro verify {RUNS[0]}" in read.text
    assert read.text.startswith(f"not verified: {RUNS[0]}")
    assert "One run alone" in read.text
    assert "Attempts" not in read.text


def test_without_steps_the_page_says_how_to_follow_them() -> None:
    found, records, _ = agreeing()

    assert Reader(page(found, records, {})).text.count("No steps were followed") == 2


def test_a_factor_that_can_t_be_varied_is_listed_with_its_reason() -> None:
    refused = NotVaried("host name", "unshare is refused")
    varied = [attempt(RUNS[0]), attempt(RUNS[1], varied=["hash seed"])]
    made = verification(varied, not_varied=[refused], grade="robust", robust_to=["hash seed"])

    read = Reader(page(made, {}, {}))

    assert "host name not varied unshare is refused" in " ".join(read.words)
    assert "robust to hash seed" in read.text


def test_text_of_strangers_stays_text() -> None:
    text = page(*hostile())

    read = Reader(text)
    assert read.open == []
    assert {tag for tag, _ in read.tags} & {"img", "script", "a", "iframe", "link"} == set()
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert not {"\u202e", "\ud800"} & {*text}
    assert escaped(HOSTILE) in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param('<a b="c">&\'', "&lt;a b=&quot;c&quot;&gt;&amp;&#x27;", id="markup"),
        pytest.param("a\nb\u202e\ud800", r"a\nb\u202e\ud800", id="what does not print"),
    ],
)
def test_text_is_escaped_on_its_way_into_an_element(text: str, written: str) -> None:
    assert element("p", text, title=text) == f'<p title="{written}">{written}</p>'
    assert joined([text, Html("<b></b>")]) == f"{written}<b></b>"


def test_markup_that_became_a_plain_string_is_escaped_again() -> None:
    assert joined(Html("<b>") + "<i>") == "&lt;b&gt;&lt;i&gt;"


def test_nothing_is_asked_of_the_network() -> None:
    read = Reader(page(*differing()))

    policy = next(each for _, each in read.tags if "http-equiv" in each)["content"] or ""
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not any({"src", "href", "style"} & {*attributes} for _, attributes in read.tags)
    assert not re.search(r"url\(|@import|https?:", page(*differing()))


def colours() -> list[dict[str, str]]:
    """The colours of the light page, and of the dark one."""
    text = STYLE.read_text()
    whole = [dict(re.findall(r"--([\w-]+): (#\w+);", part)) for part in text.split("@media")[:2]]
    return [whole[0], {**whole[0], **whole[1]}]


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminance, from 1 to 21.

    Source:
        https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
    """
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize("found", colours(), ids=["light", "dark"])
def test_colours_can_be_told_apart(found: dict[str, str]) -> None:
    words = {(ink, "paper") for ink in ("ink", "dim", "mark", "good", "bad", "open")}
    words |= {
        (ink, f"{tone}-wash") for tone in ("good", "bad", "open") for ink in ("ink", "dim", tone)
    }
    shapes = {("differs", "same"), ("missing", "same")} | {
        (f"look{at}", "paper") for at in range(8)
    }

    assert [pair for pair in words if contrast(*(found[one] for one in pair)) < 4.5] == []
    assert [pair for pair in shapes if contrast(*(found[one] for one in pair)) < 3] == []


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert page(*differing()) == page(*differing())


def test_headings_are_in_order_and_heads_of_tables_say_what_they_head() -> None:
    read = Reader(page(*differing()))

    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert [at for at, level in enumerate(levels) if level == 1] == [0]
    assert all(now <= was + 1 for was, now in zip(levels, levels[1:]))
    assert all("scope" in attributes for tag, attributes in read.tags if tag == "th")


def test_a_large_page_stays_small() -> None:
    names = tuple(f"parameter {at}.weight" for at in range(60))
    runs = [f"{RUNS[0]}{at}" for at in range(5)]
    found = verification([attempt(run) for run in runs], reference=RUNS[0])
    records = {run: record(run) for run in runs}

    # The worst case: each cell of the maps differs from its neighbour.
    ragged = stream(10_000, names=names, differs=lambda at: at // 40 % 2 == 1)
    streams = {RUNS[0]: [stream(10_000, names=names)]}
    streams.update({run: [ragged] for run in runs})

    assert len(page(found, records, streams).encode()) < 500_000


def test_streams_of_unequal_length_and_order_are_aligned() -> None:
    whole, short = stream(10).entries, stream(8).entries

    (track,) = tracks.aligned(
        {"a": [of_entries("", whole)], "b": [of_entries("", [*short[4:], *short[:4]])]}, "ab"
    )

    assert track.steps == list(range(1, 11))
    begin = spread.start(spread.rows(track, "a", "b"))
    assert begin is not None
    assert (begin.place, begin.row.cells) == (8, bytes([0] * 8 + [spread.MISSING] * 2))


def test_each_process_and_source_has_a_track_of_its_own() -> None:
    one = [*stream(2).entries, *stream(2, source="Adam 2").entries]

    found = tracks.aligned(
        {"a": [of_entries("", one), of_entries("", one), of_entries("rank 1", one)]}, "a"
    )

    assert [(track.place, track.source) for track in found] == [
        (place, source)
        for place in ("main process", "main process (2)", "rank 1")
        for source in ("Adam", "Adam 2")
    ]


def test_the_first_row_of_a_step_in_causal_order_is_where_runs_part() -> None:
    columns = tuple((name, "float32 []") for name in ("parameter a", "gradient a", "loss"))
    was = Entry("Adam", 1, 0.5, {}, columns, "aabbcc")
    now = Entry("Adam", 1, 0.5, {}, columns, "xxyycc")

    (track,) = tracks.aligned({"a": [of_entries("", [was])], "b": [of_entries("", [now])]}, "ab")

    begin = spread.start(spread.rows(track, "a", "b"))
    assert begin is not None
    assert begin.row.names == ("gradient a",)


def test_many_rows_are_joined_but_for_the_one_where_runs_part() -> None:
    found = [spread.Row((f"parameter {at}",), bytes([0, at == 77, at > 50])) for at in range(200)]

    joint = spread.merged(found, most=20)

    assert len(joint) <= 23
    assert [name for row in joint for name in row.names] == [row.names[0] for row in found]
    begin = spread.start(joint)
    assert begin is not None
    assert (begin.place, begin.row.names) == (1, ("parameter 77",))


def test_bins_keep_the_worst_of_their_cells() -> None:
    cells = bytes([0, 0, spread.MISSING, spread.DIFFERS, 0])

    assert spread.binned(cells, 2) == bytes([0, spread.DIFFERS, 0])


def test_thinned_curves_keep_their_extremes_and_ends() -> None:
    points = [(at, math.sin(at)) for at in range(10_000)]
    points[1234], points[7777] = (1234, 50.0), (7777, -50.0)

    thin = chart.thinned(points, kept=4321)

    assert len(thin) <= chart.MOST_POINTS + 1
    assert {points[0], points[1234], points[4321], points[7777], points[-1]} <= {*thin}
    assert chart.thinned(points[:100]) == points[:100]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        pytest.param([0.08, 2.31], ["0", "0.5", "1", "1.5", "2", "2.5"], id="linear"),
        pytest.param([1e-9, 1.0], ["1e-9", "1e-7", "1e-5", "1e-3", "1e-1"], id="logarithmic"),
        pytest.param(
            [1.0001, 1.0002],
            [f"1.000{at}" for at in ("1", "12", "14", "16", "18", "2")],
            id="close",
        ),
        pytest.param([1e-7, 4e-7], ["1e-7", "2e-7", "3e-7", "4e-7"], id="small"),
        pytest.param([5.0], ["4.4", "4.6", "4.8", "5", "5.2", "5.4", "5.6"], id="one value"),
    ],
)
def test_ticks_are_round_and_differ(values: list[float], ticks: list[str]) -> None:
    axis = scale.scale(values)

    assert [text for _, text in axis.ticks][-len(ticks) :] == ticks
    assert all(0 <= axis.share(value) <= 1 for value in values)


def test_a_single_power_of_ten_has_a_logarithmic_axis() -> None:
    axis = scale.scale([1e-6], is_logarithmic=True)

    assert axis.ticks == [(0.0, "1e-6"), (1.0, "1e-5")]


@pytest.mark.parametrize("values", [[1e308, -1e308], [5e-324, 1e308], [0.0], [1.0, 1.0 + 2**-52]])
def test_no_finite_values_are_too_large_or_too_close_for_an_axis(values: list[float]) -> None:
    axis = scale.scale(values)

    assert all(math.isfinite(axis.share(value)) for value in values)
    assert 2 <= len(axis.ticks) <= 12


@pytest.mark.parametrize("steps", [[1], [7, 7], [10**400, 1], list(range(100)), [3, 1, 2]])
def test_every_axis_of_steps_has_a_few_numbers(steps: list[int]) -> None:
    places = scale.places(steps)

    assert 1 <= len(places) <= 9
    assert all(0 <= place < len(steps) for place in places)


def test_a_loss_that_is_no_number_breaks_the_curve_and_is_named() -> None:
    entries = [
        step(1, 1.0),
        step(2, math.nan),
        step(3, 3.0),
        step(4, math.inf),
        step(5, None),
        step(6, 2.0),
    ]

    text = page(None, {RUNS[0]: record(RUNS[0])}, {RUNS[0]: [of_entries("", entries)]})

    assert "the loss is nan at step 2" in Reader(text).text
    drawn = re.findall(r'd="([^"]*)" class="line look0"', text)[0]
    assert drawn.count("M") == 3
    assert "nan" not in drawn


def test_what_is_not_kept_here_is_left_out() -> None:
    found, _, _ = differing()

    read = Reader(page(found, {}, {}))

    assert "No record of these runs is here." in read.text
    assert "The runs made no files" not in read.text
