"""`repro verify` on real trainings: clean ones, and ones with one fault, found where it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, Project
from tests.frameworks.test_seeding import needs_tensorflow
from tests.test_verify import first, verified

PROGRAMS = PROJECT / "tests" / "programs"
CELLS = ["import random", "print(random.random())", "import os\nprint(os.urandom(4))"]


@pytest.fixture
def training(project: Project) -> Project:
    """A project that holds the trainings."""
    for name in ("training.py", "training_keras.py", "loader_entropy.py"):
        shutil.copyfile(PROGRAMS / name, project.folder / name)
    project.commit()
    return project


def trained(
    project: Project, program: str, fault: str, *options: str, status: int = 1
) -> dict[str, Any]:
    """Verify a training with that fault, step by step."""
    count = project.folder.parent / "count"
    command = ["python", f"{program}.py", fault, str(count)]
    return verified(project, "-n", "2", "--steps", *options, "--", *command, status=status)


def test_a_training_without_a_fault_repeats_step_by_step(training: Project) -> None:
    answer = trained(training, "training", "none", status=0)

    assert answer["verdict"] == "identical bytes"
    assert "24 steps" in answer["compared"]
    assert answer["cause"] is None


def test_steps_change_no_bit(training: Project) -> None:
    command = ["python", "training.py", "none", str(training.folder.parent / "count")]
    plain = training.run("--", *command)["outputs"]

    answer = trained(training, "training", "none", status=0)

    assert training.record(answer["attempts"][0]["run"])["outputs"] == plain


@pytest.mark.parametrize(
    ("fault", "step", "what", "cause"),
    [
        pytest.param("dropout", 1, "loss", "2 (Unseeded)", id="unseeded dropout"),
        pytest.param("ulp", 17, "parameter 3.bias", "3.bias", id="one ulp"),
        pytest.param("ulp between", 18, "", "0.weight", id="one ulp between two steps"),
        pytest.param("swap", 11, "loss", "batch", id="a swapped pair"),
    ],
)
def test_one_fault_is_found_at_its_step_and_tensor(
    training: Project, fault: str, step: int, what: str, cause: str
) -> None:
    answer = trained(training, "training", fault)

    found = first(answer)
    assert (found["kind"], found["step"]) == ("step", step)
    assert what in found["what"]
    assert answer["cause"]["step"] == step
    assert cause in answer["cause"]["text"]
    if fault.startswith("ulp"):
        assert any("by up to 1 ulp" in detail for detail in answer["cause"]["details"])


def test_workers_that_draw_from_the_system_are_seen_in_the_first_batch(training: Project) -> None:
    answer = verified(training, "-n", "2", "--steps", "--", "python", "loader_entropy.py", status=1)

    assert first(answer)["step"] == 1
    assert "batch" in answer["cause"]["text"]


@needs_tensorflow
@pytest.mark.parametrize(
    ("fault", "step", "what"),
    [("none", 0, ""), ("ulp", 17, "last/bias"), ("swap", 11, "loss")],
)
def test_a_fault_in_keras_is_found_at_its_batch(
    training: Project, fault: str, step: int, what: str
) -> None:
    answer = trained(training, "training_keras", fault, status=int(fault != "none"))

    if fault == "none":
        assert answer["verdict"] == "identical bytes"
        assert any("24 steps" in one for one in answer["compared"])
        return
    differing = next(one for one in answer["attempts"] if one["divergences"])
    found = next(one for one in differing["divergences"] if one["kind"] == "step")
    assert found["step"] == step
    assert what in json.dumps([found, answer["cause"]])


def notebook(*sources: str) -> str:
    """A notebook of code cells."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "source": source,
            "execution_count": None,
            "outputs": [],
            "metadata": {},
            "id": f"cell-{number}",
        }
        for number, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3"}
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    )


def test_of_a_notebook_the_first_cell_that_differs_is_named(project: Project) -> None:
    project.write("it.ipynb", notebook(*CELLS))
    project.git("add", ".")
    project.git("commit", "-qm", "a notebook")

    answer = verified(project, "-n", "2", "--", "it.ipynb", status=1)

    assert first(answer)["kind"] == "cell"
    assert "cell 2/" in first(answer)["text"]
    assert Path(project.folder, "it.ipynb").read_text() == notebook(*CELLS)


def test_a_notebook_that_repeats_is_identical(project: Project) -> None:
    project.write("it.ipynb", notebook(*CELLS[:2]))

    answer = verified(project, "-n", "2", "--", "it.ipynb")

    assert answer["verdict"] in ("identical bytes", "identical content")


SLOW = """
import atexit, pathlib, random, time
print(random.random())
count = pathlib.Path({count!r})
if count.exists():
    atexit.register(time.sleep, 30)
count.touch()
"""


def test_a_kernel_that_jupyter_kills_is_no_difference_and_that_is_said(project: Project) -> None:
    count = str(project.folder.parent / "count")
    project.write("it.ipynb", notebook(SLOW.format(count=count)))

    answer = verified(project, "-n", "2", "--", "it.ipynb")

    assert answer["verdict"] in ("identical bytes", "identical content")
    assert any("not compared in attempt 2" in note for note in answer["notes"])
