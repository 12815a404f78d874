"""In the image: states of NumPy's, PyTorch's and TensorFlow's generators, kept and put back."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

import repro_env
from tests.conftest import Run
from tests.frameworks.test_seeding import HAS_TENSORFLOW, IN_IMAGE, needs_tensorflow


def draw() -> list[Any]:
    return [
        random.gauss(0, 1),
        numpy.random.standard_normal(),  # keeps a second one
        torch.randn(1).item(),
        torch.randn(20).tolist(),
        torch.rand(1).item(),
    ]


def test_after_restoring_the_same_numbers_come_again() -> None:
    draw()
    state = repro_env.rng_state()
    first = draw()

    repro_env.restore_rng(state)

    assert draw() == first
    assert draw() != first


def test_isolation_takes_back_what_was_drawn_inside() -> None:
    state = repro_env.rng_state()

    with pytest.raises(IndexError), repro_env.isolated_rng():
        draw()[99]

    assert repro_env.rng_state() == state


def test_torchs_generators_go_with_them(tmp_path: Path) -> None:
    mine = repro_env.torch_generator("a")
    torch.randn(3, generator=mine)
    repro_env.save_rng(tmp_path / "rng.json", {"mine": mine})
    first = torch.randn(5, generator=mine).tolist()

    repro_env.load_rng(tmp_path / "rng.json", {"mine": mine})

    assert torch.randn(5, generator=mine).tolist() == first


def test_a_generator_of_another_kind_is_refused_and_nothing_changes() -> None:
    state = repro_env.rng_state({"mine": numpy.random.default_rng(3)})
    before = repro_env.rng_state()

    for other in (
        torch.Generator(),
        numpy.random.Generator(numpy.random.Philox(3)),
        random.Random(),
    ):
        with pytest.raises(repro_env.StateError, match="yours: mine is none of its kind"):
            repro_env.restore_rng(state, {"mine": other})

    assert repro_env.rng_state() == before


FRAMEWORKS = ["torch", *(["tensorflow"] if HAS_TENSORFLOW else [])]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_on_one_side_alone_is_named(run: Run, tmp_path: Path, framework: str) -> None:
    file = str(tmp_path / "rng.json")
    with_it = f"import repro_env, numpy, {framework}\n"
    without = "import repro_env, numpy\n"

    for save, load, said in (
        (with_it, without, f"versions: {framework} is not here"),
        (without, with_it, f"versions: {framework} was not there"),
    ):
        assert run(f"{save}repro_env.save_rng({file!r})", env=IN_IMAGE).returncode == 0
        result = run(f"{load}repro_env.load_rng({file!r})", env=IN_IMAGE)
        assert result.returncode == 1
        assert said in result.stderr


def test_another_number_of_devices_is_named_and_nothing_changes() -> None:
    state = repro_env.rng_state()
    cuda = {"torch cuda:0": state.states["torch cpu"]}
    before = repro_env.rng_state()

    with pytest.raises(repro_env.StateError, match="generators: torch cuda:0 is not here"):
        repro_env.restore_rng(state._replace(states={**state.states, **cuda}))

    assert repro_env.rng_state() == before


TENSORFLOW = """
import json, tensorflow, repro_env
def draw():
    return [
        tensorflow.random.uniform([2]).numpy().tolist(),
        tensorflow.keras.layers.Dense(2)(tensorflow.ones([1, 2])).numpy().tolist(),
        tensorflow.keras.layers.Dropout(0.5)(tensorflow.ones([9]), training=True).numpy().tolist(),
        mine.uniform([2]).numpy().tolist(),
    ]
mine = repro_env.tf_generator("mine")
tensorflow.random.set_global_generator(repro_env.tf_generator("global"))
"""
SAVE = """
draw()
repro_env.save_rng(FILE, {"mine": mine})
print(json.dumps([draw(), tensorflow.random.get_global_generator().uniform([2]).numpy().tolist()]))
"""
LOAD = """
tensorflow.keras.layers.Dense(1)
repro_env.load_rng(FILE, {"mine": mine})
print(json.dumps([draw(), tensorflow.random.get_global_generator().uniform([2]).numpy().tolist()]))
"""


@needs_tensorflow
def test_tensorflow_goes_on_in_another_process(run: Run, tmp_path: Path) -> None:
    file = repr(str(tmp_path / "rng.json"))

    saved = run(TENSORFLOW + SAVE.replace("FILE", file), env=IN_IMAGE)
    loaded = run(TENSORFLOW + LOAD.replace("FILE", file), env=IN_IMAGE)
    fresh = run(TENSORFLOW + "print(json.dumps([draw(), 0]))", env=IN_IMAGE)

    assert saved.returncode == loaded.returncode == 0, saved.stderr + loaded.stderr
    assert saved.stdout == loaded.stdout
    drawn, anew = json.loads(saved.stdout), json.loads(fresh.stdout)
    assert [one for one, other in zip(drawn[0], anew[0]) if one == other] == []


@needs_tensorflow
def test_tensorflow_and_keras_are_isolated(run: Run) -> None:
    code = """
first = repro_env.rng_state({"mine": mine})
tensorflow.keras.layers.Dense(2)
with repro_env.isolated_rng():
    before = draw()[:3]
assert draw()[:3] == before
print("same")
"""

    assert run(TENSORFLOW + code, env=IN_IMAGE).stdout == "same\n"
