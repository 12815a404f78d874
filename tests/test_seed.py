"""Seeding by a call, where no start-up hook has, or with another seed: in fresh processes."""

from __future__ import annotations

import ast
import random
import re
from typing import Any

import pytest

import repro_env
from tests.conftest import PROJECT, Run

NUMBERS = "print(random.random(), random.random())\n"


def numbers(seed: int) -> str:
    generator = random.Random(seed)
    return f"{generator.random()} {generator.random()}\n"


def test_a_loaded_library_is_seeded_now(run: Run) -> None:
    code = "import random, repro_env; random.random(); repro_env.seed_everything(7);" + NUMBERS

    assert run(code, env={}).stdout == numbers(7)


def test_a_library_that_is_imported_later_is_seeded_then(run: Run) -> None:
    code = "import repro_env; repro_env.seed_everything(7); import random;" + NUMBERS

    assert run(code, env={}).stdout == numbers(7)


def test_it_takes_the_place_of_the_environments_seed(run: Run) -> None:
    code = "import random, repro_env; repro_env.seed_everything(7);" + NUMBERS

    assert run(code).stdout == numbers(7)


@pytest.mark.parametrize(
    ("env", "seed"),
    [({}, 42), ({"REPRO_SEED": "3", "PYTHONHASHSEED": "0"}, 3)],
    ids=["no seed", "the environment's"],
)
def test_without_an_argument_it_takes_the_environments_seed_or_42(
    run: Run, env: dict[str, str], seed: int
) -> None:
    code = "import random, repro_env; print(repro_env.seed_everything());" + NUMBERS

    assert run(code, env=env).stdout == f"{seed}\n{numbers(seed)}"


def test_called_again_it_starts_again(run: Run) -> None:
    code = """
import random, repro_env
for _ in range(2):
    repro_env.seed_everything(7)
    print(random.random(), random.random())
"""

    assert run(code).stdout == numbers(7) * 2


def test_a_python_that_is_started_later_has_the_same_seed(run: Run) -> None:
    code = f"""
import repro_env, subprocess, sys
repro_env.seed_everything(7)
subprocess.run([sys.executable, "-c", {f"import random; {NUMBERS}"!r}], check=True)
"""

    assert run(code, env={}).stdout == run(code).stdout == numbers(7)


def test_streams_follow_the_seed_that_was_set(run: Run) -> None:
    code = """
import repro_env
before = repro_env.seed_for("a")
repro_env.seed_everything(7)
print(before == repro_env.seed_for("a"))
repro_env.seed_everything(42)
print(before == repro_env.seed_for("a"))
"""

    assert run(code).stdout == "False\nTrue\n"


BAD: list[Any] = [-1, 2**32, 10**20, True, False, 1.0, "42", float("nan"), [42], b"1"]


@pytest.mark.parametrize("seed", BAD, ids=repr)
def test_a_bad_seed_is_named_and_nothing_is_seeded(seed: Any) -> None:
    state = random.getstate()

    with pytest.raises(repro_env.SeedError, match=re.escape(f"the seed {seed!r} is not")):
        repro_env.seed_everything(seed)

    assert random.getstate() == state


@pytest.mark.parametrize(
    "env", [{"REPRO_SEED": "abc"}, {"REPRO_UNSEEDED": "maybe"}], ids=["seed", "unseeded"]
)
def test_a_bad_setting_is_named_and_nothing_is_seeded(run: Run, env: dict[str, str]) -> None:
    code = f"""
import os, random
os.environ.update({env})
import repro_env
state = random.getstate()
try:
    repro_env.seed_everything()
except repro_env.SettingError as error:
    print(error)
print(random.getstate() == state)
"""
    name, value = next(iter(env.items()))

    result = run(code, env={})

    assert result.stdout.startswith(f"{name}={value!r} is not ")
    assert result.stdout.splitlines()[-1] == "True"


def test_numbers_too_long_to_write_are_refused_in_few_words() -> None:
    for refused in (repro_env.seed_everything, lambda key: repro_env.seed_for("a", key)):
        with pytest.raises(repro_env.SeedError, match="of 16610 bits is "):
            refused(10**5000)


def test_an_index_that_is_a_truth_is_refused() -> None:
    class Truth:
        def __index__(self) -> int:
            return True

    with pytest.raises(repro_env.SeedError):
        repro_env.seed_everything(Truth())  # type: ignore[arg-type]


def test_a_child_that_cannot_be_seeded_leaves(run: Run) -> None:
    code = """
import os, random, repro_env
repro_env.seed_everything(7)
os.environ.update(RANK="5", WORLD_SIZE="2")
if os.fork() == 0:
    print("went on unseeded", flush=True)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""

    result = run(code, env={})

    assert result.stdout == "2\n"
    assert "error: RANK='5' is not" in result.stderr


def test_an_error_of_ours_survives_the_way_back_from_a_worker(run_file: Run) -> None:
    code = """
import concurrent.futures, repro_env
def fail():
    repro_env.seed_for(1)
if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        error = pool.submit(fail).exception()
    print(type(error).__name__, error.hint != "", "the name 1" in str(error))
"""

    assert run_file(code).stdout == "SeedError True True\n"


def test_type_checkers_are_told_the_same_names() -> None:
    stub = ast.parse((PROJECT / "repro_env/__init__.pyi").read_text())
    told = [node for node in stub.body if isinstance(node, ast.Assign)][-1]

    assert ast.literal_eval(told.value) == list(repro_env.__all__)


def test_the_public_names_are_exactly_those_of_all() -> None:
    for name in repro_env.__all__:
        assert getattr(repro_env, name).__module__.startswith("repro_env.")
    assert set(repro_env.__all__) <= set(dir(repro_env))
    with pytest.raises(AttributeError, match="no attribute 'seed_all'"):
        repro_env.seed_all  # type: ignore[attr-defined]  # noqa: B018
