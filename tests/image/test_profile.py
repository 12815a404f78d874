"""The profile portable through every door, and on a CPU that can't keep it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest

from repro_env import knobs, profile
from tests.image.conftest import IMAGE, MakeStack, Stack, any_stack
from tests.image.test_doors import DOORS, docker_run, parse

pytestmark = any_stack

THREADS = 3
PROBE = f"""
import json, os
names = {list(profile.variables(1))!r}
print("PROBE" + json.dumps({{name: os.environ.get(name) for name in names}}))
"""
ASKED = {"REPRO_PROFILE": "portable", "REPRO_THREADS": str(THREADS)}


@pytest.fixture(scope="module")
def portable(make_lasting_stack: MakeStack) -> Iterator[Stack]:
    """Both services under the profile."""
    stack = make_lasting_stack()
    stack.up(**ASKED)
    stack.env.update(ASKED)  # for what compose starts later
    (stack.folder / "probe.py").write_text(PROBE)
    yield stack
    stack.down()


def with_docker_run(stack: Stack) -> str:
    mount = f"{stack.folder}:/workspace"
    options = [word for name, text in ASKED.items() for word in ("-e", f"{name}={text}")]
    return stack.must("docker", "run", "--rm", "-v", mount, *options, IMAGE, "python", "probe.py")


@pytest.mark.parametrize(
    "door",
    [with_docker_run if door is docker_run else door for door in DOORS],
    ids=lambda door: str(door.__name__),
)
def test_a_door_gives_every_knob_of_the_profile(
    portable: Stack, monkeypatch: pytest.MonkeyPatch, door: Callable[[Stack], str]
) -> None:
    monkeypatch.setattr("tests.image.test_doors.PROBE", PROBE)  # what it has a kernel run

    assert parse(door(portable)) == profile.variables(THREADS)


def test_a_run_in_a_service_is_recorded_with_it(portable: Stack) -> None:
    portable.must(
        *("docker", "compose", "exec", "-T", "jupyter"),
        *("repro", "run", "--out", "probe.json", "--", "sh", "-c", "python probe.py >probe.json"),
    )

    told = portable.must(
        "docker", "compose", "exec", "-T", "jupyter", "repro", "show", "--json", "last"
    )
    definition = json.loads(told)["definition"]
    assert (definition["profile"], definition["threads"]) == ("portable", THREADS)
    assert {*knobs.portable_variables()} <= {*definition["variables"]}


@pytest.mark.parametrize(("cpu", "status"), [("Nehalem", 2), ("SandyBridge", 2), ("Haswell", 0)])
def test_a_cpu_without_avx2_is_refused_with_a_sentence(
    emulator: str, cpu: str, status: int
) -> None:
    container = ["docker", "run", "--rm", "--network", "none", "-v", f"{emulator}:/qemu:ro"]
    asked = ["-e", "REPRO_PROFILE=portable", "--entrypoint", "/qemu", IMAGE, "-cpu", cpu]

    done = subprocess.run(
        [*container, *asked, "/opt/venv/bin/python", "-c", "print('user code')"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (status, "" if status else "user code\n")
    assert ("error: this CPU has no AVX2" in done.stderr) == bool(status)
    assert ("or run it with REPRO_PROFILE=repeatable" in done.stderr) == bool(status)
