"""The package's layers: imports go down only, and the start-up path stays bare."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from repro_env import seeding
from repro_env.libraries import unique
from tests.conftest import PROJECT

PACKAGE = PROJECT / "repro_env"
LAYERS = {
    "errors": 0,
    "hook": 1,
    "legal": 1,
    "streams": 1,
    "settings": 2,
    "sources": 1,
    "knob": 3,
    "cpu_knobs": 4,
    "knobs": 5,
    "processes": 3,
    "strangers": 3,
    "libraries.python": 4,
    "libraries": 5,
    "seeding": 6,
    "generators": 7,
    "seed": 7,
    "state": 7,
    "readings": 7,
    "watching": 8,
    "witness": 9,
    "descendants": 1,
    "probe": 1,
    "verdicts": 6,
    "notes": 7,
    "doctor": 10,
    "report": 11,
    "startup": 10,
    "cli": 12,
    "jupyter": 12,
}
START_UP_PATH = ["errors", "legal", "settings", "seeding", "startup"]
BARE = {"os", "sys", "_thread", "repro_env"} | {
    "collections",
    "importlib",
    "types",
    "typing",
}  # for types
MODULES = sorted(file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py"))


def imported_names(source: str) -> set[str]:
    """The modules that a source imports, wherever in it, for type checking too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            ours = [name for name in inner if (PROJECT / f"{name.replace('.', '/')}.py").exists()]
            names.update(ours or [node.module])
    return names


def layer(module: str) -> int:
    name = module.removeprefix("repro_env.")
    return LAYERS.get(name, LAYERS.get(name.split(".")[0], -1))


def test_every_module_has_a_layer() -> None:
    modules = {path.parts[0].removesuffix(".py") for path in MODULES} - {"__init__"}
    assert modules == {name.split(".")[0] for name in LAYERS}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_down_only(path: Path) -> None:
    if path.name == "__init__.py":
        return  # lazy: it hands out names of every layer
    own = layer(".".join(path.with_suffix("").parts))
    for name in imported_names((PACKAGE / path).read_text()):
        if name.startswith("repro_env."):
            assert 0 <= layer(name) < own, f"{path} imports {name}"


@pytest.mark.parametrize("module", START_UP_PATH)
def test_the_start_up_path_uses_os_and_sys_only(module: str) -> None:
    names = imported_names((PACKAGE / f"{module}.py").read_text())

    assert {name.split(".")[0] for name in names} <= BARE


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_is_over_300_lines(path: Path) -> None:
    assert len((PACKAGE / path).read_text().splitlines()) <= 300


def test_each_module_that_draws_what_is_unique_is_followed() -> None:
    assert {name for name, ours in seeding.OTHERS.items() if ours == "unique"} == set(
        unique.MODULES
    )
