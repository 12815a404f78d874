"""Workers that strangers' packages start: each draws its own, and tasks draw the same anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.strangers.conftest import Told

Report = dict[str, Any]

REPORT = """
import json, random

def report():
    import os, numpy, torch, repro_env
    return {
        "process": os.getpid(),
        "random": random.random(),
        "numpy": numpy.random.rand(),
        "torch": torch.rand(1).item(),
        "streams": [repro_env.stream("x", index).random() for index in range(4)],
    }
"""
JOBLIB = """
import os, tempfile, time
from joblib import Parallel, delayed

folder = tempfile.mkdtemp()

def meet_and_report():  # or one worker might do both tasks
    open(f"{folder}/{os.getpid()}", "w").close()
    while len(os.listdir(folder)) < 2:
        time.sleep(0.01)
    return report()

print(json.dumps(Parallel(n_jobs=2)(delayed(meet_and_report)() for _ in range(2))))
"""
DASK = """
from distributed import Client, LocalCluster

with LocalCluster(processes=True, n_workers=2, dashboard_address=None) as cluster:
    with Client(cluster) as client:
        print(json.dumps(list(client.run(report).values())))
"""
RAY = """
import ray

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")

@ray.remote
class Worker:  # each in a process of its own
    def report(self):
        return report()

workers = [Worker.remote(), Worker.remote()]
print(json.dumps(ray.get([worker.report.remote() for worker in workers])))
"""
KINDS = [
    pytest.param(REPORT + JOBLIB, id="joblib"),
    pytest.param(REPORT + DASK, id="dask"),
    pytest.param(REPORT + RAY, id="ray"),
]
NUMBERED = KINDS[:2]  # Ray names its workers at random
LIBRARIES = ("random", "numpy", "torch")
ALONE = REPORT + "print(json.dumps([report()]))"


def draws(workers: list[Report]) -> set[float]:
    return {worker[library] for worker in workers for library in LIBRARIES}


def streams(workers: list[Report]) -> set[tuple[float, ...]]:
    return {tuple(worker["streams"]) for worker in workers}


@pytest.mark.parametrize("code", KINDS)
def test_no_two_workers_draw_the_same_nor_what_the_main_process_draws(
    told: Told, code: str
) -> None:
    workers = told(code)

    assert len({worker["process"] for worker in workers}) == 2
    assert len(draws(workers + told(ALONE))) == 3 * len(LIBRARIES)


@pytest.mark.parametrize("code", NUMBERED)
def test_the_same_workers_draw_the_same_in_each_run(told: Told, code: str) -> None:
    assert draws(told(code)) == draws(told(code, turn=2))


@pytest.mark.parametrize("code", KINDS)
def test_another_seed_or_none_draws_nothing_the_same(told: Told, code: str) -> None:
    seeded = told(code) + told(code, REPRO_SEED="7")
    unseeded = told(code, REPRO_DISABLE="1") + told(code, turn=2, REPRO_DISABLE="1")

    assert len(draws(seeded + unseeded)) == 8 * len(LIBRARIES)


@pytest.mark.parametrize("code", KINDS)
def test_a_task_draws_the_same_in_each_run_whatever_worker_it_lands_on(
    told: Told, code: str
) -> None:
    everywhere = told(code) + told(code, turn=2) + told(ALONE)

    assert len({worker["process"] for worker in told(code)}) == 2
    assert len(streams(everywhere)) == 1
    assert len(set(*streams(everywhere))) == 4


@pytest.mark.parametrize("code", KINDS)
def test_with_another_seed_a_task_draws_something_else(told: Told, code: str) -> None:
    assert streams(told(code)).isdisjoint(streams(told(code, REPRO_SEED="7")))


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(
            "from concurrent.futures import ThreadPoolExecutor\n"
            "found = list(ThreadPoolExecutor(4).map(task, range(200)))",
            id="concurrent.futures",
        ),
        pytest.param(
            "from joblib import Parallel, delayed\n"
            "found = Parallel(4, backend='threading')(delayed(task)(i) for i in range(200))",
            id="joblib",
        ),
        pytest.param(
            "import dask\n"
            "tasks = [dask.delayed(task)(i) for i in range(200)]\n"
            "found = list(dask.compute(*tasks, scheduler='threads', num_workers=4))",
            id="dask",
        ),
    ],
)
def test_threads_draw_from_streams_what_a_loop_draws(told: Told, pool: str) -> None:
    code = """
import json, repro_env
def task(index):
    return repro_env.stream("x", index).random()
{}
print(json.dumps([found, [task(index) for index in range(200)]]))
"""

    threads, loop = told(code.format(pool))

    assert threads == loop
    assert len(set(loop)) == 200
    assert threads == told(code.format(pool), turn=2)[0]
    assert set(threads).isdisjoint(told(code.format(pool), REPRO_SEED="7")[0])
