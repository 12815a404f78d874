"""Every process that user code can start is seeded, each in its own way, the same in every run."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.conftest import SEEDED, Run

PLAIN = random.Random(42).random()
DRAW = "import random; print(random.random())"

# What each way of starting children runs; `draws` are in the order in which they were started.
WORKERS = """
import concurrent.futures, json, multiprocessing, os, random, sys

def draw(queue=None):
    import random
    drawn = [random.random() for _ in range(3)]
    if queue is not None:
        queue.put(drawn)
    return drawn

def meet(barrier):
    barrier.wait()  # so that each worker takes one task
    return multiprocessing.current_process()._identity[-1], draw()

def processes(context, count=3):
    for _ in range(count):
        queue = context.SimpleQueue()
        process = context.Process(target=draw, args=(queue,))
        process.start()
        yield queue.get()
        process.join()

def pool(context):
    with multiprocessing.Manager() as manager:
        barrier = manager.Barrier(2)
        with context.Pool(2) as workers:
            yield from (drawn for _, drawn in sorted(workers.map(meet, [barrier] * 2, 1)))

def futures(context):
    with multiprocessing.Manager() as manager:
        barrier = manager.Barrier(2)
        with concurrent.futures.ProcessPoolExecutor(2, context) as workers:
            yield from (drawn for _, drawn in sorted(workers.map(meet, [barrier] * 2)))

def nest(queue):
    queue.put([draw(), *processes(multiprocessing.get_context(), 2)])

def nested(context):
    for _ in range(2):
        queue = context.SimpleQueue()
        process = context.Process(target=nest, args=(queue,))
        process.start()
        yield from queue.get()
        process.join()

def forks(context):
    for _ in range(3):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, json.dumps(draw()).encode())
            os._exit(0)
        os.wait()
        yield json.loads(os.read(reader, 1000))

if __name__ == "__main__":
    way, method = sys.argv[1:]
    own = draw()
    print(json.dumps([own, *globals()[way](multiprocessing.get_context(method))]))
"""
WAYS = [
    pytest.param(way, method, id=f"{way} by {method}")
    for way in ("processes", "pool", "futures", "nested")
    for method in ("fork", "forkserver", "spawn")
] + [pytest.param("forks", "fork", id="os.fork")]


@pytest.fixture
def draws(run_file: Run) -> Any:
    def ask(way: str, method: str, **env: str) -> list[list[float]]:
        code = WORKERS.replace("sys.argv[1:]", repr((way, method)))
        result = run_file(code, env={**SEEDED, **env})
        assert result.returncode == 0, result.stderr
        return list(json.loads(result.stdout))

    return ask


@pytest.mark.parametrize(("way", "method"), WAYS)
def test_children_draw_numbers_of_their_own_the_same_in_every_run(
    draws: Any, way: str, method: str
) -> None:
    first, second = draws(way, method), draws(way, method)

    assert first == second
    assert first[0][0] == PLAIN
    numbers = [number for drawn in first for number in drawn]
    assert len(set(numbers)) == len(numbers) >= 9


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_another_seed_gives_children_other_numbers(draws: Any, method: str) -> None:
    first, second = draws("processes", method), draws("processes", method, REPRO_SEED="7")

    assert [one for one, other in zip(first, second) if one == other] == []


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_disabled_children_draw_anything(draws: Any, method: str) -> None:
    first, second = (draws("processes", method, REPRO_DISABLE="1") for _ in range(2))

    assert [one for one, other in zip(first, second) if one == other] == []


def test_all_ways_to_start_the_first_child_but_forks_give_it_the_same_numbers(draws: Any) -> None:
    seconds = [draws("processes", method)[1] for method in ("fork", "forkserver", "spawn")]

    assert seconds[0] == seconds[1] == seconds[2] != draws("forks", "fork")[1]


def test_a_fork_of_a_thread_is_told_from_its_siblings(run: Run) -> None:
    code = """
import os, random, threading, time
os.register_at_fork(before=lambda: time.sleep(0.01))  # runs after ours: there others may count
import repro_env
repro_env.seed_everything()
numbers = []
def fork():
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, repr(random.random()).encode())
        os._exit(0)
    numbers.append(os.read(reader, 100))
threads = [threading.Thread(target=fork) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(set(numbers)))
"""

    assert run(code, "-W", "ignore", env={}).stdout == "16\n"


# The two modules with fork hooks of their own come first: imported in the midst of another's hooks,
# their second half runs without the first, and Python complains of that.
IMPORTS = """
import os, sys, threading, random, logging, concurrent.futures.thread
sys.setswitchinterval(1e-5)
def load():
    import multiprocessing.pool, concurrent.futures.process, uuid, asyncio
thread = threading.Thread(target=load)
thread.start()
children = []
while thread.is_alive():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, repr(random.random()).encode())
        os._exit(0)
    children.append((child, reader))
for child, _ in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(len({os.read(reader, 100) for _, reader in children}) == len(children) > 5)
"""


def test_forks_while_another_thread_imports_are_seeded(run: Run) -> None:
    results = [run(IMPORTS, "-W", "ignore") for _ in range(4)]

    assert [(result.stdout, result.stderr) for result in results] == [("True\n", "")] * 4


def test_a_fork_while_an_import_has_its_module_out_of_the_table_is_seeded(run: Run) -> None:
    code = """
import multiprocessing, os, random, sys
held = sys.modules.pop("multiprocessing.process")  # as importing does, for a moment
if os.fork() == 0:
    os.write(1, repr(random.random()).encode())
    os._exit(0)
os.wait()
"""

    result = run(code)

    assert result.stderr == ""
    assert float(result.stdout) != PLAIN


def test_a_library_first_imported_in_a_child_has_the_childs_numbers(run: Run) -> None:
    code = """
import os
early = {early}
if early:
    import random
if os.fork() == 0:
    import random
    os.write(1, repr(random.random()).encode())
    os._exit(0)
os.wait()
"""

    late = run(code.format(early=False)).stdout

    assert late == run(code.format(early=True)).stdout
    assert float(late) != PLAIN


@pytest.mark.parametrize("reseed", ["random.seed()", "repro_env.seed_everything(7)"])
def test_a_parents_reseeding_reaches_its_children_only_through_us(run: Run, reseed: str) -> None:
    code = f"""
import os, random, repro_env
{reseed}
if os.fork() == 0:
    os.write(1, repr(random.random()).encode())
    os._exit(0)
os.wait()
"""
    without = code.replace(reseed, "")

    assert (run(code).stdout == run(without).stdout) == (reseed == "random.seed()")


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_the_seed_of_a_call_reaches_children(run_file: Run, method: str) -> None:
    call = """
    import multiprocessing.forkserver, repro_env
    multiprocessing.forkserver.ensure_running()  # with the environment as it still is
    repro_env.seed_everything(7)
    own = draw()"""
    code = WORKERS.replace("sys.argv[1:]", repr(("processes", method)))

    called = run_file(code.replace("\n    own = draw()", call), env=SEEDED)
    asked = run_file(code, env={**SEEDED, "REPRO_SEED": "7"})

    assert called.returncode == 0, called.stderr
    assert called.stdout == asked.stdout


def test_a_call_without_the_hooks_seed_reaches_spawned_children(run_file: Run) -> None:
    call = "    import repro_env; repro_env.seed_everything(7)\n    own = draw()"
    code = WORKERS.replace("sys.argv[1:]", repr(("processes", "spawn")))

    called = run_file(code.replace("    own = draw()", call), env={})

    assert called.stdout == run_file(code, env={**SEEDED, "REPRO_SEED": "7"}).stdout != ""
