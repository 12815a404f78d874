"""The doors matrix: whichever way user code gets in, it finds the same environment and numbers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from repro_env import knobs
from tests.image.conftest import IMAGE, STACK, Stack
from tests.image.jupyter_client import Jupyter

NAMES = [*(knob.name for knob in knobs.variables()), "PATH", "LD_LIBRARY_PATH", "HOME"]
TENSORFLOW = """
import tensorflow
numbers["tensorflow"] = float(tensorflow.random.uniform([1])[0])
"""
PROBE = f"""
import json, os, random
import numpy, torch
numbers = {{}}
{TENSORFLOW if STACK == "tf" else ""}
print("PROBE" + json.dumps({{
    "environment": {{name: os.environ.get(name) for name in {NAMES!r}}},
    "folder": os.getcwd(),
    "hash": hash("repro"),
    "random": random.random(),
    "numpy": numpy.random.rand(),
    "torch": torch.rand(1).item(),
    **numbers,
}}))
"""
RECIPE = """
import random, numpy, torch
random.seed(42)
numpy.random.seed(42)
torch.manual_seed(42)
torch.use_deterministic_algorithms(True)
"""
if STACK == "tf":
    RECIPE += """
import tensorflow
tensorflow.random.set_seed(42)
tensorflow.config.experimental.enable_op_determinism()
"""
NUMBERS = {"random", "numpy", "torch", *(["tensorflow"] if STACK == "tf" else [])}


def compose_service(stack: Stack) -> str:
    return stack.must("docker", "compose", "run", "--rm", "-T", "jupyter", "python", "probe.py")


def docker_run(stack: Stack) -> str:
    mount = f"{stack.folder}:/workspace"
    return stack.must("docker", "run", "--rm", "-v", mount, IMAGE, "python", "probe.py")


def docker_exec(stack: Stack) -> str:
    status, output = stack.container("ssh").exec_run(["python", "probe.py"], stderr=False)
    assert status == 0
    return str(output.decode())


def jupyter_kernel(stack: Stack) -> str:
    with Jupyter(stack.url, stack.token) as jupyter:
        return jupyter.start_kernel().run(PROBE)


def jupyter_terminal(stack: Stack) -> str:
    with Jupyter(stack.url, stack.token) as jupyter:
        return through_a_file(stack, jupyter.open_terminal().send)


def ssh_command(stack: Stack) -> str:
    return stack.ssh("python", "probe.py")


def ssh_login_shell(stack: Stack) -> str:
    return stack.ssh(stdin="python probe.py\nexit\n")


def ssh_with_a_tty(stack: Stack) -> str:
    return stack.ssh("-tt", stdin="python probe.py 2>/dev/null\nexit\n")


DOORS = [
    compose_service,
    docker_run,
    docker_exec,
    jupyter_kernel,
    jupyter_terminal,
    ssh_command,
    ssh_login_shell,
    ssh_with_a_tty,
]


def through_a_file(stack: Stack, send: Callable[[str], None]) -> str:
    """Have a terminal write the probe's output to a file: a screen would wrap it."""
    result = stack.folder / "terminal.json"
    send("python probe.py >terminal.new && mv terminal.new terminal.json\n")
    for _ in range(600):
        if result.exists():
            return result.read_text()
        time.sleep(0.1)
    raise AssertionError("the terminal wrote nothing within a minute")


def parse(output: str) -> dict[str, Any]:
    """Find the probe's line among what a shell may say around it."""
    line = next(line for line in output.splitlines() if line.startswith("PROBE"))
    return dict(json.loads(line.removeprefix("PROBE")))


@pytest.fixture(scope="module")
def recipe(stack: Stack) -> dict[str, Any]:
    """What a plain Python gives: no hook, no variable of ours but the hash seed."""
    (stack.folder / "probe.py").write_text(PROBE)
    (stack.folder / "recipe.py").write_text(RECIPE + PROBE)
    mount = f"{stack.folder}:/workspace:ro"
    plain = ["env", "-i", "PYTHONHASHSEED=0", "/opt/venv/bin/python", "recipe.py"]
    return parse(stack.must("docker", "run", "--rm", "-v", mount, IMAGE, *plain))


@pytest.mark.parametrize("door", DOORS, ids=lambda door: str(door.__name__))
def test_a_door_gives_the_images_environment_and_the_recipes_numbers(
    stack: Stack, recipe: dict[str, Any], door: Callable[[Stack], str]
) -> None:
    found = parse(door(stack))

    assert found.pop("environment") == {
        **dict.fromkeys(knob.name for knob in knobs.variables()),
        **knobs.image_variables(),
        "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": "/opt/venv/lib/cuda",
        "HOME": "/home/repro",
    }
    assert found.pop("folder") == "/workspace"
    assert found == {name: recipe[name] for name in found}
    assert set(found) == {"hash", *NUMBERS}


def test_another_seed_gives_other_numbers_and_the_same_hash(
    stack: Stack, recipe: dict[str, Any]
) -> None:
    output = stack.must(
        "docker", "compose", "run", "--rm", "-T", "jupyter", "python", "probe.py", REPRO_SEED="7"
    )

    found = parse(output)

    assert found["environment"]["REPRO_SEED"] == "7"
    assert [name for name in NUMBERS if found[name] == recipe[name]] == []
    assert found["hash"] == recipe["hash"]
