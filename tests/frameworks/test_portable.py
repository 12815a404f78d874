"""In the image: under `portable`, each knob is read back, and each fault of it is named."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from repro_env import knobs
from repro_env.knob import Knob, Profile
from tests.doctor_cases import IN_IMAGE, Said, look

PYTHON = Path(sys.executable)
HAS_TF = importlib.util.find_spec("tensorflow") is not None
AT_HAND = {"numpy", "torch", *(["tensorflow"] if HAS_TF else [])}
PORTABLE = [
    knob
    for knob in knobs.KNOBS
    if knob.is_variable and knob.portable and knob.repeatable is None
    if AT_HAND & set(knob.modules)
]
THREADS = 2
READ_AT_FIRST_USE = ("MKL_CBWR", "MKL_VML_", "ATEN_", "ONEDNN_", "TF_NUM_")
ASKED = {**IN_IMAGE, "REPRO_PROFILE": "portable", "REPRO_THREADS": str(THREADS)}
PROFILE = Profile("portable", THREADS)

IMPORT = f"import os, sys, numpy, torch{', tensorflow as tf' if HAS_TF else ''}\n"
USES = {
    "numpy": "numpy.ones((99, 99)) @ numpy.ones((99, 99))",
    "torch": "torch.sqrt(torch.ones(99, 99)) @ torch.ones(99, 99)\n"
    "torch.nn.Conv2d(16, 32, 3)(torch.ones(8, 16, 32, 32))",
    "tensorflow": "tf.nn.conv2d(tf.ones((8, 32, 32, 16)), tf.ones((3, 3, 16, 32)), 1, 'SAME')",
}
USE = "\n" + "\n".join(USES[library] for library in USES if library in AT_HAND)
ABOUT_LIBRARIES = """
from repro_env import loaded
openmp = loaded.library(loaded.files('libgomp')[0])
mkl = loaded.library(loaded.files('libtorch_cpu.')[0])
"""


class Case(NamedTuple):
    """How a program spoils a knob.

    Args:
        bad: A value of the variable.
        found: What is in effect where the library has read it; one of these, by CPU and version.
        call: Code that changes it after the import; empty where nothing does.
        called: What is in effect then.
        is_early: Whether it must be called before the first computation.
    """

    bad: str
    found: tuple[str, ...]
    call: str = ""
    called: str = ""
    is_early: bool = False


SET_THREADS = "torch.set_num_threads(3)"
SET_BLAS = "import threadpoolctl; threadpoolctl.threadpool_limits(2, 'blas')"
SET_POOL = "tf.config.threading.set_{}_op_parallelism_threads(3)"
CASES = {
    "OMP_NUM_THREADS": Case("1", ("1",), SET_THREADS, "3"),
    "OMP_DYNAMIC": Case("TRUE", ("TRUE",), "openmp.omp_set_dynamic(1)", "TRUE"),
    "OPENBLAS_NUM_THREADS": Case("2", ("2",), SET_BLAS, "2"),
    "OPENBLAS_CORETYPE": Case("Nehalem", ("Nehalem",)),
    "NPY_DISABLE_CPU_FEATURES": Case(
        "",
        (
            "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL enabled, none missing",
            "AVX512_ICL X86_V4 enabled, none missing",
            str(knobs.knob("NPY_DISABLE_CPU_FEATURES").portable),  # a CPU without AVX-512
        ),
    ),
    "MKL_NUM_THREADS": Case("1", ("1",), SET_THREADS, "3"),
    "MKL_DYNAMIC": Case("TRUE", ("TRUE",), "mkl.MKL_Set_Dynamic(1)", "TRUE"),
    "MKL_CBWR": Case("AUTO", ("AUTO",), "mkl.mkl_serv_cbwr_set(2)", "AUTO", is_early=True),
    "MKL_VML_DEBUG_CPU_TYPE": Case("0", ("0",)),
    "ATEN_CPU_CAPABILITY": Case("default", ("DEFAULT", "NO")),
    "ONEDNN_MAX_CPU_ISA": Case("SSE41", ("SSE41",)),
    "TF_ENABLE_ONEDNN_OPTS": Case("1", ("1",)),
    "TF_NUM_INTRAOP_THREADS": Case("3", ("3",), SET_POOL.format("intra"), "3", is_early=True),
    "TF_NUM_INTEROP_THREADS": Case("3", ("3",), SET_POOL.format("inter"), "3", is_early=True),
}
EIGEN = "tensorflow.eigen.cache_sizes"  # the one that is no variable
CALLED = [knob for knob in PORTABLE if CASES[knob.name].call]


def named(ones: list[Knob]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("knob", ones, ids=lambda knob: knob.name)


def said_of(code: str, **variables: str) -> Said:
    return look(PYTHON, PYTHON, "-c", code, env=ASKED, **variables)


def spoil_all() -> str:
    lines = [f"os.environ[{knob.name!r}] = {CASES[knob.name].bad!r}" for knob in PORTABLE]
    return "import os\n" + "\n".join(lines) + "\n"


@functools.cache
def healthy() -> Said:
    return said_of(IMPORT + USE)


@functools.cache
def idle() -> Said:
    return said_of(IMPORT)


@functools.cache
def spoiled_in_time() -> Said:
    return said_of(spoil_all() + IMPORT + USE)


@functools.cache
def spoiled_too_late() -> Said:
    return said_of(IMPORT + USE + "\n" + spoil_all())


@functools.cache
def spoiled_before_use() -> Said:
    return said_of(IMPORT + spoil_all() + USE)


@functools.cache
def called() -> Said:
    cases = [CASES[knob.name] for knob in CALLED]
    # The number of threads before the rest: with it PyTorch tells MKL more than that.
    early, late = (
        "\n".join(dict.fromkeys(case.call for case in cases if case.is_early == is_early))
        for is_early in (True, False)
    )
    return said_of(f"{IMPORT}{ABOUT_LIBRARIES}{early}{USE}\n{late}")


def test_there_is_a_case_for_each_knob() -> None:
    everywhere = {one.name for one in knobs.KNOBS if one.portable and one.repeatable is None}

    assert everywhere == {*CASES, EIGEN}


@named(PORTABLE)
def test_each_is_in_effect_and_read_back(knob: Knob) -> None:
    row = healthy().row(knob.name)

    assert (row["verdict"], row["why"], row["advice"]) == ("ok", "", "")
    assert knob.serves(row["found"], PROFILE)


def test_a_healthy_process_has_no_complaint() -> None:
    assert healthy().status == 0
    assert {knob.name for knob in PORTABLE} <= set(healthy().verdicts())


@named(PORTABLE)
def test_what_no_library_has_read_yet_goes_by_the_variable_and_says_so(knob: Knob) -> None:
    row = idle().row(knob.name)

    assert (row["verdict"], row["advice"]) == ("ok", "")
    waits = knob.name.startswith(("MKL_VML", "ONEDNN", "TF_NUM"))
    assert row["why"].startswith("going by the variable: ") == waits
    assert idle().status == 0


@named(PORTABLE)
def test_what_the_program_changes_before_the_import_is_named_with_its_line(knob: Knob) -> None:
    row = spoiled_in_time().row(knob.name)

    line = 2 + PORTABLE.index(knob)
    assert row["found"] in CASES[knob.name].found
    assert row["verdict"] == "overridden"
    assert row["why"].endswith(f"and the program changed it in <string>:{line}")
    assert row["advice"] == f"take out <string>:{line}"
    assert spoiled_in_time().status == 1


@named(PORTABLE)
def test_what_the_program_changes_after_the_import_is_too_late(knob: Knob) -> None:
    row = spoiled_too_late().row(knob.name)

    assert row["verdict"] == "too late"
    assert knob.serves(row["found"], PROFILE)
    assert "counts only before the library is imported" in row["why"]
    assert row["advice"].startswith("take out <string>:")
    assert spoiled_too_late().status == 1


@named([knob for knob in PORTABLE if knob.name.startswith(READ_AT_FIRST_USE)])
def test_what_is_changed_before_the_first_computation_counts_and_is_named(knob: Knob) -> None:
    row = spoiled_before_use().row(knob.name)

    assert (row["verdict"], row["found"] in CASES[knob.name].found) == ("overridden", True)
    assert row["why"].split(" in ")[-1] == row["advice"].removeprefix("take out ")


@named(CALLED)
def test_what_a_call_changes_is_named(knob: Knob) -> None:
    row = called().row(knob.name)

    assert (row["verdict"], row["found"]) == ("overridden", CASES[knob.name].called)
    assert "the program changed it by a call such as " in row["why"]
    assert row["advice"] == "take that call out"
    assert called().status == 1


def test_a_call_of_one_spoils_nothing_else() -> None:
    untouched = {knob.name for knob in PORTABLE} - {knob.name for knob in CALLED}

    assert {called().row(name)["verdict"] for name in untouched} == {"ok"}


def test_under_repeatable_none_is_read_and_none_has_a_row() -> None:
    said = look(PYTHON, PYTHON, "-c", IMPORT + USE)

    assert not {knob.name for knob in PORTABLE} & set(said.verdicts())


@pytest.mark.parametrize("library", ["torch", *(["tensorflow"] if HAS_TF else [])])
@pytest.mark.parametrize(("asked", "said"), [("AVX2", "AVX2"), ("SSE41", "SSE4.1")])
def test_onednn_says_the_same_of_itself(library: str, asked: str, said: str) -> None:
    variables = {"ONEDNN_MAX_CPU_ISA": asked, "TF_ENABLE_ONEDNN_OPTS": "1"}
    code = f"import os; os.environ.update({variables!r})\n{IMPORT}{USES[library]}"

    looked = said_of(code, ONEDNN_VERBOSE="1")

    assert looked.row("ONEDNN_MAX_CPU_ISA")["found"] == asked
    assert f"isa:Intel {said}\n" in looked.printed


def test_the_doctor_reads_nothing_before_the_library_does() -> None:
    code = """
