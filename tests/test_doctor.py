"""`repro doctor`: faults made in real processes are named, and healthy ones have no complaint."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from repro_env import cli
from tests.conftest import PROJECT
from tests.doctor_cases import IN_IMAGE, Said, look

PYTHONS_OWN = [
    *("REPRO_SEED", "REPRO_DISABLE", "REPRO_PROFILE", "REPRO_THREADS"),
    *("PYTHONHASHSEED", "LC_ALL", "TZ"),
]
GOOD: dict[str, str | None] = {**IN_IMAGE, "REPRO_DISABLE": None}
BAD = {
    "REPRO_SEED": "abc",
    "REPRO_DISABLE": "1",
    "PYTHONHASHSEED": "random",
    "LC_ALL": "C",
    "TZ": "Asia/Tokyo",
}


def change(name: str, value: str | None) -> str:
    """Code that changes a variable."""
    if value is None:
        return f"os.environ.pop({name!r}, None)"
    return f"os.environ[{name!r}] = {value!r}"


@pytest.fixture(scope="module")
def healthy(hooked_python: Path) -> Said:
    return look(hooked_python, hooked_python, "-c", "import random; print(random.random())")


def test_a_healthy_process_has_no_complaint(healthy: Said) -> None:
    assert healthy.status == 0
    assert healthy.verdicts() == dict.fromkeys(PYTHONS_OWN, "ok")
    assert [note for note in healthy.said["notes"] if note["advice"]] == []


@pytest.mark.parametrize("name", ["REPRO_SEED", "PYTHONHASHSEED"])
def test_a_missing_variable_is_named(hooked_python: Path, name: str) -> None:
    env = {**IN_IMAGE, "REPRO_SEED": None, name: None}

    said = look(hooked_python, hooked_python, "-c", "pass", env=env)

    assert said.status == 1
    assert said.row(name)["verdict"] == "missing"
    assert said.row(name)["advice"] == f"start the command with {name}={IN_IMAGE[name]}"


@pytest.mark.parametrize("name", ["LC_ALL", "TZ"])
def test_a_variable_whose_absence_changes_nothing_here_is_well(
    hooked_python: Path, name: str
) -> None:
    said = look(
        hooked_python, hooked_python, "-c", "pass", env={**GOOD, name: None}, LANG="C.UTF-8"
    )

    assert said.row(name) == {**said.row(name), "verdict": "ok", "found": IN_IMAGE[name]}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_value_is_named(hooked_python: Path, name: str) -> None:
    env = {**IN_IMAGE, "REPRO_SEED": "42" if name != "PYTHONHASHSEED" else None, name: BAD[name]}

    said = look(hooked_python, hooked_python, "-c", "pass", env=env)

    assert said.status == 1
    row = said.row(name)
    assert (row["verdict"], row["found"]) == ("wrong value", BAD[name])
    assert row["advice"] == (
        "unset REPRO_DISABLE before the command starts"
        if name == "REPRO_DISABLE"
        else f"start the command with {name}={IN_IMAGE[name]}"
    )


@pytest.mark.parametrize("name", BAD)
def test_a_right_value_that_comes_too_late_is_named_with_its_line(
    hooked_python: Path, tmp_path: Path, name: str
) -> None:
    wrong = {"REPRO_SEED": None, "PYTHONHASHSEED": "random"}.get(name, BAD[name])
    env = {**IN_IMAGE, "REPRO_SEED": None, name: wrong}
    script = tmp_path / "late.py"
    script.write_text(f"import os\n{change(name, GOOD[name])}\n")

    said = look(hooked_python, hooked_python, script, env=env)

    assert said.status == 1
    assert said.row(name)["verdict"] == "too late"
    assert (
        f"set in {script}:2, but it counts only before the interpreter starts"
        in (said.row(name)["why"])
    )


def test_another_hash_seed_comes_too_late_as_well(hooked_python: Path) -> None:
    code = "import os; os.environ['PYTHONHASHSEED'] = '1'"

    assert look(hooked_python, hooked_python, "-c", code).row("PYTHONHASHSEED") == {
        "knob": "PYTHONHASHSEED",
        "wanted": "1",
        "found": "0",
        "verdict": "too late",
        "why": "it was set in <string>:1, but it counts only before the interpreter starts",
        "advice": "start the command with PYTHONHASHSEED=1, and take that line out",
    }


@pytest.mark.parametrize(("name", "value"), [("REPRO_PROFILE", "portable"), ("REPRO_THREADS", "4")])
def test_a_profile_that_the_program_chooses_comes_too_late(
    hooked_python: Path, name: str, value: str
) -> None:
    row = look(hooked_python, hooked_python, "-c", f"import os\n{change(name, value)}").row(name)

    assert (row["verdict"], row["wanted"]) == ("too late", value)
    assert row["advice"] == f"start the command with {name}={value}, and take that line out"


@pytest.mark.parametrize("name", BAD)
def test_a_value_that_the_program_spoils_is_named_with_its_line(
    hooked_python: Path, tmp_path: Path, name: str
) -> None:
    script = tmp_path / "spoils.py"
    script.write_text(f"import os\n\n{change(name, BAD[name])}\n")

    said = look(hooked_python, hooked_python, script)

    assert said.status == 1
    assert said.row(name)["verdict"] == "overridden"
    assert said.row(name)["advice"] == f"take out {script}:3"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("LC_ALL", "import locale; locale.setlocale(locale.LC_ALL, 'C')"),
        ("TZ", "import os, time; os.putenv('TZ', 'Asia/Tokyo'); time.tzset()"),
    ],
)
def test_what_a_call_spoils_is_named(hooked_python: Path, name: str, code: str) -> None:
    said = look(hooked_python, hooked_python, "-c", code)

    assert said.status == 1
    assert said.row(name)["verdict"] == "overridden"


@pytest.mark.parametrize("option", ["-I", "-E", "-R"])
def test_a_hash_seed_that_python_ignores_is_inert(hooked_python: Path, option: str) -> None:
    said = look(hooked_python, hooked_python, option, "-c", "pass")

    row = said.row("PYTHONHASHSEED")
    assert (row["verdict"], row["found"]) == ("inert", "random hashes")
    assert row["advice"] == f"start Python without {'-R' if option == '-R' else '-I or -E'}"
    assert said.status == 1


def test_a_call_that_seeds_anew_is_no_complaint(hooked_python: Path) -> None:
    said = look(
        hooked_python, hooked_python, "-c", "import repro_env; repro_env.seed_everything(7)"
    )

    assert said.status == 0
    assert (said.row("REPRO_SEED")["verdict"], said.row("REPRO_SEED")["found"]) == ("ok", "7")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import sys; sys.executable = None", id="no interpreter"),
        pytest.param("import sys; sys.executable = '/bin/true'", id="no Python"),
    ],
)
def test_hashes_that_cannot_be_compared_leave_doubt(hooked_python: Path, code: str) -> None:
    said = look(hooked_python, hooked_python, "-c", code)

    assert said.status == 2
    assert said.row("PYTHONHASHSEED")["verdict"] == "unknown"


def test_warnings_of_encodings_are_not_ours(hooked_python: Path) -> None:
    if sys.version_info < (3, 10):
        pytest.skip("Python 3.9 has no such warnings")

    said = look(
        hooked_python, hooked_python, "-X", "warn_default_encoding", "-W", "error", "-c", "pass"
    )

    assert (said.status, said.printed) == (0, "")


@pytest.mark.parametrize(
    ("redirected", "said"),
    [
        ("> /dev/full", "error: No space left on device"),
        ("| true", ""),
        (">&-", ""),
    ],
)
def test_output_that_cannot_be_written_is_no_answer(
    hooked_python: Path, redirected: str, said: str
) -> None:
    result = subprocess.run(
        [
            "bash",
            "-o",
            "pipefail",
            "-c",
            f"$0 -m repro_env.cli doctor -- $0 -c pass {redirected}",
            hooked_python,
        ],
        env={**os.environ, **IN_IMAGE},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in result.stderr
    assert result.stderr.startswith(said)
    assert result.returncode == (0 if redirected == ">&-" else 2)


def test_the_json_has_the_documented_fields(healthy: Said) -> None:
    page = (PROJECT / "docs/doctor.md").read_text()

    fields = {*healthy.said, *healthy.said["processes"][0], *healthy.said["processes"][0]["seeds"]}
    fields |= {*healthy.row("TZ"), *healthy.said["notes"][0]}

    assert {field for field in fields if f'"{field}": ' in page} == fields


def test_the_doctor_leaves_no_files_behind(hooked_python: Path, tmp_path: Path) -> None:
    environ = {**os.environ, **IN_IMAGE, "TMPDIR": str(tmp_path)}
    command = f"{hooked_python} -m repro_env.cli doctor -- {hooked_python} -c pass"

    subprocess.run(command.split(), env=environ, capture_output=True, check=True)

    assert list(tmp_path.iterdir()) == []


def test_a_command_that_cannot_be_started_is_named(hooked_python: Path) -> None:
    result = subprocess.run(
        [hooked_python, "-m", "repro_env.cli", "doctor", "--", "./nowhere"],
        env={**os.environ, **IN_IMAGE},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: './nowhere' can't be started: No such file")
    assert "  what to do: " in result.stderr


@pytest.mark.parametrize("arguments", [["--", "x"], ["hook", "install", "x", "--", "y"], ["dr"]])
def test_bad_usage_has_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)

    assert left.value.code == 2
    assert "usage: repro" in capsys.readouterr().err


def test_the_table_and_what_to_do_are_plain_text(hooked_python: Path) -> None:
    code = "import os; print('its own output'); os.environ['TZ'] = 'Asia/Tokyo'"
    result = subprocess.run(
        [hooked_python, "-m", "repro_env.cli", "doctor", "--", hooked_python, "-c", code],
        env={**os.environ, **IN_IMAGE},
        capture_output=True,
        text=True,
        check=False,
    )

    own, process, *lines = result.stdout.splitlines()
    assert own == "its own output"
    assert re.fullmatch(r"process \d+: .*, Python [\d.]+", process)
    assert any(re.fullmatch(r"TZ +UTC +Asia/Tokyo +overridden", line) for line in lines)
    assert "  what to do: take out <string>:1" in lines
    assert lines[-1] == "something is not well: see what to do, above"
    assert not any(line.startswith("LC_ALL: ") for line in lines)
    assert result.returncode == 1


def test_names_of_files_stay_on_their_line(hooked_python: Path, tmp_path: Path) -> None:
    script = tmp_path / "two\nlines \x1b[2J.py"
    script.write_text("import os; os.environ['TZ'] = 'Asia/Tokyo'")

    result = subprocess.run(
        [hooked_python, "-m", "repro_env.cli", "doctor", "--", hooked_python, script],
        env={**os.environ, **IN_IMAGE},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert "\x1b" not in result.stdout
    assert (
        f"  what to do: take out {tmp_path}/two\\nlines \\x1b[2J.py:1" in result.stdout.splitlines()
    )


H200 = "echo 'NVIDIA H200, 9.0, 550.1'"
NONE = "none: whatever is for GPUs was not tried"


@pytest.mark.parametrize(
    ("tool", "visible", "text", "status"),
    [
        pytest.param(
            H200, "0", "NVIDIA H200, compute capability 9.0, driver 550.1", 0, id="one is there"
        ),
        pytest.param(H200, "", NONE, 0, id="it is hidden"),
        pytest.param("echo 'No devices were found'; exit 6", "0", NONE, 0, id="none is there"),
        pytest.param(
            "exit 9", "0", "there is a GPU, and nvidia-smi does not say which", 2, id="no answer"
        ),
    ],
)
def test_gpus_are_those_that_the_driver_names(
    hooked_python: Path, tmp_path: Path, tool: str, visible: str, text: str, status: int
) -> None:
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{tool}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environ = {**os.environ, **IN_IMAGE, "PATH": path, "CUDA_VISIBLE_DEVICES": visible}

    result = subprocess.run(
        [hooked_python, "-m", "repro_env.cli", "doctor", "--json", "--", hooked_python, "-c", ""],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    note = next(note for note in json.loads(result.stdout)["notes"] if note["about"] == "gpu")
    assert note["text"] == text
    assert (note["advice"] == "") == (status == 0)
    assert result.returncode == status


def test_the_notes_say_what_was_seeded_and_when(healthy: Said) -> None:
    assert re.fullmatch(r"42: random \([\d.]+ s after the start\)", healthy.note("seeds")["text"])


def test_a_stale_folder_of_the_doctors_hurts_nobody(hooked_python: Path, tmp_path: Path) -> None:
    environ = {**os.environ, **IN_IMAGE, "REPRO_DOCTOR": str(tmp_path / "gone")}

    result = subprocess.run(
        [hooked_python, "-c", "print('fine')"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert (result.stdout, result.stderr) == ("fine\n", "")
