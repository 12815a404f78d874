"""What all tests share: fresh processes, in an environment that holds the built wheel."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SEEDED = {"REPRO_SEED": "42", "PYTHONHASHSEED": "0"}
# Of our own environment, where it is set: where libraries lie, and how their threads wait.
KEPT = ("LD_LIBRARY_PATH", "OMP_WAIT_POLICY")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_configure() -> None:
    """Heed Ctrl-C and hang-ups, and let children: what runs in the background ignores them."""
    for number, default in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, default)


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
    subprocess.run(
        [*pip, "--python", python, "install", "--no-index", "--no-deps", wheel], check=True
    )
    # What `repro` is made with is among the tools.
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = python.parent.parent / "lib" / version / "site-packages"
    (packages / "tools.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def _run(
    python: Path, *arguments: str | Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a fresh process, with nothing in its environment but what is given."""
    basics = {name: os.environ[name] for name in ("PATH", "HOME", *KEPT) if name in os.environ}
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


class Project:
    """A folder with a git repository, in which `repro` can be called.

    Args:
        folder: Where.
        python: An interpreter that has the hook and the command.
    """

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.python = python
        self.environ = {
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "HOME": str(folder.parent),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }
        self.environ |= {name: os.environ[name] for name in KEPT if name in os.environ}

    def git(self, *arguments: str) -> str:
        """Run git, and return what it prints."""
        user = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        return subprocess.run(
            ["git", *user, *arguments],
            cwd=self.folder,
            env=self.environ,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def commit(self, **files: str) -> None:
        """Write files (`train_py="..."` is `train.py`) and commit everything."""
        for name, text in files.items():
            self.write(name.replace("_", "."), text)
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "a commit")

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def repro(
        self, *arguments: str | Path, folder: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Call `repro`, from the folder or one below it."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder / folder,
            env={**self.environ, **variables},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            timeout=300,
        )

    @contextmanager
    def started(self, *arguments: str | Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Call `repro` in a process group of its own, and wait for its first line."""
        with subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            start_new_session=True,
            **options,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            yield process

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command line of `repro`."""
        return [str(self.python), "-m", "repro_env.cli", *map(str, arguments)]

    def run(self, *arguments: str | Path, **variables: str) -> dict[str, Any]:
        """Call `repro run`, which must end well, and return the record."""
        done = self.repro("run", *arguments, **variables)
        assert done.returncode == 0, done.stderr
        return self.record()

    def record(self, name: str = "last") -> dict[str, Any]:
        """Return a run's record."""
        done = self.repro("show", "--json", name)
        assert done.returncode == 0, done.stderr
        record: dict[str, Any] = json.loads(done.stdout)
        return record


@pytest.fixture
def project(hooked_python: Path, tmp_path: Path) -> Project:
    """A git repository without a commit."""
    folder = tmp_path / "project"
    folder.mkdir()
    made = Project(folder, hooked_python)
    made.git("init", "-q", "-b", "main")
    return made


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
