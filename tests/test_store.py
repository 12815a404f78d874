"""Runs on the disk: found by name, interrupted at any moment, removed."""

from __future__ import annotations

import json
import os
import pty
import random
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from repro_env.errors import RecordError
from repro_env.runs import store
from tests.conftest import Project


def test_runs_are_listed_with_what_became_of_them(project: Project) -> None:
    project.repro("run", "--reason", "first", "--", "true")
    project.repro("run", "--", "sh", "-c", "exit 3")

    listed = json.loads(project.repro("list", "--json").stdout)

    assert [
        (one["state"], one["exit_status"], one["reason"], one["command"]) for one in listed
    ] == [
        ("complete", 0, "first", ["true"]),
        ("complete", 3, "", ["sh", "-c", "exit 3"]),
    ]


def test_a_run_is_found_by_id_prefix_last_and_path(project: Project) -> None:
    project.run("--", "true")
    first = project.record()["id"]
    project.run("--", "true")
    second = project.record()["id"]

    names = {
        first: first,
        first[:-1]: first,
        "last": second,
        f".repro/runs/{first}": first,
        f".repro/runs/{first}/run.json": first,
    }
    assert {name: project.record(name)["id"] for name in names} == names


@pytest.mark.parametrize("name", ["nothing", "", "2026", "./nothing/run.json", "../x"])
def test_what_names_no_run_or_several_is_refused(project: Project, name: str) -> None:
    for _ in range(2):
        project.run("--", "true")

    done = project.repro("show", name if name != "2026" else project.record()["id"][:4])

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "what to do" in done.stderr


def test_the_store_stays_out_of_git(project: Project) -> None:
    project.run("--", "true")

    assert project.git("status", "--porcelain") == ""


def test_a_killed_run_is_interrupted_and_the_next_command_works(project: Project) -> None:
    """At twenty random moments; what is the user's stays as it was."""
    project.commit(mine_py="mine = 1")
    moments = random.Random(20261121)
    for number in range(20):
        command = project.command(
            "run", "--in", "mine.py", "--", "sh", "-c", f"echo {number} > out; sleep 0.2"
        )
        process = subprocess.Popen(
            command,
            cwd=project.folder,
            env=project.environ,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(0.02, 0.8))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

        listed = project.repro("list", "--json")
        assert listed.returncode == 0, listed.stderr
        assert {one["state"] for one in json.loads(listed.stdout)} <= {"complete", "interrupted"}
        assert project.git("status", "--porcelain", "mine.py") == ""
        assert not list((project.folder / ".git").rglob("*.lock"))

    states = [one["state"] for one in json.loads(listed.stdout)]
    assert "interrupted" in states
    assert project.repro("run", "--", "true").returncode == 0
    assert project.git("fsck", "--no-dangling") == ""


def test_a_run_under_way_says_so(project: Project) -> None:
    script = "echo started; read -r line"

    with project.started("run", "--", "sh", "-c", script, stdin=subprocess.PIPE) as process:
        during = json.loads(project.repro("list", "--json").stdout)
        removed = project.repro("gc", during[0]["id"])
        process.communicate(b"\n", timeout=30)

    assert during[0]["state"] == "running"
    assert removed.returncode == 2
    assert json.loads(project.repro("list", "--json").stdout)[0]["state"] == "complete"


def test_a_damaged_record_is_listed_and_hides_no_other(project: Project) -> None:
    project.run("--", "true")
    file = next((project.folder / ".repro" / "runs").iterdir()) / "run.json"
    file.write_bytes(file.read_bytes().replace(b'"true"', b'"trve"'))
    project.run("--", "true")

    listed = json.loads(project.repro("list", "--json").stdout)
    shown = project.repro("show", file.parent.name)

    assert sorted(one["state"] for one in listed) == ["complete", "unreadable"]
    assert shown.returncode == 2
    assert "is damaged" in shown.stderr


def test_gc_keeps_the_newest_and_takes_refs_along(project: Project) -> None:
    project.commit(a_txt="1")
    for number in range(3):
        project.write("a.txt", str(number))
        project.run("--", "true")
    ids = [one["id"] for one in json.loads(project.repro("list", "--json").stdout)]

    dry = json.loads(project.repro("gc", "--keep", "1", "--dry-run", "--json").stdout)
    done = json.loads(project.repro("gc", "--keep", "1", "--json").stdout)

    assert dry == {**done, "is_dry": True}
    assert done["runs"] == ids[:2]
    assert [one["id"] for one in json.loads(project.repro("list", "--json").stdout)] == ids[2:]
    assert (
        project.git("for-each-ref", "--format=%(refname)")
        == f"refs/heads/main\nrefs/repro/{ids[2]}\n"
    )


def test_gc_without_arguments_removes_no_run(project: Project) -> None:
    project.run("--", "touch", "made")

    assert project.repro("gc").stdout == "nothing to remove\n"
    assert len(json.loads(project.repro("list", "--json").stdout)) == 1


