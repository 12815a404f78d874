"""The start-up hook, seen from outside: each claim in a fresh process."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.conftest import SEEDED, Run

DRAW = "import random; print(random.random())"
BAD = [
    pytest.param({"REPRO_SEED": "-1"}, "REPRO_SEED='-1'", id="negative seed"),
    pytest.param({"REPRO_SEED": "4294967296"}, "REPRO_SEED='4294967296'", id="seed too large"),
    pytest.param({"REPRO_SEED": "abc"}, "REPRO_SEED='abc'", id="seed is no number"),
    pytest.param({"REPRO_SEED": ""}, "REPRO_SEED=''", id="empty seed"),
    pytest.param({"REPRO_SEED": "4\n2"}, "REPRO_SEED='4\\n2'", id="newline in the seed"),
    pytest.param({"PYTHONHASHSEED": "random"}, "PYTHONHASHSEED='random'", id="random hashes"),
    pytest.param({"TF_DETERMINISTIC_OPS": "yes"}, "TF_DETERMINISTIC_OPS='yes'", id="TF's words"),
    pytest.param({"REPRO_DISABLE": "maybe"}, "REPRO_DISABLE='maybe'", id="unclear switch"),
]


def first_number(seed: int) -> float:
    return random.Random(seed).random()


def test_a_script_draws_what_it_draws_with_the_seed_on_its_first_line(run: Run) -> None:
    assert float(run(DRAW).stdout) == first_number(42)


def test_another_seed_draws_other_numbers(run: Run) -> None:
    drawn = run(DRAW, env={**SEEDED, "REPRO_SEED": "7"})

    assert float(drawn.stdout) == first_number(7) != first_number(42)


def test_without_a_seed_numbers_differ_from_run_to_run(run: Run) -> None:
    assert run(DRAW, env={}).stdout != run(DRAW, env={}).stdout


def test_disabled_numbers_differ_from_run_to_run(run: Run) -> None:
    disabled = {**SEEDED, "REPRO_DISABLE": "1"}

    assert run(DRAW, env=disabled).stdout != run(DRAW, env=disabled).stdout


def test_disabled_tensorflows_switch_is_gone(run: Run) -> None:
    code = "import os; print(os.environ.get('TF_DETERMINISTIC_OPS'))"

    switched_off = run(code, env={**SEEDED, "TF_DETERMINISTIC_OPS": "1", "REPRO_DISABLE": "1"})
    switched_on = run(code, env={**SEEDED, "TF_DETERMINISTIC_OPS": "1"})

    assert (switched_off.stdout, switched_on.stdout) == ("None\n", "1\n")


def test_a_server_gives_its_children_what_disabling_took(run: Run) -> None:
    code = """
import os
from repro_env.startup import enable_children
enable_children()
print(os.environ.get("REPRO_DISABLE"), os.environ.get("TF_DETERMINISTIC_OPS", "gone"))
"""

    env = {**SEEDED, "TF_DETERMINISTIC_OPS": "true", "REPRO_DISABLE": "1"}

    assert run(code, env={**env, "REPRO_SEED_CHILDREN": "1"}).stdout == "None true\n"
    assert run(code, env=env).stdout == "1 gone\n"  # the user's own switch stays


@pytest.mark.parametrize(("env", "named"), BAD)
def test_a_bad_value_stops_the_process_before_user_code(
    run: Run, env: dict[str, str], named: str
) -> None:
    result = run("print('user code')", env={**SEEDED, **env})

    error, advice = result.stderr.splitlines()
    assert result.returncode == 2
    assert result.stdout == ""
    assert error.startswith(f"error: {named} is ")
    assert advice.startswith("  what to do: ")


def test_the_bare_path_imports_nothing_but_our_own_modules(run: Run) -> None:
    where = run("import repro_env; print(repro_env.__path__[0])").stdout.strip()
    code = f"""
