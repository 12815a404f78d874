"""`repro verify`: what it finds, what it leaves, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project

TRAIN = """
import json, pathlib, random
out = pathlib.Path("out")
out.mkdir(exist_ok=True)
(out / "metrics.json").write_text(json.dumps({"loss": random.random()}))
"""
ENTROPY = TRAIN.replace("random.random()", "random.SystemRandom().random()")


def verified(project: Project, *arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """Call `repro verify --json`, which must end with that status, and return its answer."""
    done = project.repro("verify", "--json", *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def first(answer: dict[str, Any]) -> dict[str, Any]:
    """The first difference that was found."""
    found: dict[str, Any] = next(one for one in answer["attempts"] if one["divergences"])
    divergence: dict[str, Any] = found["divergences"][0]
    return divergence


def files(folder: Path) -> dict[str, bytes]:
    """The files of a project, without what git and repro keep."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {".git", ".repro"} & {*path.relative_to(folder).parts}
    }


def names(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_run_that_repeats_is_identical_and_says_what_three_attempts_show(
    project: Project,
) -> None:
    project.commit(train_py=TRAIN)

    done = project.repro("verify", "--", "python", "train.py")

    lines = done.stdout.splitlines()
    assert (done.returncode, lines[-1]) == (0, "verdict: identical bytes"), done.stderr
    assert "3 of 3 agree: a divergence in more than 63 % of runs would have shown, at 95 %" in lines
    assert "grade: repeatable" in lines
    assert "compared: exit status, 1 outputs, generators: python" in done.stdout
    assert "deterministic" not in done.stdout
    assert "repro: attempt 2 of 3: identical bytes" in done.stderr


def test_the_folder_is_as_it_was_and_each_attempt_has_its_outputs(project: Project) -> None:
    project.commit(train_py=TRAIN + "pathlib.Path('train.py').write_text('gone')\n")
    project.write("out/metrics.json", "an earlier one")
    before = files(project.folder)

    answer = verified(project, "--", "python", "train.py")

    assert files(project.folder) == before
    for attempt in answer["attempts"]:
        outputs = project.folder / ".repro" / "runs" / attempt["run"] / "outputs"
        assert sorted(files(outputs)) == ["out/metrics.json", "train.py"]
    assert names(project.folder / ".repro" / "verifications" / answer["id"]) == [
        "verification.json"
    ]
    assert not names(project.folder / ".repro" / "work")


def test_an_unseeded_generator_is_a_difference_in_the_output(project: Project) -> None:
    project.commit(train_py=ENTROPY)

    answer = verified(project, "--", "python", "train.py", status=1)

    assert answer["verdict"] == "different"
    assert (answer["agreeing"], answer["shown_rate"], answer["grade"]) == (1, None, "none")
    assert first(answer)["kind"] == "output"
    assert "out/metrics.json" in first(answer)["text"]
    assert "loss" in first(answer)["text"]


def test_a_generator_that_draws_more_is_named_before_the_outputs(project: Project) -> None:
    more = TRAIN + "import os\nif os.urandom(1)[0] % 2: random.random()\n"
    project.commit(train_py=more)

    answer = verified(project, "-n", "12", "--", "python", "train.py", status=1)

    assert (first(answer)["kind"], first(answer)["what"]) == ("generators", "python")


def test_the_verdict_and_the_differences_stand_in_words(project: Project) -> None:
    project.commit(train_py=ENTROPY)

    done = project.repro("verify", "--", "python", "train.py")

    lines = done.stdout.splitlines()
    assert (done.returncode, lines[-1]) == (1, "verdict: different")
    assert "1 of 3 agree" in lines
    assert "grade: none" in lines
    assert any(line.startswith("first difference: out/metrics.json: ") for line in lines)


def test_until_makes_as_many_attempts_as_the_rate_takes(project: Project) -> None:
    answer = verified(project, "--until", "0.4", "--", "python", "-c", "print(1)")

    assert len(answer["attempts"]) == 6  # 1 - 0.05^(1/6) = 0.393
    assert answer["shown_rate"] == pytest.approx(1 - 0.05 ** (1 / 6))


def test_until_stops_at_the_first_that_differs(project: Project) -> None:
    code = "import os; print(os.urandom(8))"

    answer = verified(project, "--until", "0.01", "--", "python", "-c", code, status=1)

    assert len(answer["attempts"]) == 2


def test_what_is_printed_is_compared_where_nothing_else_is_made(project: Project) -> None:
    same = verified(project, "-n", "2", "--", "python", "-c", "print(1)")
    other = verified(
        project, "-n", "2", "--", "python", "-c", "import time; print(time.time_ns())", status=1
    )

    assert same["verdict"] == "identical bytes"
    assert first(other)["kind"] == "printed"


def test_a_command_that_leaves_nothing_verifies_nothing(project: Project) -> None:
    done = project.repro("verify", "--", "true")

    assert done.returncode == 2
    assert "nothing to compare" in done.stderr
    assert "--out" in done.stderr


def test_a_command_that_fails_in_every_attempt_verifies_nothing(project: Project) -> None:
    done = project.repro("verify", "--", "python", "-c", "print(1); raise SystemExit(3)")

    assert done.returncode == 2
    assert "failed in every attempt, with status 3" in done.stderr
    assert "grade: none" in done.stdout


def test_a_command_that_fails_in_one_attempt_is_different(project: Project) -> None:
    other = project.folder.parent / "count"
    code = f"""
import pathlib, sys
count = pathlib.Path({str(other)!r})
text = count.read_text() if count.exists() else ""
count.write_text(text + "x")
sys.exit(len(text) == 1)
"""
    answer = verified(project, "--", "python", "-c", code, status=1)

    assert [one["exit_status"] for one in answer["attempts"]] == [0, 1, 0]
    assert [one["verdict"] == "different" for one in answer["attempts"]] == [False, True, False]
    assert answer["agreeing"] == 2


def test_a_file_that_an_attempt_leaves_outside_is_named_as_the_reason(project: Project) -> None:
    left = project.folder.parent / "cache.json"
    code = f"""
import json, os, pathlib
left = {str(left)!r}
if os.path.exists(left):
    with open(left) as file:
        value = json.load(file) + 1
else:
    value = 1
with open(left, "w") as file:
    json.dump(value, file)
pathlib.Path("result.json").write_text(str(value))
"""
    project.commit(train_py=code)

    answer = verified(project, "--", "python", "train.py", status=1)

    assert first(answer)["kind"] == "inputs"
    assert str(left) in first(answer)["text"]
    assert "an attempt leaves it" in first(answer)["text"]


def test_a_stale_file_in_the_project_is_never_there_for_the_next_attempt(project: Project) -> None:
    code = """
import os, pathlib
stale = os.path.exists("cache")
pathlib.Path("cache").write_text("x")
pathlib.Path("result.json").write_text(str(int(stale)))
"""
    project.commit(train_py=code)

    assert verified(project, "--", "python", "train.py")["verdict"] == "identical bytes"


def test_a_command_that_changes_its_inputs_gets_them_back(project: Project) -> None:
    code = """
import pathlib
data = pathlib.Path("data.txt")
text = data.read_text()
data.write_text(text + "more")
print(len(text))
"""
    project.commit(train_py=code, data_txt="1 2 3")

    answer = verified(project, "--in", "data.txt", "--", "python", "train.py")

    assert answer["verdict"] == "identical bytes"
    assert (project.folder / "data.txt").read_text() == "1 2 3"
    assert any("data.txt was changed during the run" in note for note in answer["notes"])


def test_a_command_that_asks_gets_no_answer_and_that_is_said(project: Project) -> None:
    done = project.repro("verify", "--", "python", "-c", "print(input('name? '))")

    assert done.returncode == 2
    assert "EOFError" in done.stderr


def test_a_command_that_hangs_is_ended_with_all_that_it_has_started(project: Project) -> None:
    code = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("/tmp", f"repro-test-{os.environ['REPRO_PARAM_MARK']}").write_text(str(child.pid))
time.sleep(600)
"""
    mark = project.folder.parent.name
    project.commit(train_py=code)
    began = time.monotonic()

    done = project.repro(
        "verify", "-n", "2", "--timeout", "2", "--param", f"MARK={mark}", "--", "python", "train.py"
    )

    file = Path("/tmp", f"repro-test-{mark}")
    child = int(file.read_text())
    file.unlink()
    assert done.returncode == 2
    assert "timed out" in done.stdout
    assert time.monotonic() - began < 60
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_hang_that_refuses_to_end_is_killed(project: Project) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"

    done = project.repro("verify", "-n", "2", "--timeout", "1", "--", "python", "-c", code)

    assert done.returncode == 2
    assert "status 137" in done.stderr


KILLED = """
import os, pathlib, subprocess, sys
open("out", "w").write("1")
dies = "import os, random; random.random(); os.kill(os.getpid(), 9)"
times = pathlib.Path({count!r})
now = len(times.read_text()) if times.exists() else 0
times.write_text("x" * (now + 1))
if now in {when}:
    subprocess.run([sys.executable, "-c", dies])
"""


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ((), []),
        ((1,), ["in the first, a program was killed before it had ended"]),
        ((0,), ["in the first, a program was killed before it had ended"]),
        ((0, 1), ["there and in the first, were not compared in attempt 2"]),
    ],
)
def test_what_a_killed_program_did_not_say_is_not_compared_and_that_is_said(
    project: Project, when: tuple[int, ...], said: list[str]
) -> None:
    count = str(project.folder.parent / "count")
    project.commit(train_py=KILLED.format(count=count, when=when))

    answer = verified(project, "-n", "2", "--", "python", "train.py")

    assert answer["verdict"] == "identical bytes"
    notes = [note for note in answer["notes"] if "final states" in note]
    assert len(notes) == len(said)
    assert all(map(str.endswith, notes, said))


def test_below_the_top_and_without_git_it_works_too(project: Project, tmp_path: Path) -> None:
    project.commit(train_py=TRAIN)
    project.write("below/train.py", TRAIN)
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "train.py").write_text(TRAIN)

    for jobs in ("1", "2"):
        below = project.repro(
            "verify", "-n", "2", "--jobs", jobs, "--", "python", "train.py", folder="below"
        )
        alone = subprocess.run(
            project.command("verify", "-n", "2", "--jobs", jobs, "--", "python", "train.py"),
            cwd=plain,
            env=project.environ,
            capture_output=True,
            text=True,
            check=False,
        )

        assert below.returncode == 0, below.stderr
        assert alone.returncode == 0, alone.stderr
    assert sorted(files(plain)) == ["train.py"]


def test_a_recorded_run_is_verified_from_its_own_code(project: Project) -> None:
    project.commit(train_py=TRAIN)
    run = project.run("--", "python", "train.py")["id"]
    project.write("train.py", "raise SystemExit('the code of another day')")

    answer = verified(project, run)

    assert (answer["reference"], answer["verdict"]) == (run, "identical bytes")
    assert len(answer["attempts"]) == 3
    assert project.folder.joinpath("train.py").read_text().startswith("raise")


def test_another_seed_than_the_recorded_one_is_noticed_and_named(project: Project) -> None:
    project.commit(train_py=TRAIN)
    run = project.run("--", "python", "train.py")["id"]

    answer = verified(project, "-n", "1", "--seed", "43", run, status=1)

    assert first(answer)["kind"] == "environment"
    assert "seed" in first(answer)["text"]
    assert "43" in first(answer)["text"]


def test_attempts_that_agree_with_each_other_and_not_with_the_record_are_said_to(
    project: Project,
) -> None:
    project.commit(train_py=TRAIN)
    run = project.run("--", "python", "train.py")["id"]

    answer = verified(project, "-n", "2", "--seed", "43", run, status=1)

    assert "the attempts agree with each other: the recorded run alone differs" in answer["notes"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--"], "nothing to verify", id="nothing"),
        pytest.param(["last", "--", "true"], "both a run and a command", id="both"),
        pytest.param(["-n", "1", "--", "true"], "one attempt alone", id="one"),
        pytest.param(["-n", "0", "--", "true"], "in 1..", id="none"),
        pytest.param(["-n", "x", "--", "true"], "whole number", id="no number"),
        pytest.param(["-n", "2", "--until", "0.5", "--", "true"], "both given", id="n and until"),
        pytest.param(["--until", "1", "--", "true"], "a share from", id="rate of 1"),
        pytest.param(["--until", "0", "--", "true"], "a share from", id="rate of 0"),
        pytest.param(["--until", "nan", "--", "true"], "a share from", id="no rate"),
        pytest.param(["--timeout", "0", "--", "true"], "seconds above 0", id="timeout"),
        pytest.param(["--jobs", "0", "--", "true"], "in 1..", id="jobs"),
        pytest.param(["--vary", "colour", "--", "true"], "colour", id="factor"),
        pytest.param(["--vary", "", "--", "true"], "--vary", id="no factor"),
        pytest.param(["--seed", "x", "--", "true"], "REPRO_SEED", id="seed"),
        pytest.param(["--out", "../there", "--", "true"], "outside", id="outside"),
        pytest.param(["--in", "nowhere", "--", "true"], "does not exist", id="input"),
        pytest.param(["--", "no-such-program"], "can't be started", id="program"),
        pytest.param(["no-such-run"], "no run", id="run"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_left(
    project: Project, arguments: list[str], said: str
) -> None:
    project.commit(train_py=TRAIN)
    before = files(project.folder)

    done = project.repro("verify", *arguments)

    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert files(project.folder) == before
    left = project.folder / ".repro"
    assert not any(path for path in left.rglob("*") if path.is_file() and path.name[0] != ".")


SLOW = """
import pathlib, sys, time
pathlib.Path("data.txt").write_text("changed")
pathlib.Path("made.txt").write_text("made")
print("begun", flush=True)
time.sleep(600)
"""


def begun(process: subprocess.Popen[bytes]) -> None:
    """Wait until the command itself has printed its line."""
    assert process.stderr is not None
    while b"begun" not in process.stderr.readline():
        assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupted_it_leaves_the_files_as_they_were(
    project: Project, number: int, jobs: str
) -> None:
    project.commit(train_py=SLOW, data_txt="first")
    before = files(project.folder)
    with subprocess.Popen(
        project.command("verify", "--jobs", jobs, "--", "python", "train.py"),
        cwd=project.folder,
        env=project.environ,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        if jobs == "1":
            begun(process)
        else:
            time.sleep(3)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        status = process.wait(60)

    assert status in (130, 143)
    assert files(project.folder) == before
    assert not names(project.folder / ".repro" / "work")
    assert not names(project.folder / ".repro" / "verifications")


def test_killed_it_loses_nothing_and_refuses_to_go_on_before_the_files_are_back(
    project: Project,
) -> None:
    project.commit(train_py=SLOW, data_txt="first")
    before = files(project.folder)
    with subprocess.Popen(
        project.command("verify", "--", "python", "train.py"),
        cwd=project.folder,
        env=project.environ,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        begun(process)
        os.killpg(process.pid, signal.SIGKILL)
    assert files(project.folder) != before

    refused = project.repro("verify", "--", "true")
    restored = project.repro("verify", "--restore")
    again = project.repro("verify", "--restore")

    assert refused.returncode == 2
    assert "repro verify --restore" in refused.stderr
    assert restored.returncode == 0
    assert files(project.folder) == before
    kept = project.folder / ".repro" / "verifications"
    assert {path.read_text() for path in kept.rglob("*.txt")} == {"changed", "made"}
    assert "left" in restored.stdout
    assert again.stdout == "nothing to put back\n"


def test_killed_at_any_moment_the_first_files_can_be_had_again(project: Project) -> None:
    project.commit(train_py=TRAIN + "pathlib.Path('data.txt').write_text('x')\n", data_txt="first")
    before = files(project.folder)
    for moment in range(12):
        with subprocess.Popen(
            project.command("verify", "-n", "9", "--", "python", "train.py"),
            cwd=project.folder,
            env=project.environ,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            time.sleep(0.15 + 0.12 * moment)
            os.killpg(process.pid, signal.SIGKILL)
        restored = project.repro("verify", "--restore")
        assert restored.returncode == 0, restored.stderr
        assert files(project.folder) == before

    assert verified(project, "--", "python", "train.py")["verdict"] == "identical bytes"


def test_ctrl_c_at_any_moment_leaves_the_files_as_they_were(project: Project) -> None:
    project.commit(train_py=TRAIN + "pathlib.Path('data.txt').write_text('x')\n", data_txt="first")
    before = files(project.folder)
    interrupted = 0
    for moment in range(12):
        with subprocess.Popen(
            project.command("verify", "-n", "200", "--", "python", "train.py"),
            cwd=project.folder,
            env=project.environ,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            time.sleep(0.25 + 0.09 * moment)
            os.killpg(process.pid, signal.SIGINT)
            interrupted += process.wait(60) == 130
        assert files(project.folder) == before

    assert interrupted >= 10  # at the first moments Python itself may be interrupted
    assert project.repro("verify", "--restore").stdout == "nothing to put back\n"


def test_gc_forgets_a_verify_with_its_runs_and_not_before(project: Project) -> None:
    project.commit(train_py=TRAIN)
    verified(project, "-n", "2", "--", "python", "train.py")
    kept = project.folder / ".repro" / "verifications"

    project.repro("gc")
    assert names(kept)
    project.repro("gc", "--keep", "0")

    assert not names(kept)
    assert not names(project.folder / ".repro" / "runs")


def test_outputs_with_the_same_bytes_take_the_room_of_one(project: Project) -> None:
    project.commit(train_py=TRAIN)

    answer = verified(project, "-n", "3", "--", "python", "train.py")

    runs = [project.folder / ".repro" / "runs" / one["run"] for one in answer["attempts"]]
    assert len({(run / "outputs/out/metrics.json").stat().st_ino for run in runs}) == 1


def test_two_attempts_can_be_compared_and_replayed_like_runs(project: Project) -> None:
    project.commit(train_py=ENTROPY)
    answer = verified(project, "-n", "2", "--", "python", "train.py", status=1)

    a, b = (one["run"] for one in answer["attempts"])
    diff = project.repro("diff", a, b)

    assert diff.returncode == 1
    assert "out/metrics.json: loss" in diff.stdout  # their files are still there
