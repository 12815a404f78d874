"""Two records side by side: what differs, and what of it can change bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from repro_env.records import compare
from repro_env.records.record import Record
from tests.test_record import golden


def changed(change: Callable[[Any], object]) -> Record:
    """The golden record, with a change made to its JSON."""
    plain = json.loads(golden())
    change(plain)
    return msgspec.convert(plain, Record)


def differences(change: Callable[[Any], object]) -> list[tuple[str, str, str]]:
    found = compare.runs(msgspec.json.decode(golden(), type=Record), changed(change)).differences
    return [(one.group, one.what, one.can_change_bits) for one in found]


def host(plain: Any) -> Any:
    return plain["observation"]["host"]


def main(plain: Any) -> Any:
    return plain["observation"]["processes"][0]


ZEROS = "0" * 64
UNAVAILABLE = {"status": "unavailable", "reason": "x"}
H100 = {"name": "H100", "capability": "9.0", "driver": "550.1"}
CHANGES = [
    pytest.param(
        lambda p: p["definition"].update(command=["x"]), ("code", "command", "yes"), id="command"
    ),
    pytest.param(
        lambda p: p["definition"].update(parameters={}),
        ("code", "parameters", "yes"),
        id="parameters",
    ),
    pytest.param(
        lambda p: p["definition"]["code"].update(tree="0" * 40),
        ("code", "git tree", "yes"),
        id="tree",
    ),
    pytest.param(
        lambda p: p["definition"]["code"].update(commit="0" * 40),
        ("code", "git commit", "no"),
        id="commit",
    ),
    pytest.param(
        lambda p: p["definition"]["code"].update(left_out=[]),
        ("code", "left out", "unknown"),
        id="left out",
    ),
    pytest.param(
        lambda p: p["definition"].update(code=UNAVAILABLE),
        ("code", "code", "unknown"),
        id="no code",
    ),
    pytest.param(
        lambda p: p["inputs"][0].update(sha256=ZEROS), ("inputs", "data/numbers", "yes"), id="input"
    ),
    pytest.param(
        lambda p: p["inputs"].clear(), ("inputs", "data/numbers", "yes"), id="input not named"
    ),
    pytest.param(
        lambda p: p["definition"].update(seed=7), ("environment", "seed", "yes"), id="seed"
    ),
    pytest.param(
        lambda p: p["definition"]["variables"].update(TF_DETERMINISTIC_OPS="0"),
        ("environment", "TF_DETERMINISTIC_OPS", "yes"),
        id="variable",
    ),
    pytest.param(
        lambda p: p["definition"]["variables"].update(OMP_NUM_THREADS="3"),
        ("environment", "OMP_NUM_THREADS", "yes"),
        id="threads",
    ),
    pytest.param(
        lambda p: p["definition"]["variables"].pop("CUBLAS_WORKSPACE_CONFIG"),
        ("environment", "CUBLAS_WORKSPACE_CONFIG", "no"),
        id="GPU's variable, no GPU",
    ),
    pytest.param(
        lambda p: p["definition"]["knobs"]["values"].update(TZ="Asia/Tokyo2"),
        ("environment", "TZ in effect", "yes"),
        id="knob in effect",
    ),
    pytest.param(lambda p: host(p).update(cpus=64.0), ("environment", "CPUs", "yes"), id="CPUs"),
    pytest.param(
        lambda p: host(p)["cpu_features"].append("x"),
        ("environment", "CPU features", "yes"),
        id="CPU features",
    ),
    pytest.param(
        lambda p: host(p).update(cpu_model="x"), ("environment", "CPU model", "yes"), id="CPU model"
    ),
    pytest.param(
        lambda p: host(p).update(cpu_model=UNAVAILABLE),
        ("environment", "CPU model", "unknown"),
        id="unknown CPU",
    ),
    pytest.param(lambda p: host(p).update(gpus=[H100]), ("environment", "GPUs", "yes"), id="GPU"),
    pytest.param(
        lambda p: host(p).update(kernel="x"), ("environment", "kernel", "no"), id="kernel"
    ),
    pytest.param(lambda p: host(p).update(libc="x"), ("environment", "libc", "yes"), id="libc"),
    pytest.param(
        lambda p: p["definition"]["packages"]["versions"].update({"numpy": "9"}),
        ("environment", "package numpy", "yes"),
        id="package",
    ),
    pytest.param(
        lambda p: main(p).update(python="3.0.0"), ("environment", "Python", "yes"), id="Python"
    ),
    pytest.param(
        lambda p: main(p)["facts"].update({"torch threads": "3"}),
        ("environment", "torch threads", "yes"),
        id="torch's threads",
    ),
    pytest.param(
        lambda p: main(p)["blas"].append("/x/libopenblas.so"),
        ("environment", "BLAS", "yes"),
        id="BLAS",
    ),
    pytest.param(
        lambda p: p["observation"]["processes"].clear(),
        ("environment", "Python processes", "unknown"),
        id="processes",
    ),
    pytest.param(
        lambda p: p["observation"].update(exit_status=1),
        ("outputs", "exit status", "yes"),
        id="status",
    ),
    pytest.param(
        lambda p: p["outputs"][1].update(sha256=ZEROS),
        ("outputs", "weights.bin", "yes"),
        id="output by bytes",
    ),
    pytest.param(
        lambda p: p["outputs"][0].update(sha256=ZEROS),
        ("outputs", "metrics.json", "no"),
        id="output by content",
    ),
    pytest.param(
        lambda p: p["outputs"].pop(), ("outputs", "weights.bin", "yes"), id="output not made"
    ),
    pytest.param(
        lambda p: p["outputs"][1].update(kind="unreadable"),
        ("outputs", "weights.bin", "unknown"),
        id="output not read",
    ),
]


@pytest.mark.parametrize(("change", "found"), CHANGES)
def test_a_change_is_found_and_said_to_matter_or_not(
    change: Callable[[Any], object], found: tuple[str, str, str]
) -> None:
    assert differences(change) == [found]


@pytest.mark.parametrize("name", ["reason", "started", "ended", "working_folder", "notes"])
def test_what_decides_nothing_is_no_difference(name: str) -> None:
    empty: dict[str, Any] = {"notes": []}

    assert (
        differences(lambda plain: plain["observation"].update({name: empty.get(name, "x")})) == []
    )


IMAGE = {
    "status": "known",
    "digest": "sha256:" + ZEROS,
    "stack": "tf",
    "base": "debian",
    "base_digest": "sha256:1",
    "lock": "sha256:2",
    "requirements": "sha256:3",
    "source_commit": "unknown",
    "source_changed": False,
    "drifted": [],
}


@pytest.mark.parametrize(
    ("changes", "what", "decides"),
    [
        ({"lock": "sha256:9"}, "image's lock", "yes"),
        ({"requirements": "sha256:9"}, "image's requirements", "yes"),
        ({"base_digest": "sha256:9"}, "image's base digest", "yes"),
        ({"drifted": ["git 1 2"]}, "image's drifted", "yes"),
        ({"digest": "sha256:" + "9" * 64}, "image", "unknown"),
    ],
)
def test_another_image_matters_as_far_as_its_locks_say(
    changes: dict[str, Any], what: str, decides: str
) -> None:
    def inside(plain: Any) -> None:
        plain["definition"]["image"] = IMAGE

    def elsewhere(plain: Any) -> None:
        plain["definition"]["image"] = {**IMAGE, **changes}

    found = compare.runs(changed(inside), changed(elsewhere)).differences

    assert [(one.what, one.can_change_bits) for one in found] == [(what, decides)]


def test_an_image_on_one_side_alone_can_t_be_judged() -> None:
    found = differences(lambda plain: plain["definition"].update(image=IMAGE))

    assert found == [("environment", "image", "unknown")]


def test_a_gpu_makes_its_variables_matter() -> None:
    def with_gpu(plain: Any) -> None:
        host(plain).update(gpus=[H100])

    def changed_too(plain: Any) -> None:
        with_gpu(plain)
        plain["definition"]["variables"].pop("CUBLAS_WORKSPACE_CONFIG")

    found = compare.runs(changed(with_gpu), changed(changed_too)).differences

    assert [(one.what, one.can_change_bits) for one in found] == [
        ("CUBLAS_WORKSPACE_CONFIG", "yes")
    ]


VERDICTS = [
    pytest.param(lambda p: host(p).update(cpus=64.0), "identical bytes", id="outputs are the same"),
    pytest.param(
        lambda p: p["outputs"][0].update(sha256=ZEROS), "identical content", id="other bytes"
    ),
    pytest.param(
        lambda p: (p["outputs"][0].update(sha256=ZEROS), p["outputs"].pop()),
        "different",
        id="one of each",
    ),
    pytest.param(lambda p: p["observation"].update(exit_status=1), "different", id="status"),
    pytest.param(lambda p: p["outputs"][1].update(kind="unreadable"), "different", id="unreadable"),
]


@pytest.mark.parametrize(("change", "verdict"), VERDICTS)
def test_the_verdict_is_on_outputs_and_status(
    change: Callable[[Any], object], verdict: str
) -> None:
    assert (
        compare.runs(msgspec.json.decode(golden(), type=Record), changed(change)).verdict == verdict
    )


def test_what_was_printed_counts_where_there_are_no_outputs() -> None:
    def silent(plain: Any) -> None:
        plain["observation"]["logs"] = []

    def without_outputs(plain: Any) -> None:
        plain["outputs"] = []

    def both(plain: Any) -> None:
        silent(plain)
        without_outputs(plain)

    beside_outputs = compare.runs(changed(lambda _: None), changed(silent))
    alone = compare.runs(changed(without_outputs), changed(both))

    assert [one.what for one in beside_outputs.differences] == ["standard output"]
    assert beside_outputs.verdict == "identical bytes"
    assert alone.verdict == "different"
    assert compare.runs(changed(both), changed(both)).verdict == "identical bytes"


@pytest.mark.parametrize("name", ["deleted", "missing"])
def test_what_a_run_deleted_or_did_not_make_counts(name: str) -> None:
    assert differences(lambda plain: plain.update({name: ["x"]})) == [("outputs", name, "yes")]


def with_submodules(*modules: tuple[str, str, bool]) -> Callable[[Any], None]:
    """Give a record's code submodules: path, commit, whether it holds changes."""
    names = ("path", "commit", "is_dirty")

    def change(plain: Any) -> None:
        plain["definition"]["code"]["submodules"] = [dict(zip(names, one)) for one in modules]

    return change


