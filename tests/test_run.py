"""`repro run`: what it passes on, and what its record says."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Project

SPEAK = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"


def test_output_and_status_are_passed_on_and_kept(project: Project) -> None:
    done = project.repro("run", "--", "python", "-c", SPEAK)

    folder = next((project.folder / ".repro" / "runs").iterdir())
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert "err\n" in done.stderr
    assert (folder / "stdout.log").read_text() == "out\n"
    assert (folder / "stderr.log").read_text() == "err\n"
    record = project.record()
    assert record["observation"]["exit_status"] == 3
    assert [log["sha256"] for log in record["observation"]["logs"]] == [
        hashlib.sha256(text).hexdigest() for text in (b"out\n", b"err\n")
    ]


def test_a_signal_is_a_status_as_in_a_shell(project: Project) -> None:
    done = project.repro("run", "--", "sh", "-c", "kill -TERM $$")

    assert done.returncode == 128 + signal.SIGTERM


def test_the_command_runs_under_the_settings(project: Project) -> None:
    code = "import os, random; print(os.environ['PYTHONHASHSEED'], random.random())"

    done = project.repro("run", "--", "python", "-c", code)

    assert done.stdout == "0 0.6394267984578837\n"  # of random.Random(42)
    definition = project.record()["definition"]
    assert (definition["seed"], definition["variables"]["PYTHONHASHSEED"]) == (42, "0")
    assert definition["knobs"]["values"]["REPRO_SEED"] == "42"


def test_another_seed_stands_in_the_record_and_draws_otherwise(project: Project) -> None:
    code = "import random; print(random.random())"

    done = project.repro("run", "--seed", "7", "--", "python", "-c", code)

    assert done.stdout == "0.32383276483316237\n"  # of random.Random(7)
    assert project.record()["definition"]["seed"] == 7


@pytest.mark.parametrize("value", ["-1", "x", "4294967296", ""])
@pytest.mark.parametrize("as_option", [True, False])
def test_a_bad_seed_runs_nothing(project: Project, value: str, as_option: bool) -> None:
    if as_option:
        done = project.repro("run", f"--seed={value}", "--", "touch", "made")
    else:
        done = project.repro("run", "--", "touch", "made", REPRO_SEED=value, PYTHONHASHSEED="0")

    assert done.returncode == 2
    assert "REPRO_SEED" in done.stderr
    assert not (project.folder / "made").exists()


def test_the_environment_s_seed_is_taken_too(project: Project) -> None:
    record = project.run("--", "true", REPRO_SEED="8", PYTHONHASHSEED="0")

    assert record["definition"]["seed"] == 8


def test_outputs_are_what_the_command_made_or_changed(project: Project) -> None:
    for name in ("kept", "changed", "deleted", "ignored.log"):
        project.write(name, name)
    project.write(".gitignore", "*.log")

    record = project.run(
        "--", "sh", "-c", "echo 1 > a; echo 2 > changed; echo 3 > ignored.log; rm deleted"
    )

    assert [file["path"] for file in record["outputs"]] == ["a", "changed", "ignored.log"]
    assert record["outputs"][0]["sha256"] == hashlib.sha256(b"1\n").hexdigest()
    assert record["deleted"] == ["deleted"]


def test_a_file_that_is_written_again_with_the_same_bytes_is_an_output(project: Project) -> None:
    project.write("same", "1\n")

    record = project.run("--", "sh", "-c", "echo 1 > same; touch -d 2000-01-01 same")

    assert [file["path"] for file in record["outputs"]] == ["same"]


def test_outputs_are_what_out_names(project: Project) -> None:
    record = project.run(
        "--out",
        "results",
        "--out",
        "b",
        "--",
        "sh",
        "-c",
        "mkdir results; echo 1 | tee a b results/c",
    )

    assert [file["path"] for file in record["outputs"]] == ["results/c", "b"]


def test_an_output_that_is_not_made_is_named(project: Project) -> None:
    done = project.repro("run", "--out", "model.pt", "--", "true")

    assert done.returncode == 0
    assert "model.pt" in done.stderr
    assert project.record()["missing"] == ["model.pt"]


def test_caches_of_tools_are_no_outputs(project: Project) -> None:
    project.write("mine.py", "")

    record = project.run("--", "python", "-c", "import mine", PYTHONDONTWRITEBYTECODE="")

    assert (project.folder / "__pycache__").exists()
    assert record["outputs"] == []


def test_the_manifest_is_one_for_sha256sum(project: Project) -> None:
    project.run(
        "--",
        "sh",
        "-c",
        'echo 1 > a; echo 2 > "b c"; echo 3 > "$(printf "new\\nline")"; echo 4 > "back\\slash"',
    )

    manifest = next((project.folder / ".repro" / "runs").iterdir()) / "outputs.sha256"
    check = ["sha256sum", "--check", "--strict", str(manifest)]
    assert (
        subprocess.run(check, cwd=project.folder, capture_output=True, check=False).returncode == 0
    )
    project.write("b c", "other")
    assert (
        subprocess.run(check, cwd=project.folder, capture_output=True, check=False).returncode == 1
    )


def test_inputs_are_digested_file_by_file(project: Project) -> None:
    project.write("data/a", "1")
    project.write("data/sub/b", "2")
    project.write("single", "3")

    record = project.run("--in", "data", "--in", "single", "--", "true")

    lines = [
        f"{hashlib.sha256(text).hexdigest()}  {name}\n"
        for name, text in (("data/a", b"1"), ("data/sub/b", b"2"))
    ]
    assert [file["path"] for file in record["inputs"]] == ["data/a", "data/sub/b", "single"]
    assert record["definition"]["inputs"][0] == {
        "path": "data",
        "digest": hashlib.sha256("".join(lines).encode()).hexdigest(),
        "files": 2,
        "size_bytes": 2,
    }


def test_links_among_inputs_count_as_what_they_lead_to(project: Project, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_text("1")
    (project.folder / "data").mkdir()
    (project.folder / "data" / "folder").symlink_to(tmp_path / "elsewhere")
    (project.folder / "data" / "loop").symlink_to(project.folder / "data")

    record = project.run("--in", "data", "--", "true")

    assert [(file["path"], file["kind"]) for file in record["inputs"]] == [
        ("data/folder/x", "file")
    ]
    assert record["inputs"][0]["sha256"] == hashlib.sha256(b"1").hexdigest()


def test_a_missing_input_runs_nothing(project: Project) -> None:
    done = project.repro("run", "--in", "nowhere", "--", "touch", "made")

    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr
    assert not (project.folder / "made").exists()
    assert project.repro("list", "--json").stdout == "[]\n"
    assert project.git("for-each-ref") == ""


def test_an_input_that_the_command_changes_is_named(project: Project) -> None:
    project.write("data", "1")

    done = project.repro("run", "--in", "data", "--", "sh", "-c", "echo 2 > data")

    assert "data was changed during the run" in done.stderr


def test_parameters_are_recorded_and_handed_over(project: Project) -> None:
    done = project.repro(
        "run",
        "--param",
        "rate=0.1",
        "--param",
        "name=a=b c",
        "--",
        "sh",
        "-c",
        'echo "$REPRO_PARAM_rate $REPRO_PARAM_name"',
    )

    assert done.stdout == "0.1 a=b c\n"
    assert project.record()["definition"]["parameters"] == {"rate": "0.1", "name": "a=b c"}


@pytest.mark.parametrize("word", ["rate", "=1", "a b=1", "0a=1", "api_key=1", "apiKey=1"])
def test_what_is_no_parameter_is_refused(project: Project, word: str) -> None:
    done = project.repro("run", "--param", word, "--", "touch", "made")

    assert done.returncode == 2
    assert "--param" in done.stderr
    assert not (project.folder / "made").exists()


def test_a_command_that_is_not_there_leaves_no_run(project: Project) -> None:
    project.commit(a_txt="1")

    done = project.repro("run", "--", "no-such-program")

    assert done.returncode == 2
    assert "no-such-program" in done.stderr
    assert project.repro("list", "--json").stdout == "[]\n"
    assert project.git("for-each-ref", "refs/repro") == ""


def test_no_command_is_refused(project: Project) -> None:
    assert project.repro("run").returncode == 2
    assert project.repro("run", "--").returncode == 2


def test_the_exact_code_is_kept(project: Project) -> None:
    project.commit(train_py="print(1)", other_py="")
    project.write("train.py", "print(2)")
    project.write("new.py", "print(3)")
    before = project.git("status", "--porcelain"), (project.folder / ".git" / "index").read_bytes()

    code = project.run("--", "python", "train.py")["definition"]["code"]

    assert code["is_dirty"]
    assert project.git("cat-file", "-p", f"{code['tree']}:train.py") == "print(2)"
    assert project.git("cat-file", "-p", f"{code['tree']}:new.py") == "print(3)"
    assert code["commit"] == project.git("rev-parse", "HEAD").strip()
    assert (
        project.git("status", "--porcelain"),
        (project.folder / ".git" / "index").read_bytes(),
    ) == before


def test_without_git_the_record_says_so(project: Project) -> None:
    subprocess.run(["rm", "-r", project.folder / ".git"], check=True)

    code = project.run("--", "true")["definition"]["code"]

    assert code["status"] == "unavailable"
    assert "git" in code["reason"]


def test_a_run_in_a_folder_below_is_one_of_the_project(project: Project) -> None:
    project.write("below/a", "1")

    project.repro("run", "--", "touch", "made", folder="below")

    record = project.record()
    assert record["definition"]["folder"] == "below"
    assert [file["path"] for file in record["outputs"]] == ["made"]
    assert not (project.folder / "below" / ".repro").exists()


def test_knobs_are_read_back_at_start_and_end_and_changes_are_named(project: Project) -> None:
    project.write(
        "change.py", "import os\nos.environ['TZ'] = 'Asia/Tokyo'\nimport time; time.tzset()\n"
    )

    done = project.repro("run", "--", "python", "change.py")

    process = project.record()["observation"]["processes"][0]
    named = {one["name"]: one for one in process["changes"]}
    assert process["variables_at_start"]["TZ"] == "UTC"
    assert process["variables_at_end"]["TZ"] == "Asia/Tokyo"
    assert named["TZ"] == {
        "name": "TZ",
        "was": "UTC",
        "now": "Asia/Tokyo",
        "where": f"{project.folder}/change.py:2",
    }
    assert "TZ" in done.stderr


def test_a_healthy_process_has_no_changes_and_no_notes(project: Project) -> None:
    record = project.run("--", "python", "-c", "import random")

    assert record["observation"]["processes"][0]["changes"] == []
    assert record["observation"]["notes"] == []


def test_a_python_without_the_hook_is_named(project: Project) -> None:
    done = project.repro("run", "--", "/usr/bin/python3", "-c", "import time; time.sleep(0.2)")

    assert "/usr/bin/python3 has no hook" in done.stderr


def test_nothing_secret_enters_the_record(project: Project) -> None:
    secrets = [
        "s3cr3t-of-variable",
        "s3cr3t-of-option",
        "s3cr3t-of-url",
        "s3cr3t-of-shell",
        "s3cr3t-of-file",
        "s3cr3t-of-remote",
    ]
    project.git("remote", "add", "origin", f"https://me:{secrets[5]}@example.org/x.git")
    project.commit(a_txt="1")
    project.write(".env", f"KEY={secrets[4]}")

    project.run(
        "--reason",
        f"with {secrets[0]}",
        "--",
        "python",
        "-c",
        "pass",
        f"--x={secrets[0]}",
        "--api-key",
        secrets[1],
        f"https://me:{secrets[2]}@example.org",
        f"TOKEN={secrets[3]} run",
        MY_TOKEN=secrets[0],
        OTHER=secrets[0] + "x",
    )

    text = (next((project.folder / ".repro" / "runs").iterdir()) / "run.json").read_text()
    assert [secret for secret in secrets if secret in text] == []
    assert project.record()["definition"]["hidden"] == [3, 5, 6, 7]
    assert ".env" not in project.git(
        "ls-tree", "-r", "--name-only", project.record()["definition"]["code"]["tree"]
    )


def test_names_of_any_bytes_are_kept(project: Project) -> None:
    name = os.fsdecode(b"latin-\xe9 two\nlines")

    record = project.run(
        "--in", ".", "--", "python", "-c", "import sys; open(sys.argv[1], 'w')", name
    )

    assert [file["path"] for file in record["outputs"]] == [r"latin-\xe9 two\x0alines"]
    assert record["definition"]["command"][-1] == r"latin-\xe9 two\x0alines"


@pytest.mark.parametrize(
    ("said", "kept"), [(r"\x1b[2J\n", r"\x1b[2J\x0a"), (r"\udce9", r"\xe9"), (r"\\", "\\")]
)
def test_what_a_program_says_of_itself_can_not_make_its_record_unreadable(
    project: Project, said: str, kept: str
) -> None:
    code = f"""
