"""Seeders of other packages, found by their entry points, as pip would have written them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conftest import SEEDED, Run

MODULE = "value = None\n"
SEEDER = """
import thing
def seed(value):
    thing.value = value
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Install `thing`, whose generator nobody knows, and a package that seeds it."""
    (tmp_path / "thing.py").write_text(MODULE)
    (tmp_path / "thing_seeder.py").write_text(SEEDER)
    install(tmp_path, "thing = thing_seeder:seed")
    return {**SEEDED, "PYTHONPATH": str(tmp_path)}


def install(folder: Path, entry_point: str) -> None:
    metadata = folder / "thing_seeder-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "entry_points.txt").write_text(
        f"[console_scripts]\nthing = thing:main\n\n[repro_env.seeders]\n{entry_point}\n"
    )


def test_a_strangers_generator_is_seeded_after_its_import(run: Run, env: dict[str, str]) -> None:
    code = "import thing; print(thing.value)"

    assert run(code, env=env).stdout == "42\n"
    assert run(code, env={**env, "REPRO_SEED": "7"}).stdout == "7\n"
    assert run(code, env={**env, "REPRO_DISABLE": "1"}).stdout == "None\n"


def test_it_is_not_imported_for_the_user(run: Run, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text("")

    loaded = run("import sys, user; print(sys.modules.keys() & {'thing', 'thing_seeder'})", env=env)

    assert loaded.stdout == "set()\n"


def test_it_is_seeded_when_another_module_imports_it(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "user.py").write_text("import thing\n")

    assert run("import user; print(user.thing.value)", env=env).stdout == "42\n"


def test_it_is_seeded_by_a_call(run: Run, env: dict[str, str]) -> None:
    code = "import thing, repro_env; repro_env.seed_everything(7); print(thing.value)"

    assert run(code, env=env).stdout == "7\n"


def test_one_that_was_imported_before_the_call_is_seeded_by_it(
    run: Run, env: dict[str, str]
) -> None:
    code = "import thing, repro_env; repro_env.seed_everything(7); print(thing.value)"

    assert run(code, env={"PYTHONPATH": env["PYTHONPATH"]}).stdout == "7\n"


def test_a_seeder_for_one_of_our_libraries_comes_after_ours(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    install(tmp_path, "random = thing_seeder:seed")
    code = "import thing, random; print(thing.value, random.random())"

    assert run(code, env=env).stdout == f"42 {random.Random(42).random()}\n"


@pytest.mark.parametrize(
    "entry_point", ["thing = thing_seeder:Kind.seed", "thing=thing_seeder:seed [x]"]
)
def test_every_form_of_an_entry_point_is_understood(
    run: Run, env: dict[str, str], tmp_path: Path, entry_point: str
) -> None:
    (tmp_path / "thing_seeder.py").write_text(SEEDER + "class Kind: seed = staticmethod(seed)\n")
    install(tmp_path, entry_point)

    assert run("import thing; print(thing.value)", env=env).stdout == "42\n"


def test_each_child_has_a_value_of_its_own_that_fits_32_bits(run: Run, env: dict[str, str]) -> None:
    code = """
import os, thing
for _ in range(2):
    if os.fork() == 0:
        print(thing.value, flush=True)
        os._exit(0)
    os.wait()
"""

    values = [int(line) for line in run(code, env=env).stdout.split()]

    assert len({42, *values}) == 3
    assert max(values) < 2**32


@pytest.mark.parametrize(
    ("entry_point", "said"),
    [
        ("thing = nowhere:seed", "ModuleNotFoundError: No module named 'nowhere'"),
        ("thing = thing_seeder:nothing", "no attribute 'nothing'"),
    ],
)
def test_a_seeder_that_cannot_seed_stops_the_process(
    run: Run, env: dict[str, str], tmp_path: Path, entry_point: str, said: str
) -> None:
    install(tmp_path, entry_point)

    result = run("import thing; print('went on unseeded')", env=env)

    assert result.returncode == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert f"the seeder of thing, {entry_point.split(' = ')[1]}, failed: " in result.stderr


def test_an_entry_point_file_that_cannot_be_read_as_one_is_left_to_its_owner(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other-1.0.dist-info"
    other.mkdir()
    (other / "entry_points.txt").write_bytes(b"not [an ini file, nor \xff UTF-8")

    assert run("import thing; print(thing.value)", env=env).stdout == "42\n"


@pytest.mark.parametrize(
    "text", [b"[repro_env.seeders\nthing = x:y", b"[repro_env.seeders]\n\xff = x:y"]
)
def test_one_that_names_our_group_and_cannot_be_read_is_named(
    run: Run, env: dict[str, str], tmp_path: Path, text: bytes
) -> None:
    file = tmp_path / "thing_seeder-1.0.dist-info" / "entry_points.txt"
    file.write_bytes(text)

    result = run("import thing; print('went on unseeded')", env=env)

    assert (result.returncode, result.stdout) == (2, "")
    assert f"{str(file)!r} names repro_env.seeders and can't be read" in result.stderr
