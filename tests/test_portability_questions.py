"""The questions, asked of a `docker` whose containers are a few lines of Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processors.comparison import Verdict
from processors.elsewhere import Elsewhere
from processors.errors import PortabilityError
from processors.questions import Answer, ask_cpus, ask_knobs, ask_threads, judge_all
from processors.runs import HERE, Place, Runner

from tests.conftest import PROJECT

# What it gives: `mkl` follows the CPU unless MKL_CBWR or the profile is set, `blas` the number of
# CPUs unless OPENBLAS_NUM_THREADS or the profile is, `sum` the number of threads, `int` nothing;
# TensorFlow's `eigen` follows the CPU's cache unless it is told its size.
ENGINE = """
import json, os, sys
words = sys.argv[1:]
env = dict(w[6:].split("=", 1) for w in words if w.startswith("--env="))
cpus = next((w.split("=")[1] for w in words if w.startswith("--cpuset-cpus")), "all")
cpu = words[words.index("-cpu") + 1] if "-cpu" in words else "native"
if words[0] in ("image", "compose", "buildx"):
    pass
elif words[0] == "info":
    facts = {"NCPU": 2, "MemTotal": 2**30, "Runtimes": {}, "OperatingSystem": "Debian"}
    print(json.dumps({**facts, "ServerVersion": "26.1.5"}))
elif words[0] == "version":
    print("26.1.5")
elif words[-1] == "/proc/cpuinfo":
    print("model name\t: CPU")
elif words[-2:-1] == ["-c"]:
    print("/opt/venv/lib/python3.9/site-packages/repro_env")
elif any(w.endswith(".py") for w in words):
    if os.environ.get("BROKEN_TRAINING"):
        sys.exit("no digits")
    print("loading\\nepoch 1 loss 0.5\\ndigest", os.environ.get("TRAINING", "abc"))
elif os.environ.get("BROKEN") or os.environ.get("NO_EMULATOR") and "/qemu" in " ".join(words):
    sys.exit("no NumPy")
elif os.environ.get("SLOW"):
    sys.exit(124)
else:
    on = env["REPRO_PROFILE"] == "portable"
    given = {
        "mkl": "" if on or "MKL_CBWR" in env else cpu,
        "blas": "" if on or "OPENBLAS_NUM_THREADS" in env else cpus,
        "sum": env.get("REPRO_THREADS", ""),
        "int": "",
    }
    if "--library=tensorflow" in words:
        told = on or "TF_EIGEN_CACHE_SIZES" in env
        given["eigen"] = "" if told else str(cpu == "max")
    failing = os.environ.get("FAILING") if "MKL_DYNAMIC" not in env else None
    for name, digest in {**given, **({failing: ""} if failing else {})}.items():
        gave = {"error": "KeyError"} if name == failing else {"digest": "d" + digest}
        print(json.dumps({"operation": name, "group": "numpy: all", **gave}))
