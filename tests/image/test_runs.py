"""`repro` in the containers: what the record says of the image, and runs that are replayed."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import docker

from tests.conftest import PROJECT
from tests.image.conftest import IMAGE, STACK, Stack
from tests.image.test_entrypoint import docker_run

REPOSITORY = """
set -eu
git init -q /tmp/project
cd /tmp/project
git config user.name A
git config user.email a@example.org
"""
TRAIN = """
import numpy as np, torch
torch.save({"weight": torch.nn.Linear(2, 3).weight}, "model.pt")
np.savez("arrays.npz", a=np.random.rand(3), b=np.arange(2))
"""
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "source": "import random; print(random.random())",
            "execution_count": None,
            "outputs": [],
            "metadata": {},
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def recorded(said: str) -> dict[str, Any]:
    """The record that `repro show --json` printed last."""
    record: dict[str, Any] = json.loads(said[said.index('{\n "format"') :])
    return record


def shell(*lines: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run lines in a fresh repository in a fresh container."""
    return docker_run(*options, IMAGE, "bash", "-c", REPOSITORY + "\n".join(lines))


def test_services_record_the_image_s_digest_and_what_was_baked_into_it(stack: Stack) -> None:
    command = "cd $(mktemp -d) && repro run -- python -c 'import torch' && repro show --json last"
    lock = hashlib.sha256((PROJECT / f"stacks/{STACK}.lock").read_bytes()).hexdigest()

    by_exec = stack.must("docker", "compose", "exec", "-T", "jupyter", "bash", "-c", command)
    by_ssh = stack.ssh(command)

    for said in (by_exec, by_ssh):
        definition = recorded(said)["definition"]
        assert definition["image"]["digest"] == docker.from_env().images.get(IMAGE).id
        assert definition["image"]["lock"] == f"sha256:{lock}"
        assert "torch" in definition["packages"]["versions"]
        assert definition["knobs"]["values"]["torch.use_deterministic_algorithms"] == "True"


def test_without_a_launcher_the_digest_is_unavailable_and_the_rest_is_there() -> None:
    done = shell("repro run -- true", "repro show --json last")

    image = recorded(done.stdout)["definition"]["image"]
    assert image["digest"]["status"] == "unavailable"
    assert image["stack"] == STACK


def test_a_training_is_replayed_with_identical_bytes_or_content() -> None:
    done = shell(
        f"cat > train.py <<'EOF'\n{TRAIN}\nEOF",
        "git add . && git commit -q -m first",
        "repro run -- python train.py",
        "repro replay last",
        "repro show --json last",
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict: identical" in done.stdout
    outputs = {file["path"]: file["content"] for file in recorded(done.stdout)["outputs"]}
    names = {path: [part["name"] for part in content["parts"]] for path, content in outputs.items()}
    assert set(names) == {"arrays.npz", "model.pt"}
    assert names["arrays.npz"] == ["a", "b"]
    assert "weight" in names["model.pt"]


def test_another_seed_is_a_difference_that_names_the_array() -> None:
    done = shell(
        f"cat > train.py <<'EOF'\n{TRAIN}\nEOF",
        "repro run -- python train.py",
        "mkdir a && cp arrays.npz model.pt a",
        "repro run --seed 43 -- python train.py",
        "repro diff a/arrays.npz arrays.npz || echo status $?",
        "repro list --json",
    )

    assert "a: 3 of 3 elements differ" in done.stdout
    assert "status 1" in done.stdout
    assert "\nb:" not in done.stdout


def test_an_archive_is_replayed_in_another_container(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    shared = ("--mount", f"type=bind,source={tmp_path},target=/shared")

    packed = shell(
        f"cat > train.py <<'EOF'\n{TRAIN}\nEOF",
        "repro run -- python train.py",
        "repro pack last --output /shared/it.repro.tar",
        options=shared,
    )
    replayed = docker_run(
        *shared, IMAGE, "bash", "-c", "cd $(mktemp -d) && repro replay /shared/it.repro.tar"
    )

    assert packed.returncode == 0, packed.stderr
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "verdict: identical" in replayed.stdout


def test_a_notebook_is_executed_and_its_outputs_are_compared_without_times() -> None:
    done = shell(
        f"cat > it.ipynb <<'EOF'\n{json.dumps(NOTEBOOK)}\nEOF",
        "git add . && git commit -q -m first",
        "repro run -- it.ipynb",
        "repro replay last",
        "repro show --json last",
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert [file["path"] for file in recorded(done.stdout)["outputs"]] == ["it.nbconvert.ipynb"]
    assert "0.6394267984578837" not in done.stderr  # it is in the notebook


def test_a_full_disk_loses_nothing_of_the_user_s() -> None:
    done = docker_run(
        "--tmpfs",
        "/small:size=1m,mode=1777",
        IMAGE,
        "bash",
        "-c",
        "cd /small && echo mine > mine && "
        "repro run -- sh -c 'head -c 2000000 /dev/zero > filling; true'; echo status $?; "
        "repro list --json; cat mine; rm filling; repro run -- true; echo status $?",
    )

    said = done.stdout
    assert "status 2" in said
    assert '"state": "interrupted"' in said
    assert "\nmine\nstatus 0\n" in said
    assert "can't be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_read_only_folder_is_refused_before_anything_runs() -> None:
    done = docker_run("--read-only", IMAGE, "bash", "-c", "cd /data && repro run -- echo ran")

    assert (done.returncode, done.stdout) == (2, "")
    assert "Read-only file system" in done.stderr
    assert "what to do" in done.stderr