import site, sys
before = {{*sys.modules}}
sys.path.insert(0, {str(Path(where).parent)!r})
import repro_env.startup
repro_env.startup.start()
print(*{{*sys.modules}} - before)
"""

    loaded = run(code, "-S").stdout.split()  # without the hooks of other packages

    assert "repro_env.seeding" in loaded
    assert [name for name in loaded if not name.startswith("repro_env")] == []


def test_no_library_is_imported_for_the_user(run: Run) -> None:
    code = "import sys; print(set(sys.modules) & {'random', 'numpy', 'torch', 'tensorflow'})"

    assert run(code).stdout == "set()\n"


def test_a_library_that_is_only_looked_for_is_seeded_when_it_is_imported(run: Run) -> None:
    code = "import importlib.util; importlib.util.find_spec('random');" + DRAW

    assert float(run(code).stdout) == first_number(42)


def test_importing_again_does_not_rewind(run: Run) -> None:
    code = "import random; first = random.random(); import random; print(random.random() == first)"

    assert run(code).stdout == "False\n"


@pytest.mark.parametrize(
    "again",
    [
        pytest.param("import importlib; importlib.reload(random)", id="reloaded"),
        pytest.param("import sys; del sys.modules['random']; import random", id="forgotten"),
    ],
)
def test_a_module_that_runs_again_is_seeded_again(run: Run, again: str) -> None:
    assert float(run(f"import random; {again}; {DRAW}").stdout) == first_number(42)


def test_older_finders_and_finders_that_ask_others_do_not_disturb(run: Run) -> None:
    code = """
import importlib.util, sys
class Older:  # as Cython's pyximport installs: without find_spec
    def find_module(self, name, path=None): return None
class Asking:
    asked = False
    def find_spec(self, name, path=None, target=None):
        if name == "random" and not self.asked:
            self.asked = True
            return importlib.util.find_spec(name)
sys.meta_path[1:1] = [Older(), Asking()]
"""

    assert float(run(code + DRAW, "-W", "ignore").stdout) == first_number(42)


def test_a_library_from_a_loader_that_cannot_be_followed_stops_the_process(run: Run) -> None:
    code = """
import importlib.machinery, sys
class Loader:
    @staticmethod
    def load_module(name): raise AssertionError
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "random":
            return importlib.machinery.ModuleSpec(name, Loader)
sys.meta_path.insert(1, Finder())
import random
"""

    result = run(code)

    assert result.returncode == 2
    assert "random is loaded by" in result.stderr


@pytest.mark.parametrize("closed", ["2>&-", "1>&-", "1>&- 2>&-"])
def test_a_bad_value_stops_the_process_whatever_is_closed(
    hooked_python: Path, closed: str, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    command = f'{hooked_python} -c \'open("{ran}", "w")\' {closed}'

    result = subprocess.run(command, shell=True, env={"REPRO_SEED": "abc"}, check=False)

    assert result.returncode == 2
    assert not ran.exists()


def test_a_package_of_our_name_on_the_path_does_not_take_the_hooks_place(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "repro_env").mkdir()
    (tmp_path / "repro_env" / "__init__.py").write_text("raise RuntimeError('not ours')")

    drawn = run(DRAW, env={**SEEDED, "PYTHONPATH": str(tmp_path)})

    assert float(drawn.stdout) == first_number(42)


def test_the_hook_leaves_the_module_path_as_it_was(run: Run) -> None:
    code = "import sys; print(sys.path)"

    assert run(code).stdout == run(code, env={}).stdout


def test_a_failed_import_is_seeded_when_it_succeeds_later(run: Run) -> None:
    code = """
import builtins, sys
sys.modules["_random"] = None  # random needs it
try:
    import random
except ImportError:
    del sys.modules["_random"]
import random
print(random.random())
"""

    assert float(run(code).stdout) == first_number(42)


def test_a_module_keeps_its_loader_and_source(run: Run) -> None:
    code = """
import inspect, random
print(type(random.__loader__).__name__, vars(random.__loader__).keys() - {"name", "path"})
print(inspect.getsource(random).startswith('\"\"\"Random'))
"""

    assert run(code).stdout == "SourceFileLoader set()\nTrue\n"


def test_a_library_that_cannot_be_seeded_stops_the_process_even_inside_try(run: Run) -> None:
    code = """
import repro_env.libraries.python as library
def broken(value): raise RuntimeError("no such generator")
library.seed = broken
try:
    import random
except BaseException:
    pass
print("went on unseeded")
"""

    result = run(code)

    assert result.returncode == 2
    assert "went on" not in result.stdout
    assert "RuntimeError: no such generator" in result.stderr


@pytest.mark.parametrize("option", ["-I", "-E", "-s", "-B"])
def test_an_isolated_interpreter_is_seeded_too(run: Run, option: str) -> None:
    assert float(run(DRAW, option).stdout) == first_number(42)


def test_an_unknown_failure_is_reported_with_its_name(run: Run) -> None:
    code = "from repro_env.errors import describe; print(describe(KeyError('x')))"

    assert "KeyError: 'x'" in run(code).stdout
