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
    "arguments": 1,
    "content.elements": 1,
    "content.places": 1,
    "content.verdict": 1,
    "descendants": 1,
    "git.command": 1,
    "hook": 1,
    "imports": 1,
    "loaded": 1,
    "legal": 1,
    "paths": 1,
    "probe": 1,
    "records.definition": 1,
    "runs.redaction": 1,
    "runs.relay": 2,
    "portable": 1,
    "sources": 1,
    "streams": 1,
    "unportable": 1,
    "words": 1,
    "content.arrays": 2,
    "content.tables": 2,
    "git.snapshot": 2,
    "records.finding": 2,
    "records.observation": 2,
    "settings": 2,
    "git.code": 3,
    "knob": 3,
    "profile": 3,
    "processes": 3,
    "records.record": 3,
    "runs.seen": 3,
    "runs.surroundings": 3,
    "strangers": 3,
    "cpu_knobs": 4,
    "formats": 4,
    "formats.apart": 5,
    "formats.limits": 5,
    "formats.sources": 5,
    "formats.tree": 5,
    "formats.wire": 5,
    "formats.strided": 6,
    "formats.symbols": 6,
    "formats.pickled_arrays": 6,
    "formats.csv": 7,
    "formats.json": 7,
    "formats.numpy": 7,
    "formats.pickle": 7,
    "formats.safetensors": 7,
    "formats.torch": 7,
    "formats.hdf5": 7,
    "formats.tensorflow": 7,
    "formats.tensorboard": 7,
    "formats.parquet": 7,
    "formats.image": 7,
    "formats.notebook": 8,
    "git.checkout": 4,
    "libraries.eigen": 2,
    "libraries.python": 4,
    "runs.store": 4,
    "digest": 5,
    "knobs": 5,
    "libraries": 5,
    "content.contents": 6,
    "records.environment": 6,
    "runs.files": 6,
    "runs.pack": 6,
    "runs.request": 6,
    "seeding": 6,
    "verdicts": 6,
    "content.differences": 7,
    "generators": 7,
    "notes": 7,
    "readings": 7,
    "records.compare": 7,
    "runs.beginning": 7,
    "runs.collect": 7,
    "seed": 7,
    "state": 7,
    "answers": 8,
    "watching": 8,
    "display": 9,
    "witness": 9,
    "launch": 10,
    "startup": 13,
    "doctor": 11,
    "report": 12,
    "runs.remarks": 12,
    "runs.runner": 13,
    "runs.workplace": 8,
    "jupyter": 13,
    "running": 14,
    "runs.replay": 14,
    "commands": 15,
    "pages.markup": 0,
    "pages.scale": 0,
    "trace.digests": 0,
    "trace.names": 0,
    "verification.bisection": 0,
    "verification.bound": 0,
    "verification.copying": 0,
    "verification.kernel": 0,
    "pages.chart": 1,
    "steps.stream": 1,
    "trace.tensors": 1,
    "pages.tracks": 2,
    "steps.alignment": 2,
    "steps.looks": 2,
    "verification.outcome": 2,
    "pages.spread": 3,
    "verification.words": 3,
    "pages.subject": 4,
    "pages.curves": 5,
    "pages.facts": 5,
    "pages.maps": 5,
    "pages.verdict": 5,
    "verification.variations": 5,
    "pages.attempts": 6,
    "verification.factors": 6,
    "pages.report": 7,
    "runs.traced": 7,
    "trace.recorder": 7,
    "trace.surroundings": 7,
    "verification.tree": 7,
    "steps.deep": 8,
    "trace.losses": 8,
    "trace.states": 8,
    "trace.values": 8,
    "verification.reading": 8,
    "verification.starting": 8,
    "trace.arrays": 9,
    "trace.closeup": 9,
    "verification.agreement": 9,
    "trace.batches": 10,
    "trace.calls": 10,
    "trace.own": 10,
    "trace.reads": 10,
    "verification.closer": 10,
    "verification.remarks": 10,
    "trace.optimizers": 11,
    "trace.tracer": 12,
    "stepping": 13,
    "verification.attempts": 14,
    "reporting": 15,
    "verification.laboratory": 15,
    "verification.inquiry": 16,
    "verification.recovery": 16,
    "verification.verify": 17,
    "verifying": 18,
    "cli": 21,
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
