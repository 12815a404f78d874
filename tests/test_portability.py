"""Bits compared between CPUs: what the verdict says, and what can't be asked."""

from __future__ import annotations

from processors import questions
from processors.comparison import MOST_NAMED, Places, differing, failing, judge, named
from processors.questions import Answer, judge_all
from processors.report import report
from processors.runs import HERE, TRAINING_GROUP, Outcome, read_operations, without_noise

from repro_env.unportable import UNPORTABLE, reason

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