def test_gc_removes_named_and_old_runs(project: Project) -> None:
    project.run("--", "touch", "made")
    name = project.record()["id"]

    assert json.loads(project.repro("gc", "--older-than", "1", "--json").stdout)["runs"] == []
    assert json.loads(project.repro("gc", name, "--json").stdout)["runs"] == [name]
    assert (project.folder / "made").exists()


def test_gc_refuses_a_run_of_another_project(project: Project, tmp_path: Path) -> None:
    project.run("--", "touch", "made")
    name = project.record()["id"]
    elsewhere = tmp_path / "other" / ".repro" / "runs" / name
    shutil.copytree(project.folder / ".repro" / "runs" / name, elsewhere)

    done = project.repro("gc", elsewhere / "run.json")

    assert done.returncode == 2
    assert project.record()["id"] == name


@pytest.mark.parametrize(
    "option", [["--keep", "-1"], ["--keep", "x"], ["--older-than", "nan"], ["--older-than", "-1"]]
)
def test_gc_refuses_what_is_no_number(project: Project, option: list[str]) -> None:
    project.run("--", "true")

    assert project.repro("gc", *option).returncode == 2
    assert len(json.loads(project.repro("list", "--json").stdout)) == 1


def test_gc_leaves_refs_alone_that_another_work_tree_may_need(
    project: Project, tmp_path: Path
) -> None:
    project.commit(a_txt="1")
    project.git("worktree", "add", "-q", str(tmp_path / "second"))
    Project(tmp_path / "second", project.python).run("--", "true")
    project.run("--", "true")

    project.repro("gc")

    assert len(project.git("for-each-ref", "refs/repro").splitlines()) == 2


def test_a_store_that_can_t_be_made_is_refused() -> None:
    with pytest.raises(RecordError, match=r"can't be written"):
        store.Store(Path("/proc")).prepare()


def test_tables_heed_no_color_and_lines_hold_no_escapes(project: Project) -> None:
    project.run("--reason", "\x1b[2J[red]x[/red]", "--", "true")

    for arguments in (["list"], ["show", "last"], ["diff", "last", "last"]):
        assert "\x1b" not in project.repro(*arguments).stdout
    assert r"\x1b[2J[red]x[/red]" in project.repro("list").stdout


@pytest.mark.parametrize(("variables", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_has_colours_unless_no_color_is_set(
    project: Project, variables: dict[str, str], is_coloured: bool
) -> None:
    project.run("--", "true")
    ours, theirs = pty.openpty()

    with subprocess.Popen(
        project.command("list"),
        cwd=project.folder,
        env={**project.environ, "TERM": "xterm", **variables},
        stdout=theirs,
    ) as process:
        os.close(theirs)
        said = os.read(ours, 10_000)
    os.close(ours)

    assert process.returncode == 0
    assert (b"\x1b[32mcomplete" in said) == is_coloured
    assert b"complete" in said


def test_a_disk_that_fills_up_interrupts_the_record_and_not_the_command(project: Project) -> None:
    """Here by a limit on sizes of files; in tests/image on a disk that is really full."""
    code = "for n in range(300): open(f'made-{n}', 'w').write('x')"
    command = " ".join(map(shlex.quote, project.command("run", "--", "python", "-c", code)))
    limited = ["sh", "-c", f"ulimit -f 64; exec {command}"]  # 32 KiB

    done = subprocess.run(
        limited,
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "run.json' can't be written: File too large" in done.stderr
    assert len(list(project.folder.glob("made-*"))) == 300
    assert [one["state"] for one in json.loads(project.repro("list", "--json").stdout)] == [
        "interrupted"
    ]
    assert project.repro("run", "--", "true").returncode == 0


def test_files_of_the_code_that_differ_are_named(project: Project) -> None:
    project.write(".gitignore", "made")
    project.commit(train_py="a = 1", other_py="")
    project.run("--", "touch", "made")
    project.write("train.py", "a = 2")
    (project.folder / "other.py").unlink()
    project.run("--", "touch", "made")
    first = json.loads(project.repro("list", "--json").stdout)[0]["id"]

    answer = json.loads(project.repro("diff", "--json", first, "last").stdout)

    named = {one["path"]: one["text"] for one in answer["details"]}
    tree = next(one for one in answer["comparison"]["differences"] if one["what"] == "git tree")
    assert named == {"train.py": "changed", "other.py": "gone"}
    assert tree["can_change_bits"] == "yes"


def test_what_the_first_run_made_is_not_taken_for_other_code(project: Project) -> None:
    project.commit(train_py="a = 1")
    for text in "12":
        project.run("--", "sh", "-c", f"echo {text} > made")
    first = json.loads(project.repro("list", "--json").stdout)[0]["id"]

    answer = json.loads(project.repro("diff", "--json", first, "last").stdout)

    findings = {one["what"]: one["can_change_bits"] for one in answer["comparison"]["differences"]}
    assert findings["git tree"] == "unknown"
    assert [(one["path"], one["text"]) for one in answer["details"]] == [("made", "added")]
