"""The profile portable is set before user code, in every process, or nothing runs at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repro_env import knobs, profile, settings
from repro_env.errors import SettingError
from repro_env.libraries import eigen
from tests.conftest import SEEDED, Project, Run

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


def test_a_run_has_it_by_an_option_and_its_record_says_so(project: Project) -> None:
    record = project.run("--profile", "portable", "--threads", "3", "--", "python", "-c", SHOW)

    definition = record["definition"]
    assert (definition["profile"], definition["threads"]) == ("portable", 3)
    expected = profile.variables(3)
    assert {name: definition["variables"][name] for name in expected} == expected
    assert definition["variables"]["REPRO_THREADS"] == "3"
    assert "42, portable with 3 threads" in project.repro("show", "last").stdout


def test_programs_that_are_no_python_have_it_too(project: Project) -> None:
    done = project.repro(
        "run", "--profile", "portable", "--", "sh", "-c", "echo $OMP_NUM_THREADS $MKL_CBWR"
    )

    assert done.stdout == "1 COMPATIBLE\n"


def test_a_run_has_it_by_the_environment(project: Project) -> None:
    project.environ["REPRO_PROFILE"] = "portable"

    definition = project.run("--", "python", "-c", SHOW)["definition"]

    assert (definition["profile"], definition["threads"]) == ("portable", 1)


def test_an_option_takes_the_environments_profile_back(project: Project) -> None:
    project.environ.update(REPRO_PROFILE="portable", REPRO_THREADS="2")

    done = project.repro("run", "--profile", "repeatable", "--", "python", "-c", SHOW)

    assert shown(done.stdout) == NOTHING
    definition = project.record()["definition"]
    assert definition["profile"] == "repeatable"
    assert "threads" not in definition
    assert not {*NAMES, "REPRO_THREADS"} & {*definition["variables"]}


def test_an_option_takes_another_number_of_threads(project: Project) -> None:
    project.environ.update(REPRO_PROFILE="portable", REPRO_THREADS="2")

    done = project.repro("run", "--threads", "5", "--", "python", "-c", SHOW)

    assert shown(done.stdout) == profile.variables(5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--profile", "nonsense"], "REPRO_PROFILE='nonsense' is not one of"),
        (["--profile", "portable", "--threads", "0"], "REPRO_THREADS='0' is not a whole number"),
        (["--threads", "4"], "REPRO_THREADS='4' counts only with REPRO_PROFILE=portable"),
    ],
)
def test_a_bad_option_runs_nothing(project: Project, options: list[str], words: str) -> None:
    done = project.repro("run", *options, "--", "python", "-c", "print('user code')")

    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert not list((project.folder / ".repro" / "runs").glob("2*"))


def test_a_run_that_seeds_nothing_can_t_be_portable(project: Project) -> None:
    done = project.repro(
        "run",
        "--profile",
        "portable",
        "--",
        "python",
        "-c",
        "print('user code')",
        REPRO_DISABLE="1",
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "REPRO_DISABLE=1 switches off what the profile portable needs" in done.stderr


def test_another_number_of_threads_comes_too_late_in_a_process(run: Run) -> None:
    code = "import os, repro_env; os.environ['REPRO_THREADS'] = '8'; repro_env.seed_everything()"

    done = run(code, env=PORTABLE)

    assert done.returncode == 1
    assert "REPRO_THREADS=8 comes too late: this process began with 1" in done.stderr


def test_a_replay_has_the_runs_profile(project: Project) -> None:
    project.commit(train_py=f"{SHOW}\nopen('out', 'w').write(os.environ['OMP_NUM_THREADS'])")
    project.run("--profile", "portable", "--threads", "3", "--", "python", "train.py")

    done = project.repro("replay", "last")

    assert done.returncode == 0, done.stderr
    assert shown(done.stdout.splitlines()[0]) == profile.variables(3)


def test_a_verify_has_it_and_varies_neither_cpu_nor_threads(project: Project) -> None:
    done = project.repro(
        *("verify", "-n", "2", "--profile", "portable", "--json"),
        *("--vary", "threads,cpu,hash-seed"),
        *("--", "python", "-c", SHOW),
    )

    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    reason = "the profile portable fixes it"
    assert answer["not_varied"] == [
        {"factor": name, "reason": reason} for name in ("threads", "cpu")
    ]
    assert answer["robust_to"] == ["hash-seed"]


def test_a_recorded_run_is_verified_under_its_own_profile_alone(project: Project) -> None:
    project.commit(train_py="print(1)")
    project.run("--", "python", "train.py")

    done = project.repro("verify", "--profile", "portable", "last")

    assert done.returncode == 2
    assert "a run has its own inputs, outputs, parameters, profile and threads" in done.stderr


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
