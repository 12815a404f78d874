"""Bits compared between CPUs: what the verdict says, and what can't be asked."""

from __future__ import annotations

import json
import os
import stat
import struct
import subprocess
from pathlib import Path

import pytest
from processors import questions
from processors.__main__ import CPUS, PAGE, QUICK, _parse, emulated, main, run, runner
from processors.comparison import MOST_NAMED, Places, differing, failing, judge, named
from processors.elsewhere import read_elsewhere
from processors.emulator import check_models, find_emulator, is_static
from processors.errors import PortabilityError
from processors.questions import Answer, judge_all
from processors.report import report
from processors.runs import HERE, TRAINING_GROUP, Outcome, read_operations, without_noise

from repro_env.unportable import UNPORTABLE, reason
from tests.conftest import PROJECT

PORTABLE = "portable: 2 operations and 1 training have the same bits on 2 CPUs; "
Digests = dict[str, str]


def outcomes(**digests: str) -> dict[str, Outcome]:
    groups = {"training": TRAINING_GROUP}
    return {
        name: Outcome(groups.get(name, "numpy: products"), digest)
        for name, digest in digests.items()
    }


def places(**elsewhere: str) -> Places:
    """Two CPUs, of which the second gives these digests instead of the first's."""
    first = {"dot": "d1", "matmul": "m1", "training": "t1"}
    return {HERE: outcomes(**first), "EPYC": outcomes(**{**first, **elsewhere})}


def no_reason(operation: str) -> str:
    del operation
    return ""


def not_for_dot(operation: str) -> str:
    return "its bits are the maker's" if operation == "dot" else ""


def test_the_same_bits_with_the_profile_and_others_without_are_portable() -> None:
    verdict = judge(places(), places(matmul="m2"), no_reason)

    assert verdict == (0, f"{PORTABLE}without the profile 1 differ")


def test_another_digest_is_named_and_not_portable() -> None:
    verdict = judge(places(matmul="m2"), places(matmul="m2"), no_reason)

    assert verdict == (1, "not portable: 1 of 3 differ on 2 CPUs: matmul")


def test_another_digest_of_a_training_is_not_portable() -> None:
    assert judge(places(training="t2"), places(matmul="m2"), no_reason).status == 1


def test_a_proof_in_which_nothing_could_differ_is_none() -> None:
    verdict = judge(places(), places(), no_reason)

    assert verdict.status == 1
    assert verdict.words.startswith("proves nothing: without the profile, too, nothing of")


def test_what_is_known_differs_on_any_cpu_and_proves_nothing_either() -> None:
    verdict = judge(places(dot="d2"), places(dot="d2"), not_for_dot)

    assert verdict.status == 1
    assert verdict.words.startswith("proves nothing: ")


def test_what_is_known_not_to_be_portable_may_differ_and_may_agree() -> None:
    without = places(matmul="m2")

    differs = judge(places(dot="d2"), without, not_for_dot)
    agrees = judge(places(), without, not_for_dot)

    assert differs == agrees
    assert differs.status == 0
    assert differs.words.endswith("1 differ; 1 known not to be portable are not counted")


def test_what_is_known_excuses_nothing_else() -> None:
    verdict = judge(places(dot="d2", matmul="m2"), places(matmul="m2"), not_for_dot)

    assert verdict.status == 1
    assert "1 of 2 differ on 2 CPUs: matmul;" in verdict.words


def test_an_operation_that_fails_on_one_cpu_leaves_the_question_open() -> None:
    within = places()
    failed = {**within["EPYC"], "dot": Outcome("numpy: products", "", "ended its process: 11")}

    verdict = judge({**within, "EPYC": failed}, places(matmul="m2"), no_reason)

    assert verdict == (2, "can't tell: 1 of 3 failed: dot (ended its process: 11 (EPYC))")


def test_an_operation_that_is_missing_on_one_cpu_leaves_the_question_open() -> None:
    within = places()
    fewer = {name: within["EPYC"][name] for name in ("matmul", "training")}

    verdict = judge({**within, "EPYC": fewer}, places(matmul="m2"), no_reason)

    assert verdict == (2, "can't tell: 1 of 3 failed: dot (missing (EPYC))")


def test_an_operation_that_is_missing_here_leaves_the_question_open() -> None:
    within = places()
    fewer = {name: within[HERE][name] for name in ("matmul", "training")}

    assert judge({**within, HERE: fewer}, places(matmul="m2"), no_reason).status == 2


def test_a_difference_is_said_even_where_something_else_failed() -> None:
    within = places(matmul="m2")
    failed = {**within["EPYC"], "dot": Outcome("numpy: products", "", "SIGSEGV")}

    assert judge({**within, "EPYC": failed}, places(matmul="m2"), no_reason).status == 1


def test_failing_everywhere_is_no_difference_and_no_agreement() -> None:
    failed = {"dot": Outcome("numpy: products", "", "TypeError")}
    within = {HERE: failed, "EPYC": failed}

    assert differing(within) == {}
    assert failing(within) == {"dot": f"TypeError ({HERE})"}
    assert judge(within, places(matmul="m2"), no_reason).status == 2


def test_nothing_but_what_is_known_proves_nothing() -> None:
    within = {HERE: outcomes(dot="d1"), "EPYC": outcomes(dot="d2")}

    assert judge(within, places(matmul="m2"), not_for_dot).status == 2


def test_one_cpu_alone_is_compared_with_nothing() -> None:
    alone = {HERE: places()[HERE]}

    assert judge(alone, alone, no_reason) == (
        0,
        "nothing is compared: 2 operations and 1 training on one CPU alone",
    )


