"""In the image: each fault of each knob of the frameworks, made in a real process, is named."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from repro_env import knobs
from repro_env.knob import BEFORE_IMPORT, Knob
from tests.conftest import PROJECT
from tests.doctor_cases import IN_IMAGE, Said, look

PYTHON = Path(sys.executable)
HAS_TF = importlib.util.find_spec("tensorflow") is not None
IMPORT = f"import numpy, numpy.random, torch{', tensorflow' if HAS_TF else ''}\n"
OLD_TORCH = HAS_TF  # the tf stack's torch is 2.0
AT_HAND = {"sys", "numpy", "torch", *(["tensorflow"] if HAS_TF else [])}
MATTER = [knob for knob in knobs.KNOBS if AT_HAND & set(knob.modules)]
WANTED = [knob for knob in MATTER if knob.repeatable is not None]
VARIABLES = [knob for knob in WANTED if knob.is_variable and "sys" not in knob.modules]
SWITCHES = [knob for knob in WANTED if not knob.is_variable]
RECORDED = [knob for knob in MATTER if knob.is_variable and knob.repeatable is None]

BAD = {
    "REPRO_UNSEEDED": "off",
    "TF_DETERMINISTIC_OPS": "0",
    "TF_USE_CUDNN_AUTOTUNE": "1",
    "TORCHINDUCTOR_DETERMINISTIC": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":0:0",
}
SPOIL = {
    "torch.use_deterministic_algorithms": "torch.use_deterministic_algorithms(False, "
    "warn_only=True)",
    "torch.use_deterministic_algorithms.warn_only": "",  # the same call
    "torch.backends.cudnn.benchmark": "torch.backends.cudnn.benchmark = True",
    "torch.backends.cudnn.deterministic": "torch.backends.cudnn.deterministic = False",
    "tf.config.experimental.enable_op_determinism": "from tensorflow.python.framework import "
    "config; config.disable_op_determinism()",
}
GETTERS = {
    "torch.use_deterministic_algorithms": "del torch.are_deterministic_algorithms_enabled",
    "torch.use_deterministic_algorithms.warn_only": "del "
    "torch.is_deterministic_algorithms_warn_only_enabled",
    "torch.backends.cudnn.benchmark": "torch.backends.cudnn = None",
    "torch.backends.cudnn.deterministic": "torch.backends.cudnn = None; "
    "sys.modules['torch.backends.cudnn'] = None",
    "tf.config.experimental.enable_op_determinism": "from tensorflow.python.framework import "
    "config; del config.is_op_determinism_enabled",
}


def named(ones: list[Knob]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("knob", ones, ids=lambda knob: knob.name)


def set_all(values: dict[str, str | None]) -> str:
    lines = [
        f"os.environ.pop({name!r}, None)" if value is None else f"os.environ[{name!r}] = {value!r}"
        for name, value in values.items()
    ]
    return "import os\n" + "\n".join(lines) + "\n"


def only(env: dict[str, str | None], code: str) -> Said:
    return look(PYTHON, PYTHON, "-c", code, env=env)


@functools.cache
def healthy() -> Said:
    return only(dict(IN_IMAGE), IMPORT)


@functools.cache
def missing() -> Said:
    return only({}, IMPORT)


@functools.cache
def wrong() -> Said:
    return only({**IN_IMAGE, "REPRO_SEED": None, **BAD}, IMPORT)


@functools.cache
def late() -> Said:
    start: dict[str, str | None] = {**IN_IMAGE, "REPRO_SEED": None, **BAD}
    good: dict[str, str | None] = {name: IN_IMAGE.get(name) for name in BAD}
    return only(start, IMPORT + set_all({**good, **{knob.name: "1" for knob in RECORDED}}))


@functools.cache
def in_time() -> Said:
    start: dict[str, str | None] = {**IN_IMAGE, **dict.fromkeys(BAD)}
    good: dict[str, str | None] = {name: IN_IMAGE.get(name) for name in BAD}
    threads: dict[str, str | None] = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return only(start, set_all({**good, **threads}) + IMPORT)


@functools.cache
def spoiled() -> Said:
    spoils = [SPOIL[knob.name] for knob in SWITCHES]
    return only(dict(IN_IMAGE), IMPORT + set_all(dict(BAD)) + "\n".join(spoils))


@functools.cache
def unreadable() -> Said:
    lines = dict.fromkeys(GETTERS[knob.name] for knob in SWITCHES)
    return only(dict(IN_IMAGE), IMPORT + "import sys\n" + "\n".join(lines))


def is_inert(knob: Knob) -> bool:
    return knob.name == "TORCHINDUCTOR_DETERMINISTIC" and OLD_TORCH


@named(WANTED)
def test_a_healthy_process_has_no_complaint(knob: Knob) -> None:
    row = healthy().row(knob.name)

    assert row["verdict"] == ("unknown" if knob.gpu else "inert" if is_inert(knob) else "ok")
    assert row["advice"] == ""
    assert bool(row["why"]) == (row["verdict"] != "ok")
    assert healthy().status == 0


def test_nothing_else_has_a_row_in_a_healthy_process() -> None:
    assert list(healthy().verdicts()) == [knob.name for knob in WANTED]


@named([knob for knob in VARIABLES if knob.repeatable])
def test_a_missing_variable_is_named(knob: Knob) -> None:
    row = missing().row(knob.name)

    if is_inert(knob):
        assert row["verdict"] == "inert"
        return
    assert (row["verdict"], row["found"]) == ("missing", "not set")
    assert row["advice"] == f"start the command with {knob.name}={knob.repeatable}"


@named([knob for knob in SWITCHES if knob.repeatable == "True"])
def test_a_switch_that_nobody_set_is_missing(knob: Knob) -> None:
    assert missing().row(knob.name)["verdict"] == "missing"
    assert "REPRO_SEED=42" in missing().row(knob.name)["advice"]


@named(VARIABLES)
def test_a_wrong_value_is_named(knob: Knob) -> None:
    row = wrong().row(knob.name)

    assert (row["verdict"], row["found"]) == (
        "inert" if is_inert(knob) else "wrong value",
        BAD[knob.name],
    )


@pytest.mark.skipif(not HAS_TF, reason="a switch of TensorFlow's")
def test_a_variable_that_says_no_shows_in_the_switch_too() -> None:
    said = look(PYTHON, PYTHON, "-c", IMPORT, TF_DETERMINISTIC_OPS="0")

    row = said.row("tf.config.experimental.enable_op_determinism")
    assert (row["verdict"], row["found"]) == ("wrong value", "False")
    assert said.status == 1


@named([knob for knob in VARIABLES if knob.when == BEFORE_IMPORT])
def test_what_is_set_after_the_import_is_too_late(knob: Knob) -> None:
    row = late().row(knob.name)

    if is_inert(knob):
        assert row["verdict"] == "inert"
        return
    assert row["verdict"] == "too late"
    assert "counts only before the library is imported" in row["why"]
    assert "set in <string>:" in row["why"]


@named([knob for knob in RECORDED if knob.when == BEFORE_IMPORT])
def test_what_no_profile_sets_is_named_when_it_comes_too_late(knob: Knob) -> None:
    assert late().row(knob.name)["verdict"] == "too late"
    assert late().row(knob.name)["wanted"] == "1"


@named(VARIABLES)
def test_what_the_program_sets_before_the_import_is_in_time(knob: Knob) -> None:
    row = in_time().row(knob.name)

    assert row["verdict"] == ("unknown" if knob.gpu else "inert" if is_inert(knob) else "ok")


def test_in_time_means_no_complaint_at_all() -> None:
    assert in_time().status == 0
    assert "OMP_NUM_THREADS" not in in_time().verdicts()


@named([*VARIABLES, *SWITCHES])
def test_what_the_program_spoils_is_named(knob: Knob) -> None:
    row = spoiled().row(knob.name)

    assert row["verdict"] == ("inert" if is_inert(knob) else "overridden")
    assert is_inert(knob) or row["advice"].startswith("take out ")
    assert spoiled().status == 1


@named(SWITCHES)
def test_a_switch_without_a_getter_is_unknown_and_says_so(knob: Knob) -> None:
    row = unreadable().row(knob.name)

    assert row["verdict"] == "unknown"
    assert "has no" in row["why"]
    assert unreadable().status == 2


def test_the_table_gives_the_reasons_of_what_is_no_complaint_too() -> None:
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "repro_env.cli",
        "doctor",
        "--",
        PYTHON,
        "-c",
        "import torch",
    ]

    result = subprocess.run(command, capture_output=True, text=True, check=True)

    assert re.search(
        r"^CUBLAS_WORKSPACE_CONFIG: unknown in process \d+: the environment is right; "
        r"there is no GPU here that reads it$",
        result.stdout,
        re.MULTILINE,
    )
    assert result.stdout.splitlines()[-1] == "all is well"


def test_without_a_command_the_installed_frameworks_are_looked_into() -> None:
    said = look(PYTHON)

    assert said.status == 0
    assert set(said.said["processes"][0]["libraries"]) == AT_HAND - {"sys"}


@pytest.mark.parametrize("library", [None, "numpy", "torch"])
def test_no_framework_is_imported_that_the_command_did_not_import(library: str | None) -> None:
    code = f"import {library}" if library else "pass"

    said = look(PYTHON, PYTHON, "-X", "importtime", "-c", code)

    imported = {line.split("|")[-1].strip() for line in said.printed.splitlines()}
    assert "repro_env.watching" in imported
    assert imported & {"torch", "tensorflow"} == {library} & {"torch"}
    assert ("numpy" in imported) == (library is not None)


@pytest.mark.parametrize("example", ["digits_torch.py", *(["digits_tf.py"] if HAS_TF else [])])
def test_a_training_has_the_same_bits_under_the_doctor(example: str, tmp_path: Path) -> None:
    command: list[str | Path] = [PYTHON, PROJECT / "examples" / example, "--epochs", "1", "--out"]
    alone = subprocess.run(
        [*command, tmp_path / "alone"],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )

    said = look(PYTHON, *command, tmp_path / "looked")

    assert said.status == 0
    assert alone.stdout.splitlines()[-1].startswith("digest ")
    assert alone.stdout in said.printed


def test_the_notes_say_what_decides_bits_besides() -> None:
    said = healthy()

    assert "threads: PyTorch " in said.note("threads")["text"]
    assert "TF32 in cuDNN on, autotuning off" in said.note("numerics")["text"]
    assert "PyTorch's vector width AVX" in said.note("numerics")["text"]
    assert said.note("shared memory")["text"] == "1024 MiB"
    assert said.note("seeds")["text"].startswith("42: random (")
    assert ("BLAS" in {note["about"] for note in said.said["notes"]}) == HAS_TF
    assert "not in /usr/bin/python3" in said.note("hook")["text"]


@pytest.mark.parametrize(("mode", "verdict"), [("derive", "ok"), ("warn", "wrong value")])
def test_generators_without_a_seed_are_counted(mode: str, verdict: str) -> None:
    code = "import numpy\nfor _ in range(3): numpy.random.default_rng()"

    said = look(PYTHON, PYTHON, "-W", "ignore", "-c", code, REPRO_UNSEEDED=mode)

    note = said.note("unseeded")
    assert note["text"].startswith("NumPy was asked for 3 generators without a seed")
    assert note["verdict"] == verdict
    assert said.status == (0 if mode == "derive" else 1)


@pytest.mark.parametrize(
    ("capability", "runs"), [("7.5", True), ("8.6", True), ("9.0", not HAS_TF), ("6.0", HAS_TF)]
)
def test_a_gpu_that_the_frameworks_have_no_code_for_gets_the_way_out(
    tmp_path: Path, capability: str, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho 'NVIDIA X, {capability}, 550.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    note = only(dict(IN_IMAGE), IMPORT).note("gpu")

    assert note["text"].startswith(f"NVIDIA X, compute capability {capability}, driver 550.1")
    assert (note["verdict"] == "ok") == runs
    assert note["advice"] == ("" if runs else "use the torch stack: STACK=torch ./scripts/up")
