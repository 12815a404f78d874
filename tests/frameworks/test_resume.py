"""In the image: a training stops in mid-epoch, and goes on to the bits of one that never did."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

EXAMPLES = PROJECT / "examples"
FRAMEWORKS = ["torch", *(["tf"] if importlib.util.find_spec("tensorflow") else [])]
SAVES_NO_DROPOUT = {  # what an example says, and what a training that can't resume says instead
    "torch": ("generator=repro_env.dataloader_generator()", "generator=None"),
    "tf": ("            Dropout(0.3)", "            tf.keras.layers.Dropout(0.3)"),
}


def run(script: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Train for two epochs of 45 steps, in a fresh process."""
    return subprocess.run(
        [sys.executable, script, "--epochs", "2", "--out", out, *options],
        env={**os.environ, "PYTHONPATH": str(EXAMPLES), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )


def last_line(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()[-1]


def stop_twice(script: Path, out: Path) -> None:
    """Stop in the first epoch, keep its generators' states as `early.json`; stop in the next."""
    assert last_line(run(script, out, "--stop-after", "20")) == "stopped after step 20"
    shutil.copy(out / "rng.json", out / "early.json")
    assert last_line(run(script, out, "--resume", "--stop-after", "60")) == "stopped after step 60"


@pytest.fixture(scope="module", params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def script(framework: str) -> Path:
    return EXAMPLES / f"resume_{framework}.py"


@pytest.fixture(scope="module")
def digest(script: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the training prints that never stopped."""
    line = last_line(run(script, tmp_path_factory.mktemp("whole")))
    assert line.startswith("digest ")
    return line


@pytest.fixture(scope="module")
def stopped(script: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    stop_twice(script, folder)
    return folder


@pytest.fixture
def checkpoint(stopped: Path, tmp_path: Path) -> Path:
    """A checkpoint of one's own, to go on from."""
    return Path(shutil.copytree(stopped, tmp_path / "checkpoint"))


def test_a_training_that_stopped_twice_ends_in_the_bits_of_one_that_never_did(
    script: Path, checkpoint: Path, digest: str
) -> None:
    assert last_line(run(script, checkpoint, "--resume")) == digest


def test_with_generators_of_another_step_it_ends_elsewhere(
    script: Path, checkpoint: Path, digest: str
) -> None:
    shutil.copy(checkpoint / "early.json", checkpoint / "rng.json")

    assert last_line(run(script, checkpoint, "--resume")) != digest


def test_without_the_generators_states_it_does_not_go_on(script: Path, checkpoint: Path) -> None:
    (checkpoint / "rng.json").unlink()

    resumed = run(script, checkpoint, "--resume")

    assert resumed.returncode == 1
    assert "rng.json' can't be read: No such file or directory" in resumed.stderr
    assert "digest" not in resumed.stdout


def test_a_training_that_shares_or_hides_the_draws_of_dropout_does_not_resume(
    framework: str, script: Path, tmp_path: Path
) -> None:
    text = script.read_text()
    ours, careless = SAVES_NO_DROPOUT[framework]
    assert ours in text
    script = tmp_path / "careless.py"
    script.write_text(text.replace(ours, careless))

    whole = last_line(run(script, tmp_path / "whole"))
    last_line(run(script, tmp_path / "stopped", "--stop-after", "20"))
    resumed = last_line(run(script, tmp_path / "stopped", "--resume"))

    assert resumed != whole