import sys, types
sys.modules["torch"] = types.ModuleType("torch")
sys.modules["torch"].__version__ = "{said}"
"""

    record = project.run("--", "python", "-c", code)

    assert record["observation"]["processes"][0]["libraries"] == {"torch": kept}


def test_special_files_are_named_and_not_opened(project: Project) -> None:
    code = """
import os, socket
os.mkfifo("pipe")
os.symlink("loop", "loop")
socket.socket(socket.AF_UNIX).bind("socket")
"""

    record = project.run("--", "python", "-c", code)

    kinds = {file["path"]: file["kind"] for file in record["outputs"]}
    assert kinds == {"loop": "link", "pipe": "special", "socket": "special"}


def test_ten_thousands_of_outputs_are_kept(project: Project) -> None:
    code = (
        "import os\nos.mkdir('many')\nfor n in range(20_000): open(f'many/{n}', 'w').write(str(n))"
    )

    record = project.run("--", "python", "-c", code)

    assert len(record["outputs"]) == 20_000
    assert record["outputs"][-1] == {
        **record["outputs"][-1],
        "path": "many/9999",
        "sha256": hashlib.sha256(b"9999").hexdigest(),
    }


def test_a_read_only_folder_is_refused_before_anything_runs(project: Project) -> None:
    if os.geteuid() == 0:
        # Root may write anywhere but below a file.
        project.write(".repro", "")
    else:
        project.folder.chmod(0o555)

    done = project.repro("run", "--", "sh", "-c", "echo made > /dev/stderr")

    project.folder.chmod(0o755)
    assert done.returncode == 2
    assert ".repro" in done.stderr
    assert "made\n" not in done.stderr.splitlines()


def test_two_runs_at_once_have_records_of_their_own_and_say_so(project: Project) -> None:
    script = "echo started; sleep 1; touch made-$$"

    command = ("run", "--", "sh", "-c", script)
    with (
        project.started(*command, stderr=subprocess.PIPE) as first,
        project.started(*command, stderr=subprocess.PIPE) as second,
    ):
        said = [process.communicate(timeout=60)[1] for process in (first, second)]

    listed = json.loads(project.repro("list", "--json").stdout)
    assert [one["state"] for one in listed] == ["complete", "complete"]
    assert all(b"was under way in this project" in text for text in said)


def test_runs_one_after_the_other_say_nothing_of_each_other(project: Project) -> None:
    project.run("--", "true")

    assert project.run("--", "true")["observation"]["notes"] == []


def test_ctrl_c_ends_the_command_and_the_record_is_complete(project: Project) -> None:
    with project.started("run", "--", "sh", "-c", "echo started; exec sleep 60") as process:
        os.killpg(process.pid, signal.SIGINT)
        status = process.wait(30)

    assert status == 128 + signal.SIGINT
    assert project.record()["observation"]["exit_status"] == 128 + signal.SIGINT


def test_sigterm_reaches_the_command(project: Project) -> None:
    script = "trap 'exit 5' TERM; echo started; while :; do sleep 0.1; done"

    with project.started("run", "--", "sh", "-c", script) as process:
        process.terminate()
        status = process.wait(30)

    assert status == 5


def test_output_comes_live(project: Project) -> None:
    script = "echo first; read -r line; echo $line"

    with project.started("run", "--", "sh", "-c", script, stdin=subprocess.PIPE) as process:
        said, _ = process.communicate(b"second\n", timeout=30)

    assert said == b"second\n"
    assert process.returncode == 0


def test_on_a_terminal_the_command_has_one(project: Project) -> None:
    ours, theirs = pty.openpty()
    command = project.command(
        "run", "--", "python", "-c", "import sys; print(sys.stdout.isatty(), sys.stderr.isatty())"
    )

    with subprocess.Popen(
        command, cwd=project.folder, env=project.environ, stdout=theirs, stderr=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        said = os.read(ours, 1000)
    os.close(ours)

    assert process.returncode == 0
    assert said == b"True False\r\n"


def test_who_reads_no_more_ends_the_command_as_in_a_shell(project: Project) -> None:
    with project.started("run", "--", "yes") as process:
        assert process.stdout is not None
        process.stdout.close()
        status = process.wait(30)

    assert status == 128 + signal.SIGPIPE


def test_what_is_left_in_the_background_is_waited_for_and_recorded(project: Project) -> None:
    script = "(sleep 2.5; echo late; echo 1 > made) & echo early"

    done = project.repro("run", "--", "sh", "-c", script)

    assert done.stdout == "early\nlate\n"
    assert "left running" in done.stderr
    assert [file["path"] for file in project.record()["outputs"]] == ["made"]


def test_waiting_for_the_background_ends_with_ctrl_c(project: Project) -> None:
    script = "sleep 60 & echo $! > pid; echo started"

    with project.started("run", "--", "sh", "-c", script, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()  # that it waits
        process.send_signal(signal.SIGINT)
        status = process.wait(30)

    os.kill(int((project.folder / "pid").read_text()), signal.SIGKILL)
    assert status == 0


def test_a_hang_up_under_nohup_ends_nothing(project: Project) -> None:
    script = "echo started; sleep 1; echo survived > made"
    command = ["nohup", *project.command("run", "--", "sh", "-c", script)]

    with subprocess.Popen(
        command, cwd=project.folder, env=project.environ, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        status = process.wait(30)

    assert status == 0
    assert (project.folder / "made").exists()


def test_a_hang_up_reaches_the_command_otherwise(project: Project) -> None:
    with project.started("run", "--", "sh", "-c", "echo started; exec sleep 60") as process:
        process.send_signal(signal.SIGHUP)
        status = process.wait(30)

    assert status == 128 + signal.SIGHUP


def test_the_launcher_s_image_digest_enters_the_record_or_is_refused(project: Project) -> None:
    done = project.repro("run", "--", "true", REPRO_IMAGE_DIGEST="latest")

    assert done.returncode == 2
    assert "REPRO_IMAGE_DIGEST='latest'" in done.stderr


def test_the_machine_is_in_the_record(project: Project) -> None:
    host = project.run("--", "true")["observation"]["host"]

    assert host["cpus"] <= len(os.sched_getaffinity(0))
    assert host["cpuset"] == sorted(os.sched_getaffinity(0))
    assert "sse2" in host["cpu_features"]
    assert host["kernel"] == os.uname().release
