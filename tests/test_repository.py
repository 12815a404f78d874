"""What stands in several files says the same in each."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from images.lock import read_lock

from repro_env.unportable import unmeasured
from tests.conftest import PROJECT

SCRIPTS = sorted(
    path.name
    for path in (PROJECT / "scripts").iterdir()
    if path.is_file() and path.suffix not in (".sh", ".py")
)
LOCKS = ["requirements.txt", *(f"requirements/{n}.txt" for n in ("torch", "dev", "strangers"))]
STACKS = {"tf": "requirements.txt", "torch": "requirements/torch.txt"}
FOUND = ("BASE_IMAGE", "DEBIAN_MIRROR", "DEBIAN_SECURITY_MIRROR", "SOURCE_URL")  # no default here
PASSED_ON = {"REPRO_THREADS": "1"}  # without a default in compose: not set unless somebody sets it


def test_what_is_portable_was_measured_in_the_locked_versions() -> None:
    for lock in STACKS.values():
        found = dict(re.findall(r"^(numpy|torch|tensorflow)==([\w.+]+)", read(lock), re.M))

        assert {"numpy", "torch"} <= set(found)
        assert not [*unmeasured(found)], "ask scripts/portability, then add the version to MEASURED"


def read(name: str) -> str:
    return (PROJECT / name).read_text()


def compose(name: str = "docker-compose.yml") -> dict[str, dict[str, dict[str, object]]]:
    return dict(yaml.safe_load(read(name)))


def variables_of_compose() -> dict[str, str]:
    """Each variable with the default that compose gives it."""
    found = re.findall(r"\$\{(\w+):?-([^}]*)\}", read("docker-compose.yml"))
    return dict(found)


def test_every_variable_of_compose_is_in_the_example_with_its_default() -> None:
    example = dict(re.findall(r"^#(\w+)=(.*)$", read(".env.example"), re.M))

    variables = variables_of_compose()

    assert example == {**variables, **dict.fromkeys(FOUND, ""), **PASSED_ON}


def test_nothing_but_this_machine_reaches_the_services_by_default() -> None:
    assert variables_of_compose()["BIND_ADDRESS"] == "127.0.0.1"


@pytest.mark.parametrize(
    "name", sorted({*variables_of_compose(), *FOUND, *PASSED_ON, "REPRO_DISABLE"})
)
def test_every_variable_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in read("README.md")


def test_an_empty_seed_stays_empty() -> None:
    assert "${REPRO_SEED-42}" in read("docker-compose.yml")
    assert "${REPRO_SEED:-" not in read("docker-compose.yml")


@pytest.mark.parametrize("service", ["jupyter", "ssh"])
def test_the_gpu_file_adds_the_gpus_and_nothing_else(service: str) -> None:
    added = compose("docker-compose.gpu.yml")["services"][service]

    devices = [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert added == {"deploy": {"resources": {"reservations": {"devices": devices}}}}


@pytest.mark.parametrize("stack", STACKS)
def test_a_base_is_one_complete_reference_and_the_lock_names_the_same(stack: str) -> None:
    found = re.findall(rf"^FROM (.*) AS base-{stack}$", read("Dockerfile"), re.M)

    assert len(found) == 1
    assert re.fullmatch(r"[\w.-]+:[\w.-]+@sha256:[0-9a-f]{64}", found[0])
    assert read_lock(PROJECT / f"stacks/{stack}.lock").base == found[0]


@pytest.mark.parametrize("stack", STACKS)
def test_a_stacks_lock_holds_its_python_lock_and_what_is_asked_of_debian(stack: str) -> None:
    lock = read_lock(PROJECT / f"stacks/{stack}.lock")  # checks the digest of the Python lock

    asked = re.findall(r"^[^#\s]+", read(f"stacks/{stack}.packages"), re.M)
    assert lock.python_file == STACKS[stack]
    assert set(asked) <= {package.name for package in lock.debian}


def test_the_stacks_differ_in_their_compiler_alone() -> None:
    packages = {stack: read(f"stacks/{stack}.packages") for stack in STACKS}
    asked = {stack: set(re.findall(r"^[^#\s]+", text, re.M)) for stack, text in packages.items()}

    assert asked["torch"] - asked["tf"] == {"g++", "python3-dev"}
    assert asked["tf"] - asked["torch"] == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_names_versions_and_hashes_only(lock: str) -> None:
    lines = [line for line in read(lock).splitlines() if line and line.lstrip()[0] != "#"]

    version = r"[a-z0-9][a-z0-9.-]*==[0-9][a-z0-9.]* \\"  # no local build such as 1.0+cpu
    digest = r"    --hash=sha256:[0-9a-f]{64}( \\)?"
    assert lines
    assert [line for line in lines if not re.fullmatch(f"{version}|{digest}", line)] == []
    assert not re.search(r"https?://|file:/|/opt/|--index|--find-links", read(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", read(lock))[1:]

    assert [entry.split("\n")[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(
    "source", ["requirements.in", "requirements/torch.in", "requirements/dev.in"]
)
def test_a_lock_has_what_is_asked_for(source: str) -> None:
    asked = set(re.findall(r"^([A-Za-z][\w-]*)", read(source), re.M))

    locked = set(re.findall(r"^([a-z0-9.-]+)==", read(source.replace(".in", ".txt")), re.M))

    assert {name.lower() for name in asked} <= locked


@pytest.mark.parametrize(
    ("lock", "framework", "cuda"),
    [
        pytest.param("requirements.txt", "torch==2.0.1", "nvidia-cudnn-cu11==", id="tf"),
        pytest.param("requirements/torch.txt", "torch==2.15.0", "nvidia-cudnn-cu13==", id="torch"),
    ],
)
def test_a_lock_is_split_into_layers_without_loss(
    tmp_path: Path, lock: str, framework: str, cuda: str
) -> None:
    split = [PROJECT / "docker/split-lock", PROJECT / lock, tmp_path]
    subprocess.run(split, check=True, capture_output=True)

    parts = {file.stem: file.read_text() for file in tmp_path.iterdir()}
    pins = re.compile(r"^\S+==\S+", re.M)
    assert set(parts) == {"pip", "cuda", "frameworks", "libraries", "rest"}
    assert sorted(pins.findall("".join(parts.values()))) == sorted(pins.findall(read(lock)))
    assert framework in parts["frameworks"]
    assert cuda in parts["cuda"]
    assert parts["cuda"].count("--hash") >= 11
    assert "numpy==" in parts["libraries"]
    assert "jupyterlab==" in parts["rest"]


def test_a_new_package_changes_the_last_layer_only(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    new = "zzz-small==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    for folder, lock in ((before, ""), (after, new)):
        folder.mkdir()
        (tmp_path / "lock.txt").write_text(read("requirements.txt") + lock)
        subprocess.run(
            [PROJECT / "docker/split-lock", tmp_path / "lock.txt", folder],
            check=True,
            capture_output=True,
        )

    changed = [
        file.name
        for file in before.iterdir()
        if file.read_text() != (after / file.name).read_text()
    ]
    assert changed == ["rest.txt"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_explains_itself_and_refuses_what_it_does_not_know(script: str) -> None:
    path = PROJECT / "scripts" / script

    told = subprocess.run([path, "--help"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"Usage: scripts/{script}")
    if script != "ssh":  # what it does not know is ssh's
        refused = subprocess.run([path, "--nonsense"], capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert "--nonsense" in refused.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_and_its_options_are_in_the_readme(script: str) -> None:
    told = subprocess.run(
        [PROJECT / "scripts" / script, "--help"], capture_output=True, text=True, check=True
    ).stdout
    usage = told.splitlines()[0].removeprefix("Usage: ")

    assert f"scripts/{script}" in read("README.md")
    if script in ("up", "down", "lock", "image", "test", "bench", "logs"):
        told_in_a_table = usage.split(" [-- ")[0].replace("|", r"\|")
        assert f"`{told_in_a_table}`" in read("README.md")


@pytest.mark.parametrize("script", ["up", "ssh", "down", "logs", "lock", "base"])
def test_without_an_engine_a_script_says_so(script: str) -> None:
    result = subprocess.run(
        [PROJECT / "scripts" / script],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCKER_HOST": "unix:///nowhere.sock"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == "error: no Docker engine answers"


def test_ci_runs_the_one_test_command() -> None:
    assert "exec ./scripts/test --install-engine\n" in read(".ci/run")
    assert ".ci/run" in read(".github/workflows/ci.yml")


def test_every_folder_of_the_readmes_tree_exists() -> None:
    tree = read("README.md").split("## What is where")[1].split("```")[1]

    for name in re.findall(r"^(\S+)", tree, re.M):
        assert (PROJECT / name).exists(), name


def test_keys_and_settings_are_ignored_by_git_and_the_image() -> None:
    ignored = ["keys/id_ed25519", "keys/id_ed25519.pub", ".env", "data/large.bin"]
    check = ["git", "check-ignore", *ignored]
    told = subprocess.run(check, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert told.stdout.split() == ignored
    assert read(".dockerignore").splitlines()[1] == "*"


def test_each_released_image_has_a_whole_digest() -> None:
    table = re.search(r"## Releases\n\n(?:\|.*\n)+", read("docs/images.md"))

    assert table
    rows = table[0].splitlines()[4:]
    assert {row.split("|")[3].strip() for row in rows} == set(STACKS)
    assert [row for row in rows if not re.search(r"\| sha256:[0-9a-f]{64} \|$", row)] == []
