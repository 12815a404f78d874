"""`repro replay` and `repro pack`: somebody's run, again."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repro_env.records import record
from tests.conftest import Project

TRAIN = """
import json, pathlib, random, sys
data = pathlib.Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else ""
pathlib.Path("metrics.json").write_text(json.dumps([random.random(), data]))
"""
CLOCK = "import pathlib, time\npathlib.Path('metrics.json').write_text(str(time.time_ns()))"


@pytest.fixture
def trained(project: Project) -> Project:
    """A project with one run, whose code has changed since."""
    project.write(".gitignore", "data\nmetrics.json\n")
    project.write("data/numbers", "1 2 3")
    project.commit(train_py=TRAIN)
    project.write("train.py", TRAIN + "# not committed\n")
    project.run("--in", "data", "--param", "rate=1", "--", "python", "train.py", "data/numbers")
    project.write("train.py", "raise SystemExit('the code of another day')")
    return project


def test_a_run_that_repeats_is_replayed_with_identical_bytes(trained: Project) -> None:
    was = trained.record()
    before = trained.git("status", "--porcelain"), (trained.folder / "metrics.json").read_text()

    done = trained.repro("replay", "last")

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "verdict: identical bytes")
    now = trained.record()
    assert now["observation"]["replays"] == [
        {"id": was["id"], "definition_digest": was["definition_digest"], "digest": was["digest"]}
    ]
    assert now["definition"] == was["definition"]
    assert (
        trained.git("status", "--porcelain"),
        (trained.folder / "metrics.json").read_text(),
    ) == before


def test_a_replay_of_a_replay_is_chained_to_both(trained: Project) -> None:
    first = trained.record()["id"]
    trained.repro("replay", "last")
    second = trained.record()["id"]

    assert trained.repro("replay", "last").returncode == 0

    assert [origin["id"] for origin in trained.record()["observation"]["replays"]] == [
        first,
        second,
    ]


def test_a_run_that_does_not_repeat_is_different(project: Project) -> None:
    project.commit(clock_py=CLOCK)
    project.run("--", "python", "clock.py")

    done = project.repro("replay", "last")

    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "verdict: different")
    assert "metrics.json" in done.stdout


def test_in_place_runs_the_code_that_is_there(trained: Project) -> None:
    done = trained.repro("replay", "last", "--in-place")

    assert done.returncode == 1
    assert "the code of another day" in done.stderr
    assert "git tree" in done.stdout


def test_another_input_is_refused_before_anything_runs(trained: Project) -> None:
    trained.write("data/numbers", "1 2 4")
    runs = trained.repro("list", "--json").stdout

    done = trained.repro("replay", "last")

    assert done.returncode == 2
    assert "data/numbers is not what it was" in done.stderr
    assert trained.repro("list", "--json").stdout == runs


def test_a_renamed_input_is_refused(trained: Project) -> None:
    (trained.folder / "data" / "numbers").rename(trained.folder / "data" / "other")

    assert trained.repro("replay", "last").returncode == 2


def test_the_copy_has_the_recorded_inputs_and_no_others(trained: Project) -> None:
    trained.write("data/more", "")

    assert trained.repro("replay", "last").returncode == 0
    folder = Path(trained.record()["observation"]["working_folder"])
    assert [file.name for file in (folder / "data").iterdir()] == ["numbers"]


def test_inputs_beside_the_code_are_copied(project: Project) -> None:
    project.write(".gitignore", "*.csv")
    project.write("data/large.csv", "1")
    project.write("data/README", "what it is")
    project.commit(train_py=TRAIN)
    project.run("--in", "data", "--", "python", "train.py", "data/large.csv")

    assert project.repro("replay", "last").returncode == 0


def test_a_replay_writes_into_copies_of_the_inputs(project: Project) -> None:
    project.write(".gitignore", "data")
    project.write("data/cache", "mine")
    project.commit(train_py="open('data/cache', 'a').write('!'); open('made', 'w')")
    project.run("--in", "data", "--out", "made", "--", "python", "train.py")
    project.write("data/cache", "mine")

    project.repro("replay", "last")

    assert (project.folder / "data" / "cache").read_text() == "mine"


def test_inputs_beside_the_project_are_copied_beside_the_copy(trained: Project) -> None:
    (trained.folder.parent / "shared").mkdir()
    (trained.folder.parent / "shared" / "numbers").write_text("7")
    trained.write("train.py", TRAIN)
    trained.run("--in", "../shared", "--", "python", "train.py", "../shared/numbers")

    assert trained.repro("replay", "last").returncode == 0


def test_a_link_of_the_code_that_leads_out_is_not_written_through(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (project.folder / "results").symlink_to(tmp_path / "outside")
    project.commit(train_py="open('results/m', 'w').write('made')")
    project.run("--out", "results", "--", "python", "train.py")
    (tmp_path / "outside" / "m").write_text("mine")

    done = project.repro("replay", "last")

    assert done.returncode == 2
    assert (tmp_path / "outside" / "m").read_text() == "mine"


def test_code_that_asks_git_does_not_find_the_project(project: Project) -> None:
    project.commit(train_py="import subprocess; open('x', 'w').write('')")
    command = "git rev-parse --show-toplevel > top 2>/dev/null; true"
    project.run("--out", "top", "--", "sh", "-c", command)

    project.repro("replay", "last")

    top = Path(project.record()["observation"]["working_folder"], "top")
    assert top.read_text() == ""


def test_a_replay_can_be_packed_and_outlives_the_first_run(trained: Project) -> None:
    first = trained.record()["id"]
    trained.repro("replay", "last")
    trained.repro("gc", first)
    trained.git("gc", "--quiet", "--prune=now")

    assert trained.repro("replay", "last").returncode == 0
    assert trained.repro("pack", "last").returncode == 0


def test_a_failed_replay_leaves_no_copy(trained: Project) -> None:
    trained.write("data/numbers", "other")

    assert trained.repro("replay", "last").returncode == 2
    assert list((trained.folder / ".repro" / "work").iterdir()) == []


def test_what_the_code_s_tree_lacks_is_in_the_forecast(project: Project) -> None:
    project.commit(train_py=TRAIN)
    project.write("large.bin", "x" * (11 * 2**20))
    done = project.repro("run", "--out", "metrics.json", "--", "python", "train.py")

    forecast = project.repro("replay", "last", "--dry-run")

    assert "large.bin is not kept" in done.stderr
    assert forecast.returncode == 1
    assert "large.bin" in forecast.stderr


def test_in_place_the_forecast_looks_at_the_code_that_is_there(trained: Project) -> None:
    done = trained.repro("replay", "last", "--in-place", "--dry-run")

    assert done.returncode == 1
    assert "git tree" in done.stderr
    assert len(trained.git("for-each-ref", "refs/repro").splitlines()) == 1


def test_a_missing_input_is_refused(trained: Project) -> None:
    (trained.folder / "data" / "numbers").unlink()
    (trained.folder / "data").rmdir()

    done = trained.repro("replay", "last")

    assert done.returncode == 2
    assert "data is not here" in done.stderr


def test_the_recorded_knobs_are_set_again(project: Project) -> None:
    project.commit(train_py=TRAIN)
    project.run("--seed", "7", "--", "python", "train.py")

    done = project.repro("replay", "last", REPRO_SEED="8", PYTHONHASHSEED="0")

    assert done.returncode == 0, done.stdout
    assert project.record()["definition"]["seed"] == 7


def test_the_forecast_names_what_differs_here(trained: Project) -> None:
    file = next((trained.folder / ".repro" / "runs").iterdir()) / "run.json"
    plain = json.loads(file.read_text())
    plain["observation"]["host"]["cpu_features"].append("avx1024")
    plain["observation"]["host"]["cpus"] = 96
    _write(file, plain)

    done = trained.repro("replay", "last", "--dry-run", "--json")

    forecast = {one["what"]: one for one in json.loads(done.stdout)["forecast"]}
    assert done.returncode == 1
    assert (forecast["CPU features"]["was"], forecast["CPU features"]["now"]) == ("avx1024", "none")
    assert forecast["CPUs"]["was"] == "96.0"
    assert {one["can_change_bits"] for one in forecast.values()} == {"yes"}
    assert len(json.loads(trained.repro("list", "--json").stdout)) == 1


def test_under_the_profile_portable_another_cpu_is_named_and_the_bits_can_match(
    project: Project,
) -> None:
    project.commit(train_py=TRAIN)
    project.run("--profile", "portable", "--", "python", "train.py")
    file = next((project.folder / ".repro" / "runs").iterdir()) / "run.json"
    plain = json.loads(file.read_text())
    plain["observation"]["host"]["cpu_features"].append("avx1024")
    plain["observation"]["host"].update(cpus=96, cpu_model="Another CPU")
    _write(file, plain)

    done = project.repro("replay", "last", "--dry-run", "--json")
    said = project.repro("replay", "last", "--dry-run").stderr

    forecast = {one["what"]: one["can_change_bits"] for one in json.loads(done.stdout)["forecast"]}
    assert done.returncode == 0
    assert forecast == {"CPU model": "no", "CPUs": "no", "CPU features": "no"}
    assert "the same here, or alike:" in said
    assert "CPU model: Another CPU there" in said
    assert "the profile portable has libraries compute alike on all CPUs with AVX2" in said


def test_the_profile_portable_can_not_be_kept_without_avx2(project: Project) -> None:
    project.commit(train_py=TRAIN)
    project.run("--profile", "portable", "--", "python", "train.py")
    file = next((project.folder / ".repro" / "runs").iterdir()) / "run.json"
    plain = json.loads(file.read_text())
    plain["observation"]["host"]["cpu_features"].remove("avx2")
    _write(file, plain)

    done = project.repro("replay", "last", "--dry-run", "--json")

    forecast = {one["what"]: one["can_change_bits"] for one in json.loads(done.stdout)["forecast"]}
    assert done.returncode == 1
    assert forecast == {"CPU features": "yes"}


def test_where_nothing_differs_the_bits_can_match(trained: Project) -> None:
    done = trained.repro("replay", "last", "--dry-run")

    assert done.returncode == 0
    assert "is the same here" in done.stderr


def test_an_interrupted_run_can_t_be_replayed(trained: Project) -> None:
    file = next((trained.folder / ".repro" / "runs").iterdir()) / "run.json"
    _write(file, {**json.loads(file.read_text()), "state": "running"})

    done = trained.repro("replay", "last")

    assert done.returncode == 2
    assert "is interrupted" in done.stderr


def test_without_code_only_the_folder_itself_is_left(project: Project) -> None:
    (project.folder / ".git").rename(project.folder.parent / "git")
    project.write("train.py", TRAIN)
    project.run("--", "python", "train.py")

    assert project.repro("replay", "last").returncode == 2
    assert project.repro("replay", "last", "--in-place").returncode == 0


def test_outputs_outside_are_not_overwritten(project: Project, tmp_path: Path) -> None:
    project.commit(train_py=TRAIN)
    target = tmp_path / "target"
    project.run("--out", target, "--", "touch", target)
    target.write_text("mine")

    done = project.repro("replay", "last")

    assert (done.returncode, target.read_text()) == (2, "mine")
    assert "--in-place" in done.stderr


def test_a_missing_secret_is_asked_for(project: Project) -> None:
    project.commit(train_py=TRAIN)
    project.run("--", "python", "-c", "pass", "--token", "abcdef")
    project.run("--", "python", "-c", "pass", "abcdefgh", MY_TOKEN="abcdefgh")
    first, second = (one["id"] for one in json.loads(project.repro("list", "--json").stdout))

    assert "argument 4" in project.repro("replay", first).stderr
    assert (
        project.repro("replay", first, "--", "python", "-c", "pass", "--token", "abcdef").returncode
        == 0
    )
    assert "MY_TOKEN" in project.repro("replay", second).stderr
    assert project.repro("replay", second, MY_TOKEN="abcdefgh").returncode == 0


# ---- another machine


@pytest.fixture
def other(trained: Project, tmp_path: Path) -> Project:
    """Another machine: a folder without any of it."""
    folder = tmp_path / "other"
    folder.mkdir()
    return Project(folder, trained.python)


def packed(project: Project, target: Path, *options: str) -> str:
    done = project.repro("pack", "last", "--output", target, *options)
    assert done.returncode == 0, done.stderr
    return str(target)


def test_an_archive_is_replayed_elsewhere(trained: Project, other: Project, tmp_path: Path) -> None:
    archive = packed(trained, tmp_path / "it.repro.tar", "--with-inputs")

    done = other.repro("replay", archive)

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "verdict: identical bytes"), (
        done.stderr
    )
    assert [file.name for file in other.folder.iterdir()] == [".repro"]


def test_without_its_inputs_an_archive_needs_those_of_the_other_machine(
    trained: Project, other: Project, tmp_path: Path
) -> None:
    archive = packed(trained, tmp_path / "it.repro.tar")

    assert other.repro("replay", archive).returncode == 2
    other.write("data/numbers", "1 2 3")
    assert other.repro("replay", archive).returncode == 0


def test_an_archive_is_the_same_each_time_and_never_overwritten(
    trained: Project, tmp_path: Path
) -> None:
    archives = [
        packed(trained, tmp_path / name, "--with-inputs") for name in ("a.repro.tar", "b.repro.tar")
    ]

    done = trained.repro("pack", "last", "--output", archives[0])

    assert Path(archives[0]).read_bytes() == Path(archives[1]).read_bytes()
    assert done.returncode == 2
    assert "is there already" in done.stderr


def test_packing_touches_no_file_of_a_similar_name(trained: Project, tmp_path: Path) -> None:
    part = tmp_path / "it.repro.tar.part"
    part.write_text("mine")

    packed(trained, tmp_path / "it.repro.tar")

    assert part.read_text() == "mine"
    assert {file.name for file in tmp_path.glob("*repro.tar*")} == {"it.repro.tar", part.name}


def test_inputs_that_have_changed_are_not_packed(trained: Project, tmp_path: Path) -> None:
    trained.write("data/numbers", "4")

    done = trained.repro("pack", "last", "--with-inputs", "--output", tmp_path / "x.repro.tar")

    assert done.returncode == 2
    assert list(tmp_path.glob("*.tar*")) == []


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


HOSTILE = [
    pytest.param(member("../escaped"), id="dots"),
    pytest.param(member("/tmp/escaped"), id="absolute"),
    pytest.param(member("inputs/../../escaped"), id="dots inside"),
    pytest.param(member("inputs/" + "0" * 64, tarfile.SYMTYPE, "/etc/passwd"), id="symbolic link"),
    pytest.param(member("inputs/" + "0" * 64, tarfile.LNKTYPE, "run.json"), id="hard link"),
    pytest.param(member("inputs/" + "0" * 64, tarfile.CHRTYPE), id="device"),
    pytest.param(member("inputs/" + "0" * 64, tarfile.FIFOTYPE), id="pipe"),
    pytest.param(member("inputs", tarfile.DIRTYPE), id="folder"),
    pytest.param(member("run.json"), id="twice"),
    pytest.param(member("other"), id="unknown"),
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_archive_is_refused(
    trained: Project, other: Project, tmp_path: Path, hostile: tarfile.TarInfo
) -> None:
    archive = packed(trained, tmp_path / "it.repro.tar", "--with-inputs")
    with tarfile.open(archive, "a") as opened:
        opened.addfile(hostile, io.BytesIO())
    before = {path for path in tmp_path.rglob("*") if ".repro" not in path.parts}

    done = other.repro("replay", archive)

    assert done.returncode == 2
    assert "is no archive of `repro pack`" in done.stderr
    assert {path for path in tmp_path.rglob("*") if ".repro" not in path.parts} == before


def test_a_truncated_archive_is_refused(trained: Project, other: Project, tmp_path: Path) -> None:
    whole = Path(packed(trained, tmp_path / "it.repro.tar", "--with-inputs")).read_bytes()
    cut = tmp_path / "cut.repro.tar"

    for length in range(0, len(whole) - 10240, 4096):
        cut.write_bytes(whole[:length])
        done = other.repro("replay", cut)
        assert done.returncode == 2, length
        assert "Traceback" not in done.stderr


FORGED = [
    pytest.param(lambda r: r["definition"].update(folder="../../../escaped"), id="folder"),
    pytest.param(lambda r: r.update(id="../../x"), id="id"),
    pytest.param(lambda r: r["definition"]["code"].update(tree="--output=escaped"), id="tree"),
    pytest.param(lambda r: r["definition"].update(hidden=[99]), id="hidden"),
    pytest.param(lambda r: r["definition"].update(command=[]), id="no command"),
    pytest.param(lambda r: r["definition"].update(command=["a\\qb"]), id="no path's text"),
    pytest.param(lambda r: r["definition"].update(command=["a\\x00b"]), id="zero byte"),
    pytest.param(lambda r: r["observation"].update(reason="\x1b[2J"), id="escape"),
]


@pytest.mark.parametrize("forge", FORGED)
def test_a_forged_record_is_refused(
    trained: Project, other: Project, tmp_path: Path, forge: Callable[[Any], object]
) -> None:
    archive = packed(trained, tmp_path / "it.repro.tar")
    with tarfile.open(archive) as opened:
        names = {one: opened.extractfile(one).read() for one in opened.getnames()}  # type: ignore[union-attr]
    plain = json.loads(names["run.json"])
    forge(plain)
    _write(tmp_path / "run.json", plain)
    with tarfile.open(archive, "w") as opened:
        for name, text in {**names, "run.json": (tmp_path / "run.json").read_bytes()}.items():
            info = member(name)
            info.size = len(text)
            opened.addfile(info, io.BytesIO(text))

    before = {path for path in tmp_path.rglob("*") if ".repro" not in path.parts}

    for command in (["replay", archive], ["diff", archive, archive], ["show", archive]):
        done = other.repro(*command)
        assert "report this" not in done.stderr
        assert "\x1b" not in done.stdout + done.stderr
    assert other.repro("replay", archive).returncode == 2
    assert {path for path in tmp_path.rglob("*") if ".repro" not in path.parts} == before


def _write(file: Path, plain: dict[str, Any]) -> None:
    """Write a record with a digest that fits."""
    text = json.dumps({**plain, "digest": record.NO_DIGEST}).encode()
    digest = hashlib.sha256(text).hexdigest().encode()
    file.write_bytes(text.replace(record.NO_DIGEST.encode(), digest, 1))
