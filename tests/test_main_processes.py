"""Main processes, however they are started: the plain seed, and nothing else changed."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.conftest import SEEDED, Run

PLAIN = random.Random(42).random()
DRAW = "import random; print(random.random())"


@pytest.mark.parametrize(
    "options", [["-c", DRAW], ["-m", "draws"], ["-I", "-c", DRAW], ["-"]], ids=lambda o: o[0]
)
def test_every_main_process_has_the_plain_seed(
    hooked_python: Path, tmp_path: Path, options: list[str]
) -> None:
    (tmp_path / "draws.py").write_text(DRAW)
    result = subprocess.run(
        [hooked_python, *options],
        env=SEEDED,
        cwd=tmp_path,
        input=DRAW,
        capture_output=True,
        text=True,
        check=True,
    )

    assert float(result.stdout) == PLAIN


@pytest.mark.parametrize("parent", ["main", "child"])
def test_another_python_has_the_plain_seed_whoever_starts_it(run_file: Run, parent: str) -> None:
    code = f"""
import multiprocessing, subprocess, sys
def start():
    subprocess.run([sys.executable, "-c", {DRAW!r}], check=True)
if __name__ == "__main__":
    if {parent == "main"}:
        start()
    else:
        process = multiprocessing.Process(target=start)
        process.start()
        process.join()
"""

    assert float(run_file(code).stdout) == PLAIN


def test_under_isolation_sets_have_no_order_and_numbers_are_seeded(run: Run) -> None:
    code = "import random; print(random.random(), hash('a'))"

    first, second = run(code, "-I").stdout.split(), run(code, "-I").stdout.split()

    assert float(first[0]) == float(second[0]) == PLAIN
    assert first[1] != second[1]
    assert run(code).stdout == run(code).stdout


def test_a_users_own_sitecustomize_runs_seeded_and_shifts_only_what_it_draws(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import random\nfirst = random.random()\n")
    code = "import random, sitecustomize; print(sitecustomize.first, random.random())"

    drawn = run(code, env={**SEEDED, "PYTHONPATH": str(tmp_path)}).stdout.split()

    generator = random.Random(42)
    assert [float(number) for number in drawn] == [generator.random(), generator.random()]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import uuid; print(uuid.uuid4())", id="uuid4"),
        pytest.param("import tempfile; print(tempfile.mktemp())", id="temporary names"),
        pytest.param("import secrets; print(secrets.token_hex())", id="tokens"),
        pytest.param("import random; print(random.SystemRandom().random())", id="SystemRandom"),
        pytest.param("import os; print(os.urandom(16))", id="urandom"),
    ],
)
def test_what_must_stay_random_stays_random(run: Run, code: str) -> None:
    assert len({run(f"import random; random.random(); {code}").stdout for _ in range(40)}) == 40
