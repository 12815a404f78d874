"""The example of a seeder for a stranger's library, installed beside the real albumentations."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.strangers.conftest import Told

BEGIN = """
import copy, json, random, numpy, repro_env
from tests.strangers.augmented import epochs, pictures, pipeline
def show(found):
    print(json.dumps(found))
"""
ONE = BEGIN + "show(pictures(pipeline()))"
TWO = BEGIN + "show([pictures(pipeline()), pictures(pipeline())])"
COPIED = (
    BEGIN + "pair = [pipeline()]; pair.append(copy.deepcopy(pair[0])); show([*map(pictures, pair)])"
)
THEIRS = BEGIN + "show(pictures(pipeline(seed=137)))"
GIVEN = (
    BEGIN
    + """
one = pipeline()
one.set_random_state(numpy.random.default_rng(1), random.Random(1))
repro_env.seed_everything(7)
show(pictures(one))
"""
)
AGAIN = (
    BEGIN
    + """
def again(kept):
    repro_env.seed_everything(7)
    return pictures(kept) + pictures(pipeline())
kept = pipeline()
show([again(kept), again(kept)])
"""
)
WORKERS = BEGIN + "show(epochs({!r}))"


@pytest.fixture(scope="module")
def seeder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for `PYTHONPATH`, with the example installed as a stranger's package would be."""
    folder = tmp_path_factory.mktemp("seeder")
    source = shutil.copytree(PROJECT / "examples/albumentations_seeder", folder / "source")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir"]
    target: Path = folder / "installed"
    subprocess.run([*pip, "install", *offline, "--target", target, source], check=True)
    return str(target)


@pytest.fixture
def seen(told: Told, seeder: str) -> Told:
    """Run code beside the seeder; `beside=""` leaves it out."""

    def see(code: str, turn: int = 1, beside: str = seeder, **env: str) -> Any:
        return told(code, turn, PYTHONPATH=beside, NO_ALBUMENTATIONS_UPDATE="1", **env)

    return see


def test_the_same_script_gives_the_same_pictures_in_each_run(seen: Told) -> None:
    assert seen(ONE) == seen(ONE, turn=2)


def test_without_the_seeder_they_differ(seen: Told) -> None:
    assert set(seen(ONE, beside="")).isdisjoint(seen(ONE, turn=2, beside=""))


def test_without_a_seed_they_differ_beside_the_seeder_too(seen: Told) -> None:
    assert set(seen(ONE, REPRO_DISABLE="1")).isdisjoint(seen(ONE, turn=2, REPRO_DISABLE="1"))


def test_another_seed_gives_other_pictures(seen: Told) -> None:
    assert set(seen(ONE)).isdisjoint(seen(ONE, REPRO_SEED="7"))


@pytest.mark.parametrize("code", [TWO, COPIED], ids=["two of a kind", "a copy"])
def test_two_transforms_give_different_pictures(seen: Told, code: str) -> None:
    one, other = seen(code)

    assert set(one).isdisjoint(other)


@pytest.mark.parametrize("code", [THEIRS, GIVEN], ids=["a seed", "generators"])
def test_what_the_user_seeds_stays_the_users(seen: Told, code: str) -> None:
    assert seen(code) == seen(code, beside="") == seen(code, REPRO_SEED="7")


def test_seeding_again_begins_again(seen: Told) -> None:
    first, second = seen(AGAIN)

    assert first == second
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("start", ["fork", "forkserver", "spawn"])
def test_each_worker_of_a_loader_gives_its_own_in_each_epoch_and_the_same_in_each_run(
    seen: Told, start: str
) -> None:
    epochs = seen(WORKERS.format(start))

    assert len({picture for epoch in epochs for picture in epoch}) == 16
    assert epochs == seen(WORKERS.format(start), turn=2)


def test_without_the_seeder_two_workers_give_the_same(seen: Told) -> None:
    (epoch, _) = seen(WORKERS.format("fork"), beside="")

    assert len(set(epoch)) == 4
