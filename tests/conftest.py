"""What all tests share: fresh processes, in an environment that holds the built wheel."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SEEDED = {"REPRO_SEED": "42", "PYTHONHASHSEED": "0"}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_configure() -> None:
    """Heed Ctrl-C, and let children do so: shells have what runs in the background ignore it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def hooked_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the start-up hook: the image's own, or one with the built wheel."""
    if any(importlib.metadata.distributions(name="repro-env")):
        return Path(sys.executable)
    return _install_wheel(tmp_path_factory.mktemp("hooked"))


def _install_wheel(folder: Path) -> Path:
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, PROJECT],
        check=True,
    )
    wheel = next(folder.glob("*.whl"))
    subprocess.run([*pip, "--python", python, "install", "--no-index", wheel], check=True)
    return python


def _run(
    python: Path, *arguments: str | Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a fresh process, with nothing in its environment but what is given."""
    kept = ("PATH", "HOME", "LD_LIBRARY_PATH")
    basics = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run(
        [python, *arguments],
        env={**basics, "TF_CPP_MIN_LOG_LEVEL": "3", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def run(hooked_python: Path) -> Run:
    """Run Python code in a fresh process."""

    def run_code(
        code: str, *options: str, env: Mapping[str, str] = SEEDED
    ) -> subprocess.CompletedProcess[str]:
        return _run(hooked_python, *options, "-c", code, env=env)

    return run_code


@pytest.fixture
def run_file(hooked_python: Path, tmp_path: Path) -> Run:
    """Run Python code as a script, which spawned children can import, in a fresh process."""

    def run_code(
        code: str, *options: str, env: Mapping[str, str] = SEEDED
    ) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "script.py"
        script.write_text(code)
        return _run(hooked_python, *options, script, env=env)

    return run_code
