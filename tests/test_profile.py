"""The profile portable is set before user code, in every process, or nothing runs at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repro_env import knobs, profile, settings
from repro_env.errors import SettingError
from repro_env.libraries import eigen
from tests.conftest import SEEDED, Run

FLAGS = Path("/proc/cpuinfo").read_text().split()
if not {"avx2", "fma"} <= set(FLAGS):
    pytest.skip("this CPU has no AVX2", allow_module_level=True)

PORTABLE = {**SEEDED, "REPRO_PROFILE": "portable"}
NAMES = list(knobs.portable_variables())
SHOW = f"import json, os; print(json.dumps({{n: os.environ.get(n) for n in {NAMES}}}))"
NOTHING = dict.fromkeys(NAMES)


def shown(text: str) -> dict[str, str | None]:
    return dict(json.loads(text))


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ("repeatable", 0)),
        ({"REPRO_PROFILE": "repeatable"}, ("repeatable", 0)),
        ({"REPRO_PROFILE": "portable"}, ("portable", 1)),
        ({"REPRO_PROFILE": "portable", "REPRO_THREADS": "04"}, ("portable", 4)),
        ({"REPRO_PROFILE": "portable", "REPRO_DISABLE": "1"}, ("repeatable", 0)),
    ],
)
def test_the_environment_says_which_profile(
    environ: dict[str, str], found: tuple[str, int]
) -> None:
    assert settings.read_profile(environ) == found


@pytest.mark.parametrize("name", [None, "repeatable"])
def test_threads_without_the_profile_that_fixes_them_are_refused(name: str | None) -> None:
    environ = {"REPRO_THREADS": "4", **({"REPRO_PROFILE": name} if name else {})}

    with pytest.raises(SettingError, match="REPRO_THREADS='4' counts only with") as caught:
        settings.read_profile(environ)

    assert caught.value.hint.startswith("set both, or unset it")


def test_without_it_nothing_is_set(run: Run) -> None:
    assert shown(run(SHOW).stdout) == NOTHING
    assert shown(run(SHOW, env={**SEEDED, "REPRO_PROFILE": "repeatable"}).stdout) == NOTHING


@pytest.mark.parametrize("threads", [None, "4"])
def test_with_it_every_variable_of_the_catalogue_is_set(run: Run, threads: str | None) -> None:
    extra = {"REPRO_THREADS": threads} if threads else {}

    done = run(SHOW, env={**PORTABLE, **extra})

    assert shown(done.stdout) == profile.variables(int(threads or 1))
    assert profile.variables(4)["OMP_NUM_THREADS"] == "4"
    assert None not in shown(done.stdout).values()


def test_it_is_set_in_a_process_without_a_seed(run: Run) -> None:
    assert shown(run(SHOW, env={"REPRO_PROFILE": "portable"}).stdout) == profile.variables(1)


def test_a_server_is_left_alone(run: Run) -> None:
    assert shown(run(SHOW, env={**PORTABLE, "REPRO_DISABLE": "1"}).stdout) == NOTHING


def test_children_have_it_too(run: Run) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW!r}], check=True)"

    assert shown(run(code, env=PORTABLE).stdout) == profile.variables(1)


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("OMP_NUM_THREADS", "8", "unset OMP_NUM_THREADS, or set REPRO_THREADS=8"),
        ("OMP_NUM_THREADS", "", "unset OMP_NUM_THREADS"),
        ("MKL_CBWR", "AVX2", "unset MKL_CBWR"),
        ("ATEN_CPU_CAPABILITY", "avx512", "unset ATEN_CPU_CAPABILITY"),
    ],
)
def test_a_variable_that_says_otherwise_is_refused(
    run: Run, name: str, value: str, advice: str
) -> None:
    done = run("print('user code')", env={**PORTABLE, name: value})

    error, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert error.startswith(f"error: {name}={value!r} contradicts the profile portable, which sets")
    assert hint == f"  what to do: {advice}"


def test_a_variable_that_says_the_same_is_welcome(run: Run) -> None:
    done = run(SHOW, env={**PORTABLE, "OMP_NUM_THREADS": "1", "MKL_CBWR": "COMPATIBLE"})

    assert shown(done.stdout) == profile.variables(1)


@pytest.mark.parametrize("text", ["nonsense", "", "Portable"])
def test_another_profile_is_refused(run: Run, text: str) -> None:
    done = run("print('user code')", env={**SEEDED, "REPRO_PROFILE": text})

    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: REPRO_PROFILE={text!r} is not one of repeatable, portable" in done.stderr


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "", "1025", "two", " 1"])
def test_another_number_of_threads_is_refused(run: Run, text: str) -> None:
    done = run("print('user code')", env={**PORTABLE, "REPRO_THREADS": text})

    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: REPRO_THREADS={text!r} is not a whole number in 1..1024" in done.stderr


def test_a_library_that_came_before_the_hook_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("")
    early = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import numpy"
    start = "import os; from repro_env import startup; startup.start()"
    env = {name: text for name, text in SEEDED.items() if name != "REPRO_SEED"}

    done = run(f"{early}\nimport os; os.environ['REPRO_PROFILE'] = 'portable'\n{start}", env=env)

    assert done.returncode == 2
    assert "error: numpy was imported before the profile portable could be set" in done.stderr


def test_without_the_hook_seed_everything_sets_it(run: Run) -> None:
    environ = {name: text for name, text in PORTABLE.items() if name != "REPRO_SEED"}
    call = "import repro_env; repro_env.seed_everything();"
    without_hook = {**environ, "REPRO_DISABLE": "1"}
    enable = "import os; os.environ.pop('REPRO_DISABLE');"

    done = run(f"{enable} {call} {SHOW}", env=without_hook)

    assert shown(done.stdout) == profile.variables(1)


def test_without_the_hook_a_library_that_came_first_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("")
    code = (
        "import os, sys; os.environ.pop('REPRO_DISABLE')\n"
        f"sys.path.insert(0, {str(tmp_path)!r}); import numpy, repro_env\n"
        "repro_env.seed_everything()"
    )

    done = run(code, env={**PORTABLE, "REPRO_DISABLE": "1"})

    assert done.returncode == 1
    assert "SettingError: numpy was imported before the profile portable" in done.stderr


def test_a_cpu_without_avx2_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    # tests/image/test_profile.py shows it on an emulated CPU.
    for found, words in ((False, "this CPU has no AVX2"), (None, "can't be told")):
        monkeypatch.setattr(profile, "has_avx2", lambda found=found: found)
        with pytest.raises(SettingError, match=words) as caught:
            profile.check_cpu()
        assert "REPRO_PROFILE=repeatable" in caught.value.hint


def test_the_hook_costs_no_import_without_it(run: Run) -> None:
    code = "import sys; print('repro_env.profile' in sys.modules, 'ctypes' in sys.modules)"

    assert run(code, "-S").stdout == run(code).stdout == "False False\n"


def test_another_number_of_threads_comes_too_late_in_a_process(run: Run) -> None:
    code = "import os, repro_env; os.environ['REPRO_THREADS'] = '8'; repro_env.seed_everything()"

    done = run(code, env=PORTABLE)

    assert done.returncode == 1
    assert "REPRO_THREADS=8 comes too late: this process began with 1" in done.stderr


def test_numpys_warning_of_what_is_not_there_is_not_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text(
        "import warnings\n"
        "about = \"During parsing environment variable 'NPY_DISABLE_CPU_FEATURES':\\nYou can't\"\n"
        "warnings.warn(about, RuntimeWarning)\n"
        "warnings.warn('something else', RuntimeWarning)\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import numpy"

    quiet, loud = run(code, env=PORTABLE).stderr, run(code).stderr

    assert "NPY_DISABLE" not in quiet
    assert "something else" in quiet
    assert "NPY_DISABLE" in loud


@pytest.mark.parametrize("seeded", [True, False])
def test_a_tensorflow_that_can_not_be_followed_is_refused(run: Run, seeded: bool) -> None:
    code = (
        "import sys\n"
        "from importlib.machinery import BuiltinImporter, ModuleSpec, PathFinder\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return ModuleSpec(name, BuiltinImporter) if name == 'tensorflow' else None\n"
        "sys.meta_path.insert(sys.meta_path.index(PathFinder), Finder())\n"
        "try:\n    import tensorflow\n"
        "except Exception:\n    print('went on')"
    )

    done = run(code, env=PORTABLE if seeded else {"REPRO_PROFILE": "portable"})

    assert (done.returncode, done.stdout) == (2, "")
    assert "tensorflow is loaded by" in done.stderr


def test_whatever_fails_after_the_import_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no memory to read")

    monkeypatch.setattr(eigen, "set_cache_sizes", fail)
    refused: list[Exception] = []

    profile._set_cache_sizes(refused.append)

    assert [str(error) for error in refused] == ["no memory to read"]


def test_the_check_of_the_cpu_agrees_with_the_kernels() -> None:
    assert profile.has_avx2() is True  # a CPU without it: tests/image/test_profile.py