import os, torch
os.environ["ATEN_CPU_CAPABILITY"], os.environ["MKL_CBWR"] = "default", "COMPATIBLE"
torch.ones(99, 99) @ torch.ones(99, 99)
from repro_env import loaded
from repro_env.libraries import torch as reading
mkl = loaded.library(loaded.files("libtorch_cpu.")[0])
print(reading.cpu_capability(), mkl.mkl_serv_cbwr_get(1))
"""
    alone = subprocess.run(
        [PYTHON, "-c", code],
        env={**os.environ, **IN_IMAGE},
        capture_output=True,
        text=True,
        check=True,
    )

    looked = look(PYTHON, PYTHON, "-c", code)

    assert alone.stdout in ("DEFAULT 3\n", "NO 3\n")
    assert alone.stdout in looked.printed


LOADER = """
import torch
loader = torch.utils.data.DataLoader(list(range(8)), batch_size=2, num_workers=2)
print([int(batch.sum()) for batch in loader])
torch.ones(99, 99) @ torch.ones(99, 99)
"""


def test_the_one_thread_of_a_loaders_workers_is_no_complaint() -> None:
    said = said_of(LOADER)

    assert said.status == 0
    assert "the profile portable fixes 2" in json.dumps(said.said["notes"])
    assert "PyTorch 2;" in json.dumps(said.said["notes"])


def test_a_child_that_has_lost_the_profile_is_a_complaint() -> None:
    kept = "{name: text for name, text in os.environ.items() if not name.startswith(DROPPED)}"
    dropped = sorted({*CASES, "REPRO_PROFILE", "REPRO_THREADS"})
    code = (
        f"import os, subprocess, sys\nDROPPED = {tuple(dropped)!r}\n"
        f"subprocess.run([sys.executable, '-c', 'import numpy'], env={kept}, check=True)"
    )

    said = said_of(code)

    assert said.status == 1
    assert said.row("REPRO_PROFILE")["verdict"] == "missing"
    assert said.row("REPRO_PROFILE")["advice"] == "start the command with REPRO_PROFILE=portable"
    assert said.row("NPY_DISABLE_CPU_FEATURES")["verdict"] == "missing"


@pytest.mark.parametrize(("variables", "status"), [({}, 0), ({"REPRO_DISABLE": "1"}, 1)])
def test_numpy_does_not_warn_of_what_this_cpu_or_version_does_not_have(
    variables: dict[str, str], status: int
) -> None:
    features = {"NPY_DISABLE_CPU_FEATURES": str(knobs.knob("NPY_DISABLE_CPU_FEATURES").portable)}

    done = subprocess.run(
        [PYTHON, "-W", "error", "-c", "import numpy"],
        env={**os.environ, **ASKED, **features, **variables},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == status
    assert ("NPY_DISABLE_CPU_FEATURES" in done.stderr) == bool(status)


PRODUCT = """
import hashlib, numpy, tensorflow
from repro_env.libraries import eigen
if SIZES:
    eigen.SIZES = SIZES
    eigen.set_cache_sizes()
