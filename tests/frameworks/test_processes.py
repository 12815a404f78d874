"""In the image: NumPy, PyTorch and TensorFlow in every kind of process that they run in."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.frameworks.test_seeding import IN_IMAGE, needs_tensorflow

# Two epochs of a loader with two workers: for each item the epoch and the worker that read it,
# what it drew from each generator, and from a stream of its own.
LOADER = """
import json, random, sys
import numpy, torch, repro_env
from torch.utils.data import DataLoader, Dataset, get_worker_info

class Draws(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        import random
        own = [random.random(), numpy.random.rand(), torch.rand(1).item(),
               numpy.random.default_rng().random()]
        return get_worker_info().id, own, repro_env.stream("item", index).random()

def as_it_is(items):
    return items[0]

if __name__ == "__main__":
    BEFORE
    drawn = []
    loader = DataLoader(Draws(), num_workers=2, collate_fn=as_it_is, OPTIONS)
    for epoch in range(2):
        drawn += [[epoch, *item] for item in loader]
    print(json.dumps(drawn))
"""
Loader = Callable[..., "list[tuple[int, int, list[float], float]]"]


@pytest.fixture
def load(run_file: Run) -> Loader:
    def draw(before: str = "pass", options: str = "", collate: str = "", **env: str) -> Any:
        code = LOADER.replace("BEFORE", before).replace("OPTIONS", options)
        code = code.replace("if __name__", f"{collate}\nif __name__")
        result = run_file(code, env={**IN_IMAGE, **env})
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return draw


def own(drawn: Sequence[Any]) -> list[list[float]]:
    return [item[2] for item in drawn]


@pytest.mark.parametrize(
    "options",
    ["", "multiprocessing_context='spawn'", "multiprocessing_context='forkserver'",
     "persistent_workers=True", "worker_init_fn=repro_env.seed_worker",
     "generator=repro_env.dataloader_generator()"],
)  # fmt: skip
def test_a_loaders_workers_draw_numbers_of_their_own_the_same_in_every_run(
    load: Loader, options: str
) -> None:
    first, second = load(options=options), load(options=options)

    assert first == second
    assert {tuple(item[:2]) for item in first} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    numbers = [number for drawn in own(first) for number in drawn]
    assert len(set(numbers)) == len(numbers) == 2 * 4 * 4
    assert first[0][3] == first[4][3]  # the stream of item 0, in both epochs


def test_disabled_a_loaders_workers_draw_anything(load: Loader) -> None:
    first, second = load(REPRO_DISABLE="1"), load(REPRO_DISABLE="1")

    assert [one for one, other in zip(own(first), own(second)) if one == other] == []


def test_a_loaders_workers_differ_over_ranks_and_agree_where_there_is_one(load: Loader) -> None:
    ranks = [load(RANK=rank, WORLD_SIZE="2") for rank in "01"]

    drawn = {number for draws in map(own, ranks) for numbers in draws for number in numbers}
    assert len(drawn) == 2 * 2 * 4 * 4
    assert own(load(RANK="0", WORLD_SIZE="1")) == own(load())


def test_seed_worker_tells_ranks_apart_too(load: Loader) -> None:
    options = "worker_init_fn=repro_env.seed_worker"
    zero, one = (load(options=options, RANK=rank, WORLD_SIZE="2") for rank in "01")

    assert [a for a, b in zip(own(zero), own(one)) if set(a) & set(b)] == []


@pytest.mark.parametrize(
    ("before", "shifts"),
    [
        pytest.param(
            "p = torch.multiprocessing.get_context('spawn').Process(target=repr, args=(0,)); "
            "p.start(); p.join()",
            False,
            id="another process",
        ),
        pytest.param("numpy.random.default_rng()", False, id="a generator without a seed"),
        pytest.param("torch.rand(1)", True, id="a draw of torch's"),
    ],
)
def test_workers_are_unchanged_when_nothing_about_them_changed(
    load: Loader, before: str, shifts: bool
) -> None:
    assert (own(load(before)) != own(load())) == shifts


def test_forks_of_a_loaders_worker_draw_numbers_of_their_own(load: Loader) -> None:
    forks = """
def as_it_is(items):
    import os
    from itertools import chain
    drawn = [items[0][1]]
    for _ in range(2):
        reader, writer = os.pipe()
        if os.fork() == 0:
            drawn = [random.random(), numpy.random.rand(), torch.rand(1).item(),
                     numpy.random.default_rng().random()]
            os.write(writer, json.dumps(drawn).encode())
            os._exit(0)
        os.wait()
        drawn.append(json.loads(os.read(reader, 1000)))
    return items[0][0], list(chain(*drawn)), 0
"""
    options = "worker_init_fn=repro_env.seed_worker"
    first, second = (load(options=options, collate=forks) for _ in range(2))

    assert first == second
    numbers = [number for drawn in own(first) for number in drawn]
    assert len(set(numbers)) == len(numbers) == 2 * 4 * 3 * 4


def test_with_a_generator_of_its_own_a_loader_does_not_shift_with_draws(load: Loader) -> None:
    options = "shuffle=True, generator=repro_env.dataloader_generator()"

    assert load("torch.rand(1)", options) == load(options=options)


def test_without_the_hook_seed_worker_does_what_it_does(load: Loader) -> None:
    options = "worker_init_fn=repro_env.seed_worker"
    before = "repro_env.seed_everything(42)"
    unhooked = {"REPRO_DISABLE": "1"}

    first, second = (load(before, options, **unhooked) for _ in range(2))

    assert first == second
    numbers = [number for drawn in own(first) for number in drawn]
    assert len(set(numbers)) == len(numbers)


CHILD = """
import json, os, random, sys
LOADED
def draw():
    import random, numpy, torch
    drawn = [random.random(), numpy.random.rand(), torch.rand(1).item()]
    if "tensorflow" in sys.modules:
        tensorflow = sys.modules["tensorflow"]
        drawn += [tensorflow.random.uniform([1]).numpy().item(),
                  tensorflow.keras.layers.Dense(1)(tensorflow.ones([1, 1])).numpy().item()]
    return drawn
drawn = [draw()]
for _ in range(2):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps(draw()).encode())
        os._exit(0)
    os.wait()
    drawn.append(json.loads(os.read(reader, 1000)))
