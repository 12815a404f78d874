"""The package's layers: imports go down only, and the start-up path stays bare."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PACKAGE = PROJECT / "repro_env"
LAYERS = {
    "errors": 0,
    "knobs": 1,
    "settings": 2,
    "libraries": 3,
    "seeding": 4,
    "startup": 5,
    "jupyter": 6,
}
START_UP_PATH = ["errors", "knobs", "settings", "seeding", "startup"]
BARE = {"os", "sys", "repro_env"} | {"collections", "importlib", "types", "typing"}  # for types
MODULES = sorted(file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py"))


def imported_names(source: str) -> set[str]:
    """The modules that a source imports, wherever in it, for type checking too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "repro_env":
            names.update(f"repro_env.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def layer(module: str) -> str:
    return module.removeprefix("repro_env.").split(".")[0]


def test_every_module_has_a_layer() -> None:
    assert {path.parts[0].removesuffix(".py") for path in MODULES} - {"__init__"} == set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_down_only(path: Path) -> None:
    own = layer(".".join(path.with_suffix("").parts))
    for name in imported_names((PACKAGE / path).read_text()):
        if name.startswith("repro_env."):
            assert LAYERS[layer(name)] < LAYERS[own], f"{path} imports {name}"


@pytest.mark.parametrize("module", START_UP_PATH)
def test_the_start_up_path_uses_os_and_sys_only(module: str) -> None:
    names = imported_names((PACKAGE / f"{module}.py").read_text())

    assert {name.split(".")[0] for name in names} <= BARE


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_is_over_300_lines(path: Path) -> None:
    assert len((PACKAGE / path).read_text().splitlines()) <= 300
