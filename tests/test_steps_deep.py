"""From two close looks follows the cause: the first thing that differs while its inputs agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_env.errors import RecordError
from repro_env.steps import deep
from repro_env.steps.looks import Call, Look, Rows

SAME = ("float32 [2]", "0" * 16)
OTHER = ("float32 [2]", "1" * 16)


def call(module: str, begun: int, inputs: Rows, outputs: Rows) -> Call:
    return Call(module, module.title(), begun, inputs, outputs)


def look(
    folder: Path,
    start: Rows | None = None,
    fc1: tuple[tuple[str, str], ...] = (SAME, SAME),
    fc2: tuple[tuple[str, str], ...] = (SAME, SAME),
    net: tuple[tuple[str, str], ...] = (SAME, SAME),
    backward: Rows | None = None,
    step: int = 17,
    **end: tuple[str, str],
) -> Look:
    names = {name: name.replace("_", " ") for name in end}
    columns = {"loss": SAME, "gradient a": SAME, "gradient b": SAME, "parameter a": SAME}
    return Look(
        source="Adam",
        step=step,
        hash="xxh3_64",
        start={"generator python": SAME, "buffer m": SAME, "parameter a": SAME, **(start or {})},
        calls=(
            call("fc1", 2, {"0": fc1[0]}, {"": fc1[1]}),
            call("fc2", 3, {"0": fc2[0]}, {"": fc2[1]}),
            call("net", 1, {"0": net[0]}, {"": net[1]}),
        ),
        backward={"parameter a": SAME, **(backward or {})},
        end={**columns, **{names[name]: value for name, value in end.items()}},
        notes=(),
        values=folder / "none.safetensors",
    )


@pytest.mark.parametrize(
    ("other", "text", "module"),
    [
        pytest.param(
            {"start": {"parameter a": OTHER, "generator python": OTHER}, "loss": OTHER},
            "parameter a changed outside of the optimizer, between step 16 and step 17",
            "",
            id="a parameter between two steps",
        ),
        pytest.param(
            {"start": {"parameter a": OTHER}, "step": 1},
            "parameter a differed before step 1",
            "",
            id="a parameter before the first step",
        ),
        pytest.param(
            {"backward": {"parameter a": OTHER}, "fc2": (SAME, OTHER)},
            "parameter a changed outside of the optimizer, in step 17, before",
            "",
            id="a parameter in a step",
        ),
        pytest.param(
            {"start": {"generator python": OTHER}, "fc1": (SAME, OTHER)},
            "generator python had drawn, or was seeded, otherwise before step 17",
            "",
            id="a generator",
        ),
        pytest.param(
            {"fc1": (SAME, OTHER), "fc2": (OTHER, OTHER), "net": (SAME, OTHER), "loss": OTHER},
            "fc1 (Fc1) gave other outputs for the same inputs in step 17",
            "fc1",
            id="an inner module",
        ),
        pytest.param(
            {"fc2": (OTHER, OTHER), "net": (SAME, OTHER)},
            "net (Net) gave other outputs for the same inputs in step 17",
            "net",
            id="between two inner modules",
        ),
        pytest.param(
            {"fc1": (OTHER, OTHER), "fc2": (OTHER, OTHER), "net": (OTHER, OTHER)},
            "the batch of step 17 differs: input 0 of net",
            "",
            id="the batch",
        ),
        pytest.param(
            {"loss": OTHER, "gradient_a": OTHER},
            "the loss of step 17 differs though the outputs of all modules agree",
            "",
            id="the loss",
        ),
        pytest.param(
            {"gradient_a": OTHER, "gradient_b": OTHER, "parameter_a": OTHER},
            "gradient b of step 17 differs, the first one computed that does",
            "",
            id="a gradient",
        ),
        pytest.param(
            {"parameter_a": OTHER},
            "parameter a differs after step 17, though all before it agrees",
            "",
            id="the optimizer",
        ),
    ],
)
def test_the_cause_is_named(
    tmp_path: Path, other: dict[str, object], text: str, module: str
) -> None:
    step = {"step": other["step"]} if "step" in other else {}
    found = deep.find(look(tmp_path, **step), look(tmp_path, **other))  # type: ignore[arg-type]

    assert found is not None
    assert found.text.startswith(text)
    assert found.module == module


def test_where_nothing_differs_there_is_no_cause(tmp_path: Path) -> None:
    assert deep.find(look(tmp_path), look(tmp_path)) is None


def test_another_way_through_the_modules_is_named(tmp_path: Path) -> None:
    short = look(tmp_path, loss=OTHER)
    short = short._replace(calls=short.calls[:1])

    found = deep.find(look(tmp_path), short)

    assert found is not None
    assert found.text == "step 17 called fc2 in one run, and no other in the other"


def test_looks_at_different_steps_are_not_compared(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="different steps"):
        deep.find(look(tmp_path), look(tmp_path, step=16))


def test_a_run_that_did_not_reach_the_step_has_no_cause(tmp_path: Path) -> None:
    assert deep.cause(tmp_path, tmp_path) is None
