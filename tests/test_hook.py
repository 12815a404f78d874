"""`repro hook`: another environment gets the start-up hook, and is freed of it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.conftest import SEEDED

DRAW = "import random; print(random.random())"
FIRST = random.Random(42).random()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """An environment of the user's own."""
    venv.create(tmp_path / "venv", symlinks=True)
    return tmp_path / "venv" / "bin" / "python"


def draw(python: Path) -> float:
    told = subprocess.run(
        [python, "-c", DRAW], env=SEEDED, capture_output=True, text=True, check=True
    )
    return float(told.stdout)


@pytest.fixture
def repro(hooked_python: Path) -> Path:
    return hooked_python.with_name("repro")


def test_a_name_with_a_newline_stays_on_its_line(repro: Path, tmp_path: Path) -> None:
    result = run(repro, "hook", "install", tmp_path / "a\nb")

    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 2


def run(repro: Path, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [repro, *arguments],
        env={**os.environ, **SEEDED, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def files(python: Path) -> list[Path]:
    everything = python.parent.parent.rglob("*")
    return sorted(p for p in everything if p.is_file() and "__pycache__" not in p.parts)


def test_an_environment_of_ones_own_is_seeded_once_it_has_the_hook(repro: Path, own: Path) -> None:
    assert draw(own) != draw(own)

    result = run(repro, "hook", "install", own)

    assert (result.returncode, result.stderr) == (0, "")
    assert draw(own) == draw(own) == FIRST


def test_the_hook_can_be_installed_twice_and_from_there(repro: Path, own: Path) -> None:
    for _ in range(2):
        assert run(repro, "hook", "install", own).returncode == 0

    from_there = subprocess.run(
        [own, "-m", "repro_env.cli", "hook", "install", own], env=SEEDED, check=False
    )

    assert from_there.returncode == 0
    assert draw(own) == FIRST


def test_removed_the_environment_is_as_it_was(repro: Path, own: Path) -> None:
    before = files(own)
    run(repro, "hook", "install", own)
    assert files(own) != before

    first, second = (run(repro, "hook", "remove", own) for _ in range(2))

    assert files(own) == before
    assert "had the hook" in first.stdout
    assert "had no hook" in second.stdout
    assert draw(own) != draw(own)


def test_pip_lists_it_and_removes_it_and_nothing_else(repro: Path, own: Path) -> None:
    own.with_name("repro").write_text("somebody else's")
    before = files(own)
    run(repro, "hook", "install", own)
    pip = [sys.executable, "-m", "pip", "--python", str(own)]

    listed = subprocess.run([*pip, "list"], capture_output=True, text=True, check=True)
    subprocess.run([*pip, "uninstall", "--yes", "--quiet", "repro-env"], check=True)

    assert "repro-env" in listed.stdout
    assert files(own) == before


@pytest.mark.skipif(os.getuid() == 0, reason="root can write everywhere")
def test_an_environment_that_cannot_be_written_is_named(repro: Path, own: Path) -> None:
    packages = next(own.parent.parent.glob("lib/python*/site-packages"))
    packages.chmod(0o555)

    result = run(repro, "hook", "install", own)

    packages.chmod(0o755)
    assert result.returncode == 2
    assert f"no folder for packages that you can write: {packages}" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("#!/bin/sh\n", "is no Python that can be asked", id="no Python"),
        pytest.param(
            """#!/bin/sh\necho '{"version": [3, 8], "packages": "/x", "own_packages": null}'\n""",
            "is Python 3.8, and the hook needs 3.9 or newer",
            id="an old one",
        ),
        pytest.param(None, "is no Python that can be asked: [Errno 2]", id="nothing"),
    ],
)
def test_what_cannot_have_the_hook_is_named(
    repro: Path, tmp_path: Path, text: str | None, said: str
) -> None:
    python = tmp_path / "python"
    if text is not None:
        python.write_text(text)
        python.chmod(0o755)

    result = run(repro, "hook", "install", python)

    error, advice = result.stderr.splitlines()
    assert result.returncode == 2
    assert error.startswith(f"error: {str(python)!r} {said}")
    assert advice.startswith("  what to do: ")


def test_a_hook_that_does_not_seed_is_taken_back(repro: Path, own: Path) -> None:
    before = files(own)
    own.rename(own.with_name("real"))
    own.write_text(f'#!/bin/sh\nunset REPRO_SEED\nexec {own.with_name("real")} "$@"\n')
    own.chmod(0o755)

    result = run(repro, "hook", "install", own)

    assert result.returncode == 2
    assert "does not run the hook" in result.stderr
    assert [path for path in files(own) if path.name != "real"] == before


@pytest.mark.parametrize("arguments", [[], ["hook"], ["hook", "install"], ["nonsense"]])
def test_an_incomplete_command_says_how_it_is_meant(repro: Path, arguments: list[str]) -> None:
    result = run(repro, *arguments)

    assert result.returncode == 2
    assert "usage: repro" in result.stderr