a = numpy.random.rand(64, 4096), numpy.random.rand(4096, 64)
print(eigen.cache_sizes(), hashlib.sha256(tensorflow.matmul(*a).numpy().tobytes()).hexdigest())
"""


@pytest.mark.skipif(not HAS_TF, reason="this stack has no TensorFlow")
def test_eigens_cache_sizes_are_the_profiles_and_decide_bits() -> None:
    def computed(sizes: tuple[int, ...]) -> list[str]:
        done = subprocess.run(
            [PYTHON, "-c", f"SIZES = {sizes!r}{PRODUCT}"],
            env={**os.environ, **ASKED, "REPRO_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.rsplit(" ", 1)

    ours, again, others = (
        computed(()),
        computed((32768, 262144, 8388608)),
        computed((49152, 262144, 2097152)),
    )

    assert ours[0] == knobs.knob(EIGEN).portable
    assert again[0] != ours[0]
    assert again[1] == ours[1]  # level 3 decides none
    assert others[1] != ours[1]
    assert healthy().row(EIGEN)["verdict"] == "ok"


@pytest.mark.skipif(not HAS_TF, reason="this stack has no TensorFlow")
def test_eigens_cache_sizes_are_the_profiles_without_a_seed_too() -> None:
    code = "import tensorflow; from repro_env.libraries import eigen; print(eigen.cache_sizes())"
    unseeded = {name: text for name, text in os.environ.items() if name != "REPRO_SEED"}

    done = subprocess.run(
        [PYTHON, "-c", code],
        env={**unseeded, "REPRO_PROFILE": "portable"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"{knobs.knob(EIGEN).portable}\n"


@pytest.mark.skipif(not HAS_TF, reason="this stack has no TensorFlow")
@pytest.mark.parametrize("name", ["IS_SET", "VARIABLE"])
def test_a_tensorflow_that_does_not_say_where_its_sizes_are_is_refused(name: str) -> None:
    code = (
        "import tensorflow\nfrom repro_env.libraries import eigen\n"
        f"eigen.{name}, eigen.SIZES = '_Znowhere', (49152, 262144, 2097152)\n"
        "eigen.set_cache_sizes()"
    )

    done = subprocess.run(
        [PYTHON, "-c", code],
        env={**os.environ, **ASKED},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "SettingError: this TensorFlow does not say where it keeps the sizes" in done.stderr
