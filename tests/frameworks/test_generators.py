"""In the image: streams are what they are named, whatever drew before, in whatever process."""

from __future__ import annotations

import json
from typing import Any

import numpy
import pytest
import torch

import repro_env
from repro_env.libraries import torch as library
from repro_env.streams import expand
from tests.conftest import PROJECT, Run
from tests.frameworks.test_seeding import IN_IMAGE, needs_tensorflow

GOLDEN = json.loads((PROJECT / "tests/golden/streams.json").read_text())


@pytest.fixture(autouse=True)
def _seed_42(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_SEED", "42")


def test_a_torch_generator_is_its_golden_one() -> None:
    for vector in GOLDEN["torch_generator"]:
        generator = repro_env.torch_generator(vector["name"], *vector["keys"])
        assert torch.rand(4, generator=generator).tolist() == vector["rand"]
        seed = repro_env.seed_for(vector["name"], *vector["keys"])
        assert generator.initial_seed() == seed % 2**64


def test_a_torch_generator_is_mt19937_from_its_golden_words() -> None:
    generator = repro_env.torch_generator("a")
    words = numpy.frombuffer(expand(repro_env.seed_for("a"), 4 * 624), "<u4")
    twin = numpy.random.MT19937(0)
    twin.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": 624}}

    expected = [float(word % 2**24) / 2**24 for word in twin.random_raw(8)]

    assert torch.rand(8, generator=generator).tolist() == expected


def test_torch_generators_of_seeds_with_equal_lower_halves_differ() -> None:
    one, other = torch.Generator(), torch.Generator()
    library.seed_generator(one, 2**64 + 5)
    library.seed_generator(other, 5)

    assert torch.rand(8, generator=one).tolist() != torch.rand(8, generator=other).tolist()


def test_a_loaders_generator_is_shared_by_all_ranks(run: Run) -> None:
    code = """
import torch, repro_env
for generator in (repro_env.dataloader_generator(), repro_env.torch_generator("dataloader")):
    print(torch.rand(1, generator=generator).item())
"""
    zero, one = (
        run(code, env={**IN_IMAGE, "RANK": rank, "WORLD_SIZE": "2"}).stdout.split() for rank in "01"
    )

    assert zero[0] == one[0]
    assert zero[1] != one[1]


@needs_tensorflow
def test_a_tensorflow_generator_is_philox_from_its_seed(run: Run) -> None:
    code = """
import tensorflow, repro_env
generator = repro_env.tf_generator("a")
print([word % 2**64 for word in generator.state.numpy().tolist()])
print(generator.uniform([2]).numpy().tolist(), repro_env.tf_generator("b").uniform([2]).numpy())
"""
    seed = repro_env.seed_for("a")

    first, second = run(code, env=IN_IMAGE).stdout, run(code, env=IN_IMAGE).stdout

    assert first == second
    assert json.loads(first.splitlines()[0]) == [0, seed >> 64, seed % 2**64]


ORDERS = """
import random, numpy, torch, repro_env, json
draws = {
    "numpy": lambda: repro_env.stream("a", 1).random(3).tolist(),
    "torch": lambda: torch.rand(3, generator=repro_env.torch_generator("b", 2)).tolist(),
    "seed": lambda: repro_env.seed_for("c"),
}
BEFORE
print(json.dumps({name: draws[name]() for name in ORDER}, sort_keys=True))
"""


@pytest.mark.parametrize(
    ("before", "order"),
    [
        pytest.param("random.random(); numpy.random.rand(9); torch.rand(9)", "draws", id="draws"),
        pytest.param("repro_env.stream('a', 1).random(100)", "draws", id="the same stream"),
        pytest.param("torch.nn.Linear(100, 100)", "draws", id="a layer"),
        pytest.param("pass", "reversed(list(draws))", id="another order"),
        pytest.param("random.seed(9); torch.manual_seed(9)", "draws", id="a reseeding"),
        pytest.param("numpy.random.default_rng()", "draws", id="no seed"),
    ],
)
def test_nothing_that_comes_before_shifts_a_stream(run: Run, before: str, order: str) -> None:
    def draw(before: str, order: str) -> Any:
        return run(ORDERS.replace("BEFORE", before).replace("ORDER", order, 1), env=IN_IMAGE).stdout

    assert draw(before, order) == draw("pass", "draws") != ""


@pytest.mark.parametrize("name", [1, None, b"a", ("a",)], ids=repr)
def test_a_name_that_is_no_string_is_named(name: Any) -> None:
    with pytest.raises(repro_env.SeedError, match=r"of a stream is a .*, not a string"):
        repro_env.stream(name)
