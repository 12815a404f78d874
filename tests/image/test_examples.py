"""The examples: the same bits in each fresh container and through each door."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.image.conftest import IMAGE, STACK, Stack
from tests.image.jupyter_client import Jupyter

EXAMPLES = ["digits_torch", *(["digits_tf"] if STACK == "tf" else [])]
SHORT = ["--epochs", "3"]
NOTEBOOK = "examples/digits.ipynb"
EPOCHS = "for epoch in range(1, 31)"  # the notebook's


def written(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def in_fresh_container(stack: Stack, *command: str, **env: str) -> str:
    """Run a command beside the project's files, and return what it printed.

    Threads that wait don't spin: other tests run beside these.
    """
    variables = {"OMP_WAIT_POLICY": "passive", **env}
    options = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    mount = ["--volume", f"{stack.folder}:/workspace"]
    return stack.must(
        "docker", "run", "--rm", "--shm-size", "1g", *mount, *options, IMAGE, *command
    )


def run_example(stack: Stack, example: str, out: str, **env: str) -> dict[str, str]:
    """Run an example in a fresh container; return the sha256 of each file that it wrote."""
    in_fresh_container(stack, "python", f"examples/{example}.py", "--out", out, *SHORT, **env)
    return written(stack.folder / out)


@pytest.mark.parametrize("example", EXAMPLES)
def test_three_fresh_containers_write_the_same_bytes(stack: Stack, example: str) -> None:
    runs = [run_example(stack, example, f"runs/{example}-{n}") for n in range(3)]

    assert set(runs[0]) == {"metrics.json", "weights.npz"}
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize("example", EXAMPLES)
def test_unseeded_both_metrics_and_weights_differ(stack: Stack, example: str) -> None:
    first, second = (
        run_example(stack, example, f"runs/{example}-unseeded-{n}", REPRO_DISABLE="1")
        for n in range(2)
    )

    assert [name for name in first if first[name] == second[name]] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_another_seed_writes_other_bytes(stack: Stack, example: str) -> None:
    usual = run_example(stack, example, f"runs/{example}-42")
    other = run_example(stack, example, f"runs/{example}-7", REPRO_SEED="7")

    assert [name for name in usual if usual[name] == other[name]] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_services_doors_write_the_same_bytes(stack: Stack, example: str) -> None:
    command = ["python", f"examples/{example}.py", *SHORT, "--out"]
    execute = ["docker", "compose", "exec", "-T", "jupyter"]
    cell = f"%run examples/{example}.py {' '.join(SHORT)} --out runs/{example}-kernel"

    stack.must(*execute, *command, f"runs/{example}-exec")
    stack.ssh(*command, f"runs/{example}-ssh")
    with Jupyter(stack.url, stack.token) as jupyter:
        jupyter.start_kernel().run(cell)

    runs = [
        written(stack.folder / "runs" / f"{example}-{door}") for door in ("exec", "ssh", "kernel")
    ]
    assert runs[0] == runs[1] == runs[2] == run_example(stack, example, f"runs/{example}-run")


def test_the_notebook_prints_the_scripts_digest(stack: Stack) -> None:
    assert run_notebook(stack)[-1].strip() == script_digest(stack)


def test_the_notebook_prints_the_same_each_time_and_unseeded_another_digest(stack: Stack) -> None:
    notebook = (stack.folder / NOTEBOOK).read_text()
    assert notebook.count(EPOCHS) == 1
    short = "examples/short.ipynb"
    (stack.folder / short).write_text(notebook.replace(EPOCHS, "for epoch in range(1, 4)"))

    seeded = [run_notebook(stack, short) for _ in range(2)]
    unseeded = run_notebook(stack, short, REPRO_DISABLE="1")

    assert seeded[0] == seeded[1]
    assert unseeded[-1] != seeded[0][-1]


def script_digest(stack: Stack) -> str:
    """Return the last line of the PyTorch example, whose work the notebook does too."""
    return in_fresh_container(stack, "python", "examples/digits_torch.py").splitlines()[-1]


def run_notebook(stack: Stack, notebook: str = NOTEBOOK, **env: str) -> list[str]:
    """Execute a notebook in a fresh container; return what its cells printed."""
    execute = ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout"]
    cells = json.loads(in_fresh_container(stack, *execute, notebook, **env))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return ["".join(output["text"]) for output in outputs if output["output_type"] == "stream"]
