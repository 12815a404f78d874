"""What `scripts/portability` can be asked, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from processors.__main__ import CPUS, PAGE, QUICK, _parse, emulated, main, run, runner
from processors.elsewhere import read_elsewhere
from processors.errors import PortabilityError
from processors.runs import HERE, Outcome

from tests.conftest import PROJECT


def test_what_can_not_be_asked_ends_with_status_2_and_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert run(lambda: main(["--stack", "tf"])) == 2
    assert capsys.readouterr().err.splitlines()[0].startswith("error: no qemu-x86_64")


@pytest.mark.parametrize("counts", ["0", "1,,2", "two", "1025", "-1"])
def test_a_number_of_threads_that_is_none_is_refused(counts: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--stack", "tf", f"--threads={counts}"])

    assert raised.value.code == 2


def told_elsewhere(file: Path, **changes: object) -> Path:
    outcome = {"group": "numpy: products", "digest": "d1", "error": ""}
    sides = {side: {HERE: {"dot": outcome}, "EPYC": {}} for side in ("with", "without")}
    file.write_text(json.dumps({"stacks": {"tf": {**sides, **changes}}}))
    return file


def test_what_another_machine_gave_is_what_its_own_cpu_gave(tmp_path: Path) -> None:
    there = read_elsewhere(told_elsewhere(tmp_path / "there.json"), "tf")

    assert there.within == there.without == {"dot": Outcome("numpy: products", "d1")}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"with": {"EPYC": {}}}, id="none of its own CPU"),
        pytest.param({"with": {HERE: {"dot": {"nonsense": ""}}}}, id="another field"),
        pytest.param({"with": {HERE: ["dot"]}}, id="a list"),
        pytest.param({"without": None}, id="nothing without the profile"),
    ],
)
def test_another_file_than_the_json_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    file = told_elsewhere(tmp_path / "there.json", **changes)

    with pytest.raises(PortabilityError, match=r"there\.json has no outcomes of the tf stack"):
        read_elsewhere(file, "tf")


def test_another_stacks_outcomes_a_broken_file_and_none_are_refused(tmp_path: Path) -> None:
    file = told_elsewhere(tmp_path / "there.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 200_000)

    with pytest.raises(PortabilityError, match=r"there\.json has no outcomes of the torch stack"):
        read_elsewhere(file, "torch")
    with pytest.raises(PortabilityError, match=r"broken\.json has no outcomes") as raised:
        read_elsewhere(broken, "tf")
    assert raised.value.hint.endswith("scripts/portability --stack tf --here --json")
    with pytest.raises(PortabilityError, match=r"deep\.json has no outcomes"):
        read_elsewhere(deep, "tf")
    with pytest.raises(PortabilityError, match="No such file"):
        read_elsewhere(tmp_path / "none.json", "tf")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        pytest.param(["--here", "--threads=1"], "neither --threads", id="threads"),
        pytest.param(["--against=a", "--knobs"], "neither --threads", id="knobs"),
        pytest.param(["--here", "--cpu=EPYC"], "--cpu names one", id="cpu"),
        pytest.param(["--against=a/it", "--against=b/it"], "have one name", id="names"),
        pytest.param(["--against=a\nb"], "rename it", id="a newline in a name"),
        pytest.param(["--against=a|b"], "rename it", id="what divides columns"),
        pytest.param(["--threads=1", "--cpu=EPYC", "--cpu=max"], "names more", id="two of one"),
        pytest.param(["--threads=1", "--knobs"], "are two questions", id="questions"),
        pytest.param(["--write", "--quick"], "takes the whole table", id="quick"),
        pytest.param(["--write", "--operation=exp"], "takes the whole table", id="operations"),
        pytest.param(["--write", "--here"], "takes the whole table", id="this CPU alone"),
        pytest.param(["--write", "--cpu=EPYC"], "takes the whole table", id="another CPU"),
    ],
)
def test_contradicting_options_are_refused(
    wrong: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        _parse(["--stack", "tf", *wrong])

    assert raised.value.code == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--threads=1", "--quick", "--operation=exp"], id="threads"),
        pytest.param(["--knobs", "--cpu=EPYC", "--operation=exp"], id="knobs"),
        pytest.param(["--against=there.json"], id="another machine, too"),
    ],
)
def test_a_table_that_says_what_it_is_of_can_be_written(words: list[str]) -> None:
    assert _parse(["--stack=tf", "--write", *words]).write


@pytest.mark.parametrize(
    ("words", "cpus"),
    [
        pytest.param([], CPUS, id="all"),
        pytest.param(["--quick"], CPUS[:1], id="quick"),
        pytest.param(["--here"], (), id="none"),
        pytest.param(["--knobs"], ("Haswell-noTSX", "max"), id="another cache"),
        pytest.param(["--knobs", "--quick"], CPUS[:1], id="knobs, quick"),
        pytest.param(["--knobs", "--cpu=EPYC"], ["EPYC"], id="named"),
    ],
)
def test_each_question_has_cpus_of_its_own(words: list[str], cpus: object) -> None:
    assert emulated(_parse(["--stack=tf", *words]), "tf") == cpus


@pytest.mark.parametrize(
    ("words", "operations", "trains"),
    [
        pytest.param([], (), True, id="all"),
        pytest.param(["--threads=1,2"], (), True, id="threads"),
        pytest.param(["--knobs"], (), False, id="knobs"),
        pytest.param(["--quick"], QUICK, False, id="quick"),
        pytest.param(["--threads=1", "--operation=exp"], ["exp"], False, id="named"),
    ],
)
def test_the_examples_are_trained_where_nothing_is_chosen(
    words: list[str], operations: object, trains: bool
) -> None:
    found = runner(_parse(["--stack=tf", *words]), "tf", None)

    assert (found.operations, found.trainings) == (operations, trains)


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROJECT / "scripts/portability", *arguments], capture_output=True, text=True, check=False
    )


def test_the_help_is_the_comment_that_opens_the_script() -> None:
    told = script("--help")

    assert told.returncode == 0
    assert told.stdout.startswith("Usage: scripts/portability [--stack tf|torch|both]")
    options = ("threads", "knobs", "cpu", "here", "against", "quick", "operations", "json", "write")
    for option in map("--{}".format, options):
        assert f"\n  {option}" in told.stdout


@pytest.mark.parametrize("wrong", [["--nonsense"], ["--operations"], ["--operations", "--quick"]])
def test_a_wrong_option_is_an_error(wrong: list[str]) -> None:
    told = script(*wrong)

    assert told.returncode == 2
    assert "error: " in told.stderr


def test_the_page_has_a_place_for_each_table() -> None:
    page = PAGE.read_text()

    for stack in ("tf", "torch"):
        for kind in ("cpus", "threads", "knobs"):
            assert page.count(f"<!-- {kind} {stack}: begin -->\n") == 1
            assert page.count(f"<!-- {kind} {stack}: end -->\n") == 1
