"""`repro verify` where commands, neighbours and users do what they may: nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.test_verify import SLOW, TRAIN, begun, files, first, verified

COUNT = """
import os, sys
with open(sys.argv[1], "a") as count:
    count.write("x")
number = os.path.getsize(sys.argv[1])
"""


def test_what_a_killed_verify_has_started_holds_the_files_until_it_ends(project: Project) -> None:
    late = "import time; print('begun', flush=True); time.sleep(3); open('data.txt', 'w')"
    project.commit(train_py=late, data_txt="precious")
    with subprocess.Popen(
        project.command("verify", "--", "python", "train.py"),
        cwd=project.folder,
        env=project.environ,
        stderr=subprocess.PIPE,
    ) as process:
        begun(process)
        process.kill()

        refused = project.repro("verify", "--restore")
        time.sleep(4)
        restored = project.repro("verify", "--restore")

    assert refused.returncode == 2
    assert "under way" in refused.stderr
    assert restored.returncode == 0
    assert (project.folder / "data.txt").read_text() == "precious"


@pytest.mark.parametrize("ignores", [False, True])
def test_what_the_command_has_left_running_is_ended_before_the_files_are_put_back(
    project: Project, ignores: bool
) -> None:
    child = "import time; time.sleep(9); open('data.txt', 'w').write('late')"
    if ignores:
        child = f"import signal; signal.signal(15, signal.SIG_IGN); {child}"
    code = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {child!r}], start_new_session=True,
                 stdin=-3, stdout=-3, stderr=-3)
print(1)
"""
    project.commit(train_py=code, data_txt="precious")

    answer = verified(project, "-n", "2", "--", "python", "train.py")

    time.sleep(5)
    assert (project.folder / "data.txt").read_text() == "precious"
    assert any("left running" in note for note in answer["notes"])


def test_a_timeout_ends_a_child_that_refuses_though_the_command_has_ended(project: Project) -> None:
    child = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    code = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {child!r}], start_new_session=True)