print(json.dumps(drawn))
"""


@pytest.mark.parametrize(
    "loaded",
    [
        "import random",
        "import numpy",
        "import torch",
        pytest.param("import tensorflow", marks=needs_tensorflow),
    ],
)
def test_a_fork_after_an_import_draws_numbers_of_its_own(run: Run, loaded: str) -> None:
    first, second = (run(CHILD.replace("LOADED", loaded), env=IN_IMAGE) for _ in range(2))

    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    numbers = [number for drawn in json.loads(first.stdout) for number in drawn]
    assert len(set(numbers)) == len(numbers) >= 9


# Two real ranks over gloo: weights from the global seed, a stream each, a shared one, and a
# gradient averaged over both.
RANKS = """
import json, os, pathlib, random, sys
import numpy, torch, torch.distributed, repro_env

torch.distributed.init_process_group("gloo")
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 1))
rank = torch.distributed.get_rank()
own = repro_env.stream("augment", 7).random()
model(torch.rand(2, 3)).sum().backward()
print(json.dumps({}))
pathlib.Path(sys.argv[1], str(rank)).write_text(json.dumps({
    "global": [random.random(), numpy.random.rand(), torch.rand(1).item()],
    "weights": model.module.weight.tolist(),
    "gradient": model.module.weight.grad.tolist(),
    "own": own,
    "own torch": torch.rand(1, generator=repro_env.torch_generator("augment")).item(),
    "shared": repro_env.stream("augment", 7, shared=True).random(),
    "order": repro_env.dataloader_generator().initial_seed(),
    "unseeded": numpy.random.default_rng().random(),
}))
torch.distributed.destroy_process_group()
"""


@pytest.fixture
def ranks(hooked_python: Path, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    def launch(**env: str) -> list[dict[str, Any]]:
        script = tmp_path / "ranks.py"
        script.write_text(RANKS)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # Not --standalone: it asks for this host's name, which a container without a network lacks.
        options = ["--nproc-per-node=2", "--master_addr=127.0.0.1", f"--master_port={port}"]
        result = subprocess.run(
            [hooked_python, "-m", "torch.distributed.run", *options, script, tmp_path],
            env={
                **os.environ,
                **IN_IMAGE,
                "GLOO_SOCKET_IFNAME": "lo",
                "OMP_NUM_THREADS": "1",
                **env,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert result.returncode == 0, result.stderr
        return [json.loads((tmp_path / rank).read_text()) for rank in "01"]

    return launch


def test_torchruns_ranks_agree_on_weights_and_differ_in_their_streams(
    ranks: Callable[..., list[dict[str, Any]]],
) -> None:
    zero, one = ranks()

    same = {name for name in zero if zero[name] == one[name]}
    assert same == {"global", "weights", "gradient", "shared", "order"}
    assert ranks() == [zero, one]


def test_disabled_torchruns_ranks_agree_on_nothing_but_what_they_exchange(
    ranks: Callable[..., list[dict[str, Any]]],
) -> None:
    zero, one = ranks(REPRO_DISABLE="1")

    assert zero["global"] != one["global"]
    assert zero["weights"] == one["weights"]  # DistributedDataParallel sends rank 0's


def test_debians_own_python_is_seeded_once_it_has_the_hook(
    hooked_python: Path, tmp_path: Path
) -> None:
    env = {**IN_IMAGE, "HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def draw() -> float:
        command = ["/usr/bin/python3", "-c", "import random; print(random.random())"]
        return float(subprocess.run(command, env=env, capture_output=True, check=True).stdout)

    assert draw() != draw()

    install = [str(hooked_python.with_name("repro")), "hook", "install", "/usr/bin/python3"]
    subprocess.run(install, env=env, check=True)

    assert draw() == draw() == random.Random(42).random()