def test_the_verdict_on_two_stacks_names_the_stack() -> None:
    same = Answer("torch", places(), places(matmul="m2"), "")
    apart = Answer("tf", places(matmul="m2"), places(matmul="m2"), "")

    verdict = judge_all([same, apart])

    assert verdict == (1, "not portable: 1 of 6 differ on 2 CPUs: tf: matmul")


def test_very_many_names_are_cut_and_counted() -> None:
    names = [f"n{number}" for number in range(MOST_NAMED + 3)]

    assert named(names[:MOST_NAMED]).count(",") == MOST_NAMED - 1
    assert named(names).endswith(f"n{MOST_NAMED - 1} and 3 more")


def test_the_table_has_a_line_for_a_group_and_one_for_each_that_differs() -> None:
    text = report(places(dot="d2", training="t2"), places(matmul="m2"), not_for_dot)

    assert text.splitlines()[:6] == [
        "|  | operations | EPYC | differ without the profile |",
        "| --- | --- | --- | --- |",
        "| numpy: products | 2 | 1 differ | 1 |",
        "| — dot |  | differs | same |",
        "| trainings | 1 | 1 differ | 0 |",
        "| — training |  | differs | same |",
    ]
    assert "- its bits are the maker's: `dot`\n- should be portable: `training`\n" in text


def test_lines_of_the_program_become_outcomes() -> None:
    lines = (
        '{"operation": "numpy dot", "group": "numpy: products", "digest": "ab", "seconds": 0.1}\n'
        '{"operation": "numpy sum", "group": "numpy: reductions", "error": "ended: 11"}\n'
    )

    assert read_operations(lines) == {
        "numpy dot": Outcome("numpy: products", "ab"),
        "numpy sum": Outcome("numpy: reductions", "", "ended: 11"),
    }


def test_what_the_emulator_leaves_out_is_no_news() -> None:
    noise = "qemu-x86_64: warning: TCG doesn't support requested feature: CPUID.01H:ECX.x2apic\n"

    assert without_noise(f"{noise}Killed\n{noise}") == "Killed\n"


def test_each_known_operation_has_a_reason_and_a_source_in_its_versions_alone() -> None:
    for known in UNPORTABLE:
        versions = {known.library: f"{known.version}.9+cu117"}
        assert known.source.startswith("https://")
        for name in known.operations:
            operation = f"{known.library} {name} {known.types[0]}"
            assert reason(operation, versions) == known.why
            assert not reason(operation, {known.library: "99.0"})
            assert not reason(operation, {})

    assert not reason("tensorflow matmul float32", {"tensorflow": "2.9.3"})
    assert not reason("tensorflow softmax float64", {"tensorflow": "2.9.3"})


def test_the_stacks_versions_decide_what_is_known() -> None:
    assert questions._reason("tf")("tensorflow softmax float32, 4 threads")
    assert questions._reason("tf")("torch lstsq float64")
    assert not questions._reason("torch")("torch lstsq float64")


def emulator(folder: Path, text: str, name: str = "qemu-x86_64") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_an_emulator_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PortabilityError, match=r"no qemu-x86_64 or .* is on PATH") as raised:
        find_emulator()
    assert "apt install" in raised.value.hint


@pytest.mark.parametrize(
    ("says", "message"),
    [
        pytest.param("qemu-x86_64 version 7.2.22 (Debian)", "is QEMU 7.2, and 10.0 is", id="old"),
        pytest.param("qemu-x86_64 version 10.0.2", "not statically linked", id="no ELF"),
        pytest.param("nonsense", "does not say its version", id="no version"),
    ],
)
def test_an_emulator_that_can_not_be_relied_on_is_refused(
    says: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator(tmp_path, says)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(PortabilityError, match=message):
        find_emulator()


def test_an_emulator_of_the_other_name_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator(tmp_path, "qemu-x86_64 version 6.1.0", name="qemu-x86_64-static")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PortabilityError, match=r"qemu-x86_64-static is QEMU 6\.1"):
        find_emulator()


def program(*kinds: int, bits: int = 2) -> bytes:
    """A program's head: 64 bytes, and 56 for each segment."""
    head = bytearray(64)
    head[:5] = b"\x7fELF" + bytes([bits])
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, len(kinds))
    return bytes(head) + b"".join(struct.pack("<I", kind).ljust(56, b"\0") for kind in kinds)


@pytest.mark.parametrize(
    ("content", "static"),
    [
        pytest.param(program(1, 2), True, id="no segment names a linker"),
        pytest.param(program(1, 3), False, id="one does"),
        pytest.param(program(1, bits=1), False, id="of 32 bits"),
        pytest.param(b"#!/bin/sh\n", False, id="a script"),
        pytest.param(b"", False, id="empty"),
    ],
)
def test_a_static_program_names_no_linker(content: bytes, static: bool, tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(content)

    assert is_static(path) is static


@pytest.mark.parametrize(
    "listed", ["Available CPUs:\n  EPYC    (alias)", "x86 EPYC    (alias configured)"]
)
def test_a_cpu_that_the_emulator_does_not_know_is_refused(listed: str, tmp_path: Path) -> None:
    path = emulator(tmp_path, listed)

    check_models(path, ["EPYC"])
    with pytest.raises(PortabilityError, match="knows no CPU EPYC-9"):
        check_models(path, ["EPYC", "EPYC-9"])


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
