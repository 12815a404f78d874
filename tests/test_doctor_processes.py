"""`repro doctor` looks into every Python process of a command, and changes none of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.doctor_cases import IN_IMAGE, look

GOOD: dict[str, str | None] = {**IN_IMAGE, "REPRO_DISABLE": None}


CHILD = """
import os, sys, time
SPOIL = "os.environ['TZ'] = 'Asia/Tokyo'"
def spoil(*_):
    exec(SPOIL)
if __name__ == "__main__":
"""
CHILDREN = {
    "os.fork": "if os.fork() == 0: spoil(); os._exit(0)\n    os.wait()",
    "fork": "from multiprocessing import get_context as c; p = c('fork').Process(target=spoil); "
    "p.start(); p.join()",
    "spawn": "from multiprocessing import get_context as c; p = c('spawn').Process(target=spoil); "
    "p.start(); p.join()",
    "forkserver": "from multiprocessing import get_context as c\n"
    "    p = c('forkserver').Process(target=spoil); p.start(); p.join()",
    "pool that is terminated": "from multiprocessing import get_context as c\n"
    "    with c('fork').Pool(1) as p: p.map(spoil, [1])",
    "subprocess": "import subprocess\n"
    "    subprocess.run([sys.executable, '-c', 'import os; ' + SPOIL])",
    "shell": "os.system(f'{sys.executable} -c \"import os; {SPOIL}\"')",
    "exec": "os.execv(sys.executable, [sys.executable, '-c', 'import os; ' + SPOIL])",
}


@pytest.mark.parametrize("way", CHILDREN)
def test_python_children_are_looked_into(hooked_python: Path, tmp_path: Path, way: str) -> None:
    script = tmp_path / "starts.py"
    script.write_text(f"{CHILD}    {CHILDREN[way]}\n")

    said = look(hooked_python, hooked_python, script)

    verdicts = [said.verdicts(n)["TZ"] for n in range(len(said.said["processes"]))]
    assert verdicts.count("overridden") == 1, said.said
    assert set(verdicts) <= {"ok", "overridden"}
    assert ("ok" in verdicts) == (way != "exec")
    assert said.status == 1


@pytest.mark.parametrize("way", CHILDREN)
def test_healthy_children_have_no_complaint(hooked_python: Path, tmp_path: Path, way: str) -> None:
    script = tmp_path / "starts.py"
    script.write_text(f"{CHILD}    {CHILDREN[way]}\n".replace("Asia/Tokyo", "UTC"))

    assert look(hooked_python, hooked_python, script).status == 0


def test_a_process_that_is_killed_leaves_doubt(hooked_python: Path) -> None:
    said = look(
        hooked_python,
        hooked_python,
        "-c",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    )

    assert said.status == 2
    assert re.match(r"the end of process \d+ \(.*\) was not seen", said.note("command")["text"])


HEALTHY = {
    "a child about to execute": "subprocess.run(['true'], preexec_fn=lambda: None)",
    "a child that goes on": "subprocess.Popen([sys.executable, '-c', "
    "'import time; time.sleep(.5)'])",
    "variables emptied and filled": "kept = dict(os.environ); os.environ.clear(); "
    "os.environ.update(kept)",
    "a umask that nobody can read": "os.umask(0o777)",
    "another name of UTC": "",
}


@pytest.mark.parametrize("code", HEALTHY.values(), ids=HEALTHY)
def test_healthy_programs_have_no_complaint(hooked_python: Path, code: str) -> None:
    env = GOOD if code else {**GOOD, "TZ": "Etc/UTC"}

    said = look(hooked_python, hooked_python, "-c", f"import os, subprocess, sys\n{code}", env=env)

    assert (said.status, said.printed) == (0, "")


FAULTY = {
    "becomes a program without Python": "os.environ['TZ'] = 'Asia/Tokyo'; "
    "os.execvp('true', ['true'])",
    "becomes a Python without the hook": "os.execv(sys.executable, "
    "[sys.executable, '-S', '-c', 'import time; time.sleep(1)'])",
    "forks to that": "if os.fork() == 0: os.execv(sys.executable, "
    "[sys.executable, '-S', '-c', 'import time; time.sleep(1)'])\nos.wait()",
    "leaves a child behind": "subprocess.Popen([sys.executable, '-c', "
    '\'import os; os.environ["TZ"] = "Asia/Tokyo"\'])',
}


@pytest.mark.parametrize("code", FAULTY.values(), ids=FAULTY)
def test_faults_that_hide_are_named(hooked_python: Path, code: str) -> None:
    said = look(hooked_python, hooked_python, "-c", f"import os, subprocess, sys\n{code}")

    assert said.status == 1


def test_signals_are_left_as_they_are(hooked_python: Path) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))"

    said = look(hooked_python, hooked_python, "-c", code)

    alone = subprocess.run([hooked_python, "-c", code], capture_output=True, text=True, check=True)
    assert said.printed == alone.stdout


def test_a_busy_child_is_ended_all_the_same(hooked_python: Path, tmp_path: Path) -> None:
    script = tmp_path / "busy.py"
    script.write_text("""