"""


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "docker"
    path.write_text(f"#!{sys.executable}\n{ENGINE}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def runner(trainings: bool = False, stack: str = "torch", *operations: str) -> Runner:
    return Runner(stack, Path("/nowhere/qemu"), operations, trainings)


def two_cpus() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("this machine has one CPU alone")


def test_other_cpus_are_asked_with_the_profile_and_without_it() -> None:
    answer = ask_cpus(runner(trainings=True), ["EPYC", "Haswell"])

    assert list(answer.within) == [HERE, "EPYC", "Haswell"]
    assert judge_all([answer]) == Verdict(
        0,
        "portable: 4 operations and 1 training have the same bits on 3 CPUs;"
        " without the profile 1 differ",
    )
    assert (
        "| numpy: all | 4 | same | same | 1 |\n| trainings | 1 | same | same | 0 |" in answer.text
    )


def test_another_machines_cpu_stands_beside_them() -> None:
    here = ask_cpus(runner(), [])
    same = Elsewhere(here.within[HERE], here.without[HERE])
    moved = {name: each._replace(digest="x") for name, each in same.within.items()}

    agreeing = ask_cpus(runner(), ["EPYC"], {"intel.json": same})
    differing = ask_cpus(runner(), [], {"intel.json": same._replace(within=moved)})

    assert "| numpy: all | 4 | same | same | 1 |" in agreeing.text
    assert judge_all([agreeing]).words.startswith("portable: 4 operations have the same bits on 3")
    assert list(differing.within) == [HERE, "intel.json"]
    assert judge_all([differing]).words.startswith("not portable: 4 of 4 differ on 2 CPUs")


def test_each_number_of_threads_has_its_own_bits_and_keeps_them() -> None:
    two_cpus()

    answer = ask_threads(runner(), [1, 4], "EPYC")

    assert list(answer.within) == ["1 CPU", "2 CPUs", "all CPUs", "EPYC"]
    here = answer.within["1 CPU"]
    assert here["sum, 1 threads"].digest != here["sum, 4 threads"].digest
    assert answer.text.startswith("Each operation with 1, 4 threads, beside one CPU.\n")
    assert "| numpy: all | 8 | same | same | same | 1 |\n" in answer.text
    assert judge_all([answer], "sets of CPUs") == Verdict(
        0,
        "portable: 8 operations have the same bits on 4 sets of CPUs; without the profile 1 differ",
    )


def test_each_number_of_threads_trains_the_examples() -> None:
    two_cpus()

    answer = ask_threads(runner(trainings=True), [1, 4], "EPYC")

    assert "| trainings | 2 | same | same | same | 0 |\n" in answer.text


def test_a_table_of_some_operations_says_which() -> None:
    two_cpus()
    some = runner(False, "torch", "mkl", "sum")

    threads = ask_threads(some, [1, 4], "EPYC").text
    knobs, _ = ask_knobs(some, ["EPYC"])

    assert threads.startswith("Each operation named `mkl`, `sum` with 1, 4 threads, beside one CPU")
    assert knobs.startswith("Of 4 operations named `mkl`, `sum`, on one CPU of this machine and on")


def test_one_cpu_alone_can_not_be_asked_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})

    with pytest.raises(PortabilityError, match="one CPU alone"):
        ask_threads(runner(), [1], "EPYC")


def test_a_knob_is_needed_where_something_differs_without_it() -> None:
    text, verdict = ask_knobs(runner(), ["EPYC"])

    assert verdict.status == 0
    assert verdict.words.startswith(
        "needed on these 2 CPUs: OPENBLAS_NUM_THREADS, MKL_CBWR; not needed on them: "
    )
    assert text.startswith("Of 4 operations, on one CPU of this machine and on EPYC:\n")
    assert "| nothing is left out | 0 |  | 0 |  |\n" in text
    assert "| without `MKL_CBWR` | 1 | numpy: all (1) | 0 |  |\n" in text
    assert "| without `ATEN_CPU_CAPABILITY` | 0 |  | 0 |  |\n" in text
    assert "| `MKL_CBWR=AVX2` | 0 |  | 0 |  |\n" in text
    assert "tensorflow" not in text + verdict.words


def test_eigens_cache_sizes_are_a_knob_of_the_stack_that_has_tensorflow() -> None:
    text, verdict = ask_knobs(runner(stack="tf"), ["EPYC", "max"])

    assert "| nothing is left out | 0 |  | 0 |  |\n" in text
    assert "| without `tensorflow.eigen.cache_sizes` | 1 | numpy: all (1) | 0 |  |\n" in text
    assert "MKL_CBWR, tensorflow.eigen.cache_sizes; not needed" in verdict.words


def test_an_operation_that_fails_leaves_open_whether_a_knob_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAILING", "sum")

    text, verdict = ask_knobs(runner(), ["EPYC"])

    assert "| without `MKL_DYNAMIC` | 0 |  | 1 | numpy: all (1) |\n" in text
    assert verdict.status == 2
    assert verdict.words.count("MKL_DYNAMIC") == 1
    assert verdict.words.endswith(
        "; can't tell: 1 failed: without `MKL_DYNAMIC`: sum (KeyError (1 CPU))"
    )


def test_an_operation_that_is_known_to_fail_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAILING", "torch gelu bfloat16")

    _, verdict = ask_knobs(runner(stack="tf"), ["EPYC", "max"])

    assert verdict.status == 0


def test_a_training_that_ends_otherwise_is_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN_TRAINING", "1")

    found = runner(trainings=True).run(Place(), {"REPRO_PROFILE": "portable"})

    assert found["digits_torch.py"] == ("trainings", "", "status 1 no digits")


def test_what_a_training_prints_counts_and_not_only_its_digest() -> None:
    found = runner(trainings=True).run(Place(), {"REPRO_PROFILE": "portable"})

    assert found["digits_torch.py"].digest == "epoch 1 loss 0.5\ndigest abc"


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        pytest.param("BROKEN", "ended with status 1 on EPYC", id="it ends"),
        pytest.param("SLOW", "took more than .* on EPYC", id="it does not"),
    ],
)
def test_a_program_that_does_not_run_can_not_be_asked(
    variable: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")

    with pytest.raises(PortabilityError, match=message):
        runner().run(Place("EPYC"), {"REPRO_PROFILE": "portable"})


def test_stacks_are_judged_together() -> None:
    answer = ask_cpus(runner(), ["EPYC"])

    both = judge_all([answer, Answer("tf", answer.within, answer.without, "")])

    assert both.words.startswith("portable: 8 operations have the same bits on 2 CPUs; ")


def test_this_cpu_alone_needs_no_emulator(tmp_path: Path) -> None:
    called = tmp_path / "called"
    for name in ("qemu-x86_64", "qemu-x86_64-static"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\ntouch {called}\n")
        path.chmod(0o755)

    told = subprocess.run(
        [PROJECT / "scripts/portability", "--stack", "torch", "--here"],
        env={**os.environ, "NO_EMULATOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    assert not called.exists()
    assert "Debian, Docker 26.1.5.\n" in told.stdout
    assert told.stdout.endswith(
        "nothing is compared: 4 operations and 1 training on one CPU alone\n"
    )
