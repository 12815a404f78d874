"""In the image: what must be unique stays so, in processes that are seeded alike."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Run
from tests.frameworks.test_seeding import HAS_TENSORFLOW, IN_IMAGE

UNIQUE = """
import json, random, tempfile, uuid
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.serverapp import random_ports
first, *ports = random_ports(8888, 50)
print(json.dumps({
    "token": IdentityProvider().token,
    "uuid4": str(uuid.uuid4()),
    "temporary name": tempfile.mktemp(),
    "ports": ports,
    "seeded": random.random(),
}))
"""


@pytest.mark.skipif(HAS_TENSORFLOW, reason="the same in both stacks")
@pytest.mark.parametrize("processes", [20, pytest.param(200, marks=pytest.mark.nightly)])
def test_tokens_ids_names_and_ports_differ_in_processes_that_are_seeded_alike(
    run: Run, processes: int
) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(UNIQUE, env=IN_IMAGE), range(processes)))

    drawn = [json.loads(result.stdout) for result in results]
    for name in ("token", "uuid4", "temporary name", "ports"):
        assert len({str(one[name]) for one in drawn}) == processes
    assert len({one["seeded"] for one in drawn}) == 1


@pytest.mark.parametrize(
    "command", ["['list', '--format', 'json']", "['--version']", "['hash', '/etc/profile']"]
)
def test_pip_says_the_same_with_the_hook_as_without(run: Run, command: str) -> None:
    code = (
        f"import runpy, sys; sys.argv = ['pip', *{command}];"
        "runpy.run_module('pip', run_name='__main__')"
    )

    seeded, plain = run(code, env=IN_IMAGE), run(code, env={})

    assert seeded.returncode == plain.returncode == 0, seeded.stderr
    assert seeded.stdout == plain.stdout != ""
