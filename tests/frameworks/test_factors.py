"""In the image: a verify gives DataLoaders one more worker, and PyTorch a lesser CPU."""

from __future__ import annotations

import json
from typing import Any

import pytest

from repro_env.verification import factors
from tests.conftest import Run
from tests.frameworks.test_seeding import IN_IMAGE

START = "from repro_env.trace import surroundings\nsurroundings.apply({plan!r})\n"
LOADER = """
import json, sys
from torch.utils.data import DataLoader, Dataset, get_worker_info

class Own(DataLoader):
    def __init__(self, data, **others):
        super().__init__(data, **others)

class Workers(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        info = get_worker_info()
        return -1 if info is None else info.id

loaders = [
    DataLoader(Workers()),
    DataLoader(Workers(), 1, False, None, None, 0),
    DataLoader(dataset=Workers(), num_workers=1),
    Own(Workers(), num_workers=0, batch_size=2),
]
print(json.dumps([sorted({n for batch in one for n in batch.tolist()}) for one in loaders]))
"""


def said(run: Run, plan: dict[str, Any], code: str, variables: dict[str, str]) -> Any:
    done = run(START.format(plan=plan) + code, env={**IN_IMAGE, **variables})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_loader_has_one_worker_more(run: Run) -> None:
    plan = dict(factors.variation(["workers"], 0, IN_IMAGE).plan)

    assert said(run, {}, LOADER, {}) == [[-1], [-1], [0], [-1]]
    assert said(run, plan, LOADER, {}) == [[0], [0], [0, 1], [0]]


def test_a_loader_s_arguments_and_errors_are_its_own(run: Run) -> None:
    code = (
        "import inspect, json; from torch.utils.data import DataLoader\n"
        "try: DataLoader([1], no_such=1)\n"
        "except TypeError: print(json.dumps(list(inspect.signature(DataLoader).parameters)))"
    )

    assert said(run, {"workers": 1}, code, {}) == said(run, {}, code, {})


@pytest.mark.skipif(
    bool(factors.unavailable("cpu", IN_IMAGE)), reason=factors.unavailable("cpu", IN_IMAGE)
)
def test_pytorch_does_without_the_best_instructions(run: Run) -> None:
    code = (
        "import json; from repro_env.libraries import torch as ours\nimport numpy, torch\n"
        "print(json.dumps(ours.cpu_capability()))"
    )
    values = [dict(factors.variation(["cpu"], number, IN_IMAGE).variables) for number in range(2)]

    found = [said(run, {}, code, variables) for variables in ({}, *values)]

    assert found[-1] != found[0]  # older ones take AVX2 by themselves, where there is AVX512


def test_pytorch_has_another_number_of_threads(run: Run) -> None:
    code = "import torch; print(torch.get_num_threads())"
    values = dict(factors.variation(["threads"], 0, IN_IMAGE).variables)

    assert said(run, {}, code, {}) != said(run, {}, code, values) == int(values["OMP_NUM_THREADS"])