time.sleep(600)
"""
    project.commit(train_py=code)

    done = project.repro("verify", "-n", "2", "--timeout", "1", "--", "python", "train.py")

    assert done.returncode == 2
    assert "signal.SIG_IGN); time.sleep(600)" not in subprocess.check_output(
        ["ps", "ax"], text=True
    )


def test_a_second_verify_of_a_project_is_refused(project: Project) -> None:
    project.commit(train_py=SLOW, data_txt="first")
    with subprocess.Popen(
        project.command("verify", "--", "python", "train.py"),
        cwd=project.folder,
        env=project.environ,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        begun(process)
        second = project.repro("verify", "--", "python", "-c", "print(1)")
        os.killpg(process.pid, signal.SIGINT)

    assert second.returncode == 2
    assert "a verify is under way" in second.stderr
    assert (project.folder / "data.txt").read_text() == "first"


def test_a_run_under_way_is_left_alone(project: Project) -> None:
    project.commit(train_py=SLOW, data_txt="first")
    with subprocess.Popen(
        project.command("run", "--", "python", "train.py"),
        cwd=project.folder,
        env=project.environ,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        refused = project.repro("verify", "--", "python", "-c", "print(1)")
        os.killpg(process.pid, signal.SIGINT)

    assert refused.returncode == 2
    assert "is under way in this project" in refused.stderr
    assert (project.folder / "made.txt").exists()


def test_a_home_is_no_folder_to_verify_in(project: Project) -> None:
    done = project.repro("verify", "--", "true", HOME=str(project.folder))

    assert done.returncode == 2
    assert "is a home" in done.stderr


def test_an_inner_repository_that_was_moved_comes_back_whole(project: Project) -> None:
    project.commit(train_py="import os; os.rename('lib', 'old'); print(1)")
    inner = project.folder / "lib"
    inner.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=inner, check=True, env=project.environ)
    (inner / "code.py").write_text("code")
    before = files(inner), {path.name for path in (inner / ".git").iterdir()}

    verified(project, "-n", "2", "--", "python", "train.py")

    assert (files(inner), {path.name for path in (inner / ".git").iterdir()}) == before
    assert not (project.folder / "old").exists()


def test_pipes_and_sockets_of_the_user_s_are_no_obstacle(project: Project) -> None:
    project.commit(
        train_py="import os; os.unlink('socket'); open('o', 'w'); print(1)", data_txt="x"
    )
    os.mkfifo(project.folder / "pipe")
    for jobs in ("1", "2"):
        with socket.socket(socket.AF_UNIX) as listening:
            (project.folder / "socket").unlink(missing_ok=True)
            here = Path.cwd()
            os.chdir(project.folder)  # addresses of sockets are short
            listening.bind("socket")
            os.chdir(here)

            done = project.repro("verify", "--jobs", jobs, "-n", "2", "--", "sh", "-c", "echo 1 >o")

        assert done.returncode == 0, done.stderr
    assert (project.folder / "pipe").is_fifo()
    assert project.repro("verify", "--restore").stdout == "nothing to put back\n"


def test_an_output_that_was_named_and_not_touched_leaves_no_litter(project: Project) -> None:
    project.commit(out_txt="mine")
    before = files(project.folder)

    done = project.repro("verify", "-n", "2", "--out", "out.txt", "--", "python", "-c", "print(1)")

    assert done.returncode == 0, done.stderr
    assert files(project.folder) == before


def test_outputs_beside_the_folder_of_the_command_count(project: Project) -> None:
    code = "import os, pathlib; pathlib.Path('../results.json').write_text(str(os.urandom(4)[0]))"
    project.write("source/train.py", code + "\npathlib.Path('log').write_text('same')")

    done = project.repro("verify", "-n", "6", "--", "python", "train.py", folder="source")

    assert done.returncode == 1, done.stdout
    assert "first difference: ../results.json" in done.stdout


def test_what_is_printed_beside_outputs_is_said_to_differ(project: Project) -> None:
    project.commit(train_py=TRAIN + "import time; print('took', time.time_ns())")

    answer = verified(project, "-n", "2", "--", "python", "train.py")

    assert any("what they printed differs" in note for note in answer["notes"])


def test_a_file_that_changes_during_one_attempt_alone_is_named(project: Project) -> None:
    count = project.folder.parent / "count"
    code = COUNT + "if number == 2: open('notes.md', 'w').write('as a user would')\nprint(1)"
    project.commit(train_py=code, notes_md="first")

    answer = verified(project, "-n", "3", "--", "python", "train.py", count, status=1)

    assert (project.folder / "notes.md").read_text() == "first"
    assert any("notes.md was made or changed during attempt 2 alone" in n for n in answer["notes"])


STEPS = "import repro_env\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(
            "if number % 2: repro_env.step(1, x=1.0)", "in one of the two alone", id="one"
        ),
        pytest.param(
            "repro_env.step(1, x=[1, 23] if number % 2 else [12, 3])", "array x", id="list"
        ),
        pytest.param("repro_env.step(1, x=0.0 if number % 2 else -0.0)", "array x", id="zero"),
        pytest.param("repro_env.step(number, x=1.0)", "only", id="other step"),
    ],
)
def test_steps_that_differ_are_never_called_equal(project: Project, line: str, said: str) -> None:
    count = project.folder.parent / "count"
    project.commit(train_py=COUNT + STEPS + line + "\nprint(1)")

    answer = verified(project, "-n", "2", "--steps", "--", "python", "train.py", count, status=1)

    assert first(answer)["kind"] == "step"
    assert said in first(answer)["text"]


def test_what_a_step_can_t_digest_is_said(project: Project) -> None:
    project.commit(train_py=STEPS + "import decimal\nrepro_env.step(1, x=decimal.Decimal(1))")

    answer = verified(project, "-n", "2", "--steps", "--", "python", "train.py")

    assert any("array x could not be compared" in note for note in answer["notes"])


def test_names_of_steps_may_hold_anything(project: Project) -> None:
    project.commit(train_py=STEPS + "repro_env.step(1, **{'\\ud800\\n\"': 1.0, 'é': 2.0})")

    answer = verified(project, "-n", "2", "--steps", "--", "python", "train.py")

    assert "1 steps" in answer["compared"]


def test_a_generator_that_nobody_drew_from_is_nothing_to_compare(project: Project) -> None:
    elsewhere = project.folder.parent / "elsewhere"
    code = f"import os, random; open({str(elsewhere)!r}, 'wb').write(os.urandom(4))"

    answer = verified(project, "-n", "2", "--", "python", "-c", code, status=2)

    assert "nothing to compare" in answer["problem"]
    assert answer["grade"] == "none"


def test_machines_are_told_that_a_failing_command_verifies_nothing(project: Project) -> None:
    answer = verified(project, "-n", "2", "--", "python", "-c", "print(1); exit(3)", status=2)

    assert "failed in every attempt, with status 3" in answer["problem"]
    assert (answer["grade"], answer["shown_rate"]) == ("none", None)


def test_a_flaky_program_s_fault_is_no_factor_s(project: Project) -> None:
    code = COUNT + "print(number in (2, 5))"  # the first attempt but one, and a control
    project.commit(train_py=code)
    count = project.folder.parent / "count"

    answer = verified(
        project,
        "-n",
        "2",
        "--vary",
        "hash-seed,time-zone",
        "--",
        "python",
        "train.py",
        count,
        status=1,
    )

    assert answer["guilty"] == []


def test_the_folder_of_copies_is_no_difference_of_the_control(project: Project) -> None:
    code = "import os; print(os.getcwd().rpartition('/')[2], {'a', 'b', 'c', 'd', 'e', 'f'})"

    answer = verified(
        project,
        "-n",
        "2",
        "--jobs",
        "2",
        "--vary",
        "hash-seed,load",
        "--",
        "python",
        "-c",
        code,
        status=1,
    )

    assert answer["guilty"] == ["hash-seed"]


def test_a_sparse_file_takes_the_room_of_what_is_in_it(project: Project) -> None:
    project.commit(train_py=TRAIN)
    with (project.folder / "sparse").open("wb") as file:
        file.truncate(2**42)
        file.seek(2**41)
        file.write(b"in the middle")

    answer = verified(
        project, "-n", "2", "--", "python", "-c", "import os; os.unlink('sparse'); print(1)"
    )

    assert answer["verdict"] == "identical bytes"
    with (project.folder / "sparse").open("rb") as file:
        assert file.seek(0, os.SEEK_END) == 2**42
        file.seek(2**41)
        assert file.read(13) == b"in the middle"


def test_restore_goes_with_nothing_else(project: Project) -> None:
    done = project.repro("verify", "--restore", "--", "true")

    assert done.returncode == 2
    assert "--restore only puts files back" in done.stderr


def test_a_report_is_written_past_damaged_verifications_and_through_links(project: Project) -> None:
    project.commit(train_py=TRAIN)
    answer = verified(project, "-n", "2", "--", "python", "train.py")
    other = verified(project, "-n", "2", "--", "python", "train.py")
    kept = project.folder / ".repro" / "verifications"
    (kept / other["id"] / "verification.json").write_text("{")
    (project.folder / "there.html").write_text("")
    (project.folder / "link.html").symlink_to("there.html")

    done = project.repro("report", answer["attempts"][1]["run"], "-o", "link.html")
    refused = project.repro("report", answer["id"], "-o", ".")
    unknown = project.repro("report", "no-such-run")

    assert done.returncode == 0, done.stderr
    assert (project.folder / "link.html").is_symlink()
    assert "identical bytes" in (project.folder / "there.html").read_text()
    assert (refused.returncode, unknown.returncode) == (2, 2)
    assert "is no file" in refused.stderr
    assert "Traceback" not in unknown.stderr


def test_a_report_of_a_run_says_that_it_was_never_verified(project: Project) -> None:
    project.commit(train_py=TRAIN)
    run = project.run("--", "python", "train.py")["id"]

    done = project.repro("report")

    assert done.returncode == 0, done.stderr
    assert "not verified" in (project.folder / f"{run}.html").read_text()


def test_answers_of_verify_are_as_the_schema_says(project: Project) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="among the tools of the host alone")
    project.commit(train_py=TRAIN)
    schema = json.loads((Path(__file__).parent.parent / "docs/answers.schema.json").read_text())

    answer = verified(project, "-n", "2", "--vary", "hash-seed", "--", "python", "train.py")

    jsonschema.validate(answer, {**schema, "$ref": "#/$defs/Verification"})
