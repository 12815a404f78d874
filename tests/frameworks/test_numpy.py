"""In the image, and on other Pythons: NumPy's generators, with a seed, without, and as streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest

import repro_env
from tests.conftest import PROJECT, SEEDED, Run

GOLDEN = json.loads((PROJECT / "tests/golden/streams.json").read_text())
BIT_GENERATORS = ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"]


@pytest.fixture(autouse=True)
def _seed_42(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_SEED", "42")


def test_a_stream_is_its_golden_one() -> None:
    for vector in GOLDEN["stream"]:
        bits = repro_env.stream(vector["name"], *vector["keys"]).bit_generator
        assert [str(word) for word in bits.random_raw(4)] == vector["raw"]


def test_a_stream_is_numpys_generator_of_its_seed() -> None:
    expected = numpy.random.default_rng(repro_env.seed_for("a", 1)).random(5)

    assert (repro_env.stream("a", 1).random(5) == expected).all()
    assert (repro_env.stream("a", 2).random(5) != expected).all()


def test_whole_numbers_of_numpy_are_keys_like_pythons() -> None:
    assert repro_env.seed_for("a", numpy.int64(3)) == repro_env.seed_for("a", 3)
    for key in (numpy.float64(3), numpy.bool_(True), numpy.array([1, 2])):
        with pytest.raises(repro_env.SeedError):
            repro_env.seed_for("a", key)


def test_whole_numbers_of_numpy_are_seeds_like_pythons(run: Run) -> None:
    code = """
import numpy, random, repro_env
repro_env.seed_everything(numpy.uint32(7)); print(random.random())
for wrong in (numpy.float64(7), numpy.bool_(True), numpy.array([7]), numpy.int64(-7)):
    try:
        repro_env.seed_everything(wrong); print("taken")
    except repro_env.SeedError:
        pass
repro_env.seed_everything(7); print(random.random())
"""

    first, *others, last = run(code, "-W", "ignore", env={}).stdout.split()

    assert first == last
    assert others == []


@pytest.mark.parametrize("name", BIT_GENERATORS)
@pytest.mark.parametrize("kind", [numpy.random.Generator, numpy.random.RandomState])
def test_numpys_generators_go_with_them(kind: Any, name: str, tmp_path: Path) -> None:
    mine = kind(getattr(numpy.random, name)(3))
    mine.standard_normal(3), mine.bytes(2)
    repro_env.save_rng(tmp_path / "rng.json", {"mine": mine})
    first = [*mine.standard_normal(5), mine.bytes(2)]

    repro_env.load_rng(tmp_path / "rng.json", {"mine": mine})

    assert [*mine.standard_normal(5), mine.bytes(2)] == first


UNSEEDED = """
import json, numpy, repro_env
from numpy.random import Generator, PCG64, Philox, RandomState, SeedSequence, default_rng
print(json.dumps([
    default_rng().random(), RandomState().rand(), Generator(PCG64()).random(),
    Generator(Philox()).random(), int(SeedSequence().entropy),
    int(SeedSequence(pool_size=8).entropy), default_rng().random(),
    repro_env.unseeded_generators(),
]))
"""


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("MT19937", {"state": {"pos": 10**6}}),
        ("MT19937", {"state": {"pos": -1}}),
        ("Philox", {"buffer_pos": 10**6}),
        ("Philox", {"buffer_pos": -1}),
    ],
)
def test_a_position_beyond_the_words_is_refused(name: str, change: dict[str, Any]) -> None:
    mine = numpy.random.Generator(getattr(numpy.random, name)(3))
    state = repro_env.rng_state({"mine": mine})
    kept = dict(state.states["yours: mine"])
    for part, value in change.items():
        kept[part] = {**kept[part], **value} if isinstance(value, dict) else value

    with pytest.raises(repro_env.StateError, match="mine is none of its kind"):
        repro_env.restore_rng(
            state._replace(states={**state.states, "yours: mine": kept}), {"mine": mine}
        )


def test_generators_without_a_seed_repeat_differ_and_are_counted(run: Run) -> None:
    first, second = (json.loads(run(UNSEEDED, env=SEEDED).stdout) for _ in range(2))

    assert first == second
    assert len(set(first)) == len(first)
    assert first[-1] == 7
    assert first[5].bit_length() > 200


@pytest.mark.parametrize(("mode", "counted"), [("warn", 7), ("off", 0)])
def test_or_they_are_left_alone(run: Run, mode: str, counted: int) -> None:
    env = {**SEEDED, "REPRO_UNSEEDED": mode}

    first, second = run(UNSEEDED, env=env), run(UNSEEDED, env=env)

    pairs = list(zip(json.loads(first.stdout), json.loads(second.stdout)))
    assert [one for one, other in pairs if one == other] == [counted]
    assert ("<string>:5: RuntimeWarning" in first.stderr) == (mode == "warn")


def test_a_generator_with_a_seed_is_what_it_was(run: Run) -> None:
    code = """
from numpy.random import RandomState, default_rng
print(default_rng(3).random(), RandomState(3).rand())
"""

    assert run(code, env=SEEDED).stdout == run(code, env={}).stdout


def test_threads_that_ask_at_once_get_generators_of_their_own(run: Run) -> None:
    code = """
import threading, numpy, repro_env, sys
sys.setswitchinterval(1e-6)
drawn = []
def draw(number):
    for n in range(200):
        drawn.append(numpy.random.default_rng().random())
        streams[number, n] = repro_env.stream("thread", number, n).random()
streams = {}
threads = [threading.Thread(target=draw, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
again = {keys: repro_env.stream("thread", *keys).random() for keys in streams}
print(len(set(drawn)), repro_env.unseeded_generators(), again == streams, sum(map(hash, drawn)))
"""

    first, second = run(code, env=SEEDED), run(code, env=SEEDED)

    assert first.stdout.startswith("1600 1600 True ")
    assert first.stdout == second.stdout  # the same generators, whichever thread got which


def test_a_fork_while_another_thread_draws_is_seeded(run: Run) -> None:
    code = """
import os, threading, numpy.random
done = False
def draw():
    while not done:
        numpy.random.rand(1_000_000)
threading.Thread(target=draw, daemon=True).start()
numbers = []
for _ in range(20):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, repr(numpy.random.rand()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    numbers.append(os.read(reader, 100))
done = True
print(len(set(numbers)))
"""

    assert run(code, "-W", "ignore").stdout == "20\n"


def test_reloading_numpys_generators_seeds_them_again(run: Run) -> None:
    code = """
import importlib, numpy, numpy.random
importlib.reload(numpy.random)
print(numpy.random.rand(), numpy.random.default_rng().random())
"""

    first, second = run(code, "-W", "ignore", env=SEEDED), run(code, "-W", "ignore", env=SEEDED)

    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_a_generator_that_comes_back_from_a_pickle_is_not_counted(run: Run) -> None:
    code = """
import pickle, numpy, repro_env
made = numpy.random.default_rng(3)
same = pickle.loads(pickle.dumps(made))
print(repro_env.unseeded_generators(), made.random() == same.random())
"""

    assert run(code, env={**SEEDED, "REPRO_UNSEEDED": "warn"}).stdout == "0 True\n"
    assert run(code, "-W", "error", env={**SEEDED, "REPRO_UNSEEDED": "warn"}).returncode == 0