import multiprocessing
def count(ready):
    ready.set()
    sum(range(10**12))  # in C, where no handler of Python's runs
if __name__ == "__main__":
    ready = multiprocessing.Event()
    busy = multiprocessing.Process(target=count, args=(ready,))
    busy.start()
    ready.wait()
    busy.terminate()
    busy.join()
    print(busy.exitcode)
""")

    said = look(hooked_python, hooked_python, script)

    assert said.printed == "-15\n"


def test_a_command_that_fails_leaves_doubt(hooked_python: Path) -> None:
    said = look(hooked_python, hooked_python, "-c", "raise SystemExit(3)")

    assert said.status == 2
    assert said.note("command")["text"].startswith("the command ended with status 3")


def test_a_command_without_python_leaves_doubt(hooked_python: Path) -> None:
    said = look(hooked_python, "true")

    assert said.status == 2
    assert said.note("command")["text"].startswith("no Python process was seen")


def test_a_python_without_the_hook_is_named(hooked_python: Path, tmp_path: Path) -> None:
    subprocess.run([hooked_python, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = tmp_path / "bare/bin/python"
    code = f"import subprocess; subprocess.run([{str(bare)!r}, '-c', 'import time; time.sleep(1)'])"

    said = look(hooked_python, hooked_python, "-c", code)

    assert said.status == 1
    assert said.note("hook") == {
        "about": "hook",
        "text": f"{bare} ran without the start-up hook, so nothing was seeded there",
        "verdict": "wrong value",
        "advice": f"repro hook install {bare}",
    }


def test_a_process_is_not_named_before_it_has_its_arguments(hooked_python: Path) -> None:
    """While one is executed, the kernel shows its program already, and no arguments yet."""
    code = (
        "import ctypes, subprocess, sys\n"
        "def execute():\n"
        "    no = (ctypes.c_char_p * 2)(b'', None), (ctypes.c_char_p * 1)(None)\n"
        "    ctypes.CDLL(None).execve(sys.executable.encode(), *no)\n"
        "subprocess.run('unused', preexec_fn=execute, input=b'import time; time.sleep(0.5)')"
    )

    said = look(hooked_python, hooked_python, "-c", code)

    assert not [note for note in said.said["notes"] if "ran without" in note["text"]]


@pytest.mark.parametrize(
    "code",
    [
        "subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(1)'])",
        "subprocess.run([sys.executable, '-c', 'import time; time.sleep(1)'], env={})",
    ],
    ids=["-S", "no variables"],
)
def test_a_python_whose_hook_is_not_asked_is_named(hooked_python: Path, code: str) -> None:
    said = look(hooked_python, hooked_python, "-c", f"import subprocess, sys; {code}")

    assert said.status == 1
    assert said.note("hook")["advice"] == "start it with its parent's variables, and without -S"


DRAWS = """
import multiprocessing, os, random, subprocess, sys
def draw(*_):
    return random.random()
if __name__ == "__main__":
    print(random.random(), sorted({"b", "a"}), flush=True)
    if os.fork() == 0:
        print(random.random(), flush=True)
        os._exit(0)
    os.wait()
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(pool.map(draw, range(3)), flush=True)
    subprocess.run([sys.executable, "-c", "import random; print(random.random())"])
    print(random.random())
"""


def test_what_is_looked_into_computes_the_same(hooked_python: Path, tmp_path: Path) -> None:
    script = tmp_path / "draws.py"
    script.write_text(DRAWS)
    environ = {**os.environ, **IN_IMAGE}

    alone = subprocess.run(
        [hooked_python, script], env=environ, capture_output=True, text=True, check=True
    )

    assert len(alone.stdout.splitlines()) == 6
    assert look(hooked_python, hooked_python, script).printed == alone.stdout + alone.stderr


def test_ctrl_c_ends_the_command_and_the_doctor_says_what_it_saw(
    hooked_python: Path, tmp_path: Path
) -> None:
    environ = {**os.environ, **IN_IMAGE, "TMPDIR": str(tmp_path)}
    code = "import time; print('ready', flush=True); time.sleep(60)"
    doctor = subprocess.Popen(
        [hooked_python, "-m", "repro_env.cli", "doctor", "--", hooked_python, "-c", code],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert doctor.stdout is not None
    assert doctor.stdout.readline() == "ready\n"

    os.killpg(doctor.pid, signal.SIGINT)
    said, _ = doctor.communicate(timeout=30)

    assert doctor.returncode == 2
    assert "the command ended with signal 2" in said
    assert list(tmp_path.iterdir()) == []