def test_changes_in_submodules_are_unknown_and_not_the_same() -> None:
    dirty = with_submodules(("lib", ZEROS[:40], True), ("more", ZEROS[:40], True))

    found = compare.runs(changed(dirty), changed(dirty)).differences

    assert [(one.what, one.can_change_bits) for one in found] == [
        ("lib", "unknown"),
        ("more", "unknown"),
    ]


def test_which_of_two_runs_had_a_submodule_changed_is_said() -> None:
    was = changed(with_submodules(("lib", ZEROS[:40], False)))
    now = changed(with_submodules(("lib", ZEROS[:40], True)))

    [found] = compare.runs(was, now).differences

    assert (found.what, found.was, found.now) == ("lib", "as committed", "changed")


def test_a_submodule_at_another_commit_is_other_code() -> None:
    was = changed(with_submodules(("lib", "1" * 40, False), ("same", "3" * 40, False)))
    now = changed(with_submodules(("lib", "2" * 40, False), ("same", "3" * 40, False)))

    [found] = compare.runs(was, now).differences

    assert (found.what, found.was, found.now) == ("submodule lib", "1" * 40, "2" * 40)
    assert (found.can_change_bits, found.why) == ("yes", "other code")


def test_the_parts_that_differ_are_named() -> None:
    def change(plain: Any) -> None:
        file = plain["outputs"][0]
        file["sha256"] = file["content"]["digest"] = ZEROS
        file["content"]["parts"][-1]["digest"] = ZEROS

    found = compare.runs(msgspec.json.decode(golden(), type=Record), changed(change)).differences

    assert found[0].why == "1 of 5 parts differ: name"


def test_event_files_are_paired_although_their_names_hold_the_time() -> None:
    def named(name: str) -> Callable[[Any], object]:
        return lambda plain: plain["outputs"][1].update(path=f"logs/events.out.tfevents.{name}")

    found = compare.runs(
        changed(named("1700000000.host-a.12.0")), changed(named("1700000099.host-b.7.0"))
    )

    assert (found.verdict, found.differences) == ("identical bytes", [])


def test_other_files_of_other_names_are_not() -> None:
    found = differences(lambda plain: plain["outputs"][1].update(path="other.bin"))

    assert found == [("outputs", "weights.bin", "yes"), ("outputs", "other.bin", "yes")]
