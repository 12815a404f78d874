"""The files that Python opens for reading are noted as they were first seen, and no others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SEEDED, Run


class Traced:
    """A folder for a trace, and one for what is read."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run = run
        self.trace = folder / "trace"
        self.data = folder / "data"
        for made in (self.trace, self.data, folder / "reports"):
            made.mkdir()
        self.environ = {**SEEDED, "REPRO_DOCTOR": str(folder / "reports")}

    def run(self, code: str) -> str:
        """Run code that begins in the data's folder and must end well; return its errors."""
        start = (
            "import os; from repro_env.trace import reads\n"
            f"reads.start({str(self.trace)!r}); os.chdir({str(self.data)!r})\n"
        )
        done = self._run(start + code, env=self.environ)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def files(self) -> list[dict[str, Any]]:
        """What each process has written, oldest first."""
        return [json.loads(file.read_bytes()) for file in sorted(self.trace.glob("*.reads.json"))]

    def seen(self) -> dict[str, Any]:
        """What the only process that has read anything has seen, below the data's folder."""
        found = self.files()
        assert len(found) <= 1
        return {
            os.path.relpath(path, self.data): stamp
            for one in found
            for path, stamp in one["files"].items()
        }


@pytest.fixture
def traced(run: Run, tmp_path: Path) -> Traced:
    return Traced(run, tmp_path)


def stamp(file: Path) -> list[int]:
    seen = file.stat()
    return [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino]


READS = {
    "open": "open('a').read()",
    "bytes": "open('a', 'rb').read()",
    "to be changed": "open('a', 'r+').close()",
    "to be added to": "open('a', 'a+').close()",
    "a path": "import pathlib; pathlib.Path('a').read_text()",
    "a name of bytes": "open(b'a').close()",
    "os.open": "os.open(os.path.abspath('a'), os.O_RDONLY)",
    "another folder later": "open('a').close(); os.chdir('/')",
    "twice": "open('a').close(); open('./a').close(); open(os.path.abspath('a')).close()",
    "changed since": "open('a').close(); os.rename('a', 'b'); open('a', 'w').close(); "
    "open('a').close(); os.replace('b', 'a')",
    "in a thread": "import threading\nt = threading.Thread(target=lambda: open('a').close())\n"
    "t.start(); t.join()",
    "an exit": "open('a').close(); raise SystemExit",
    "a hard exit": "open('a').close(); os._exit(0)",
    "another program": "open('a').close(); os.execvp('true', ['true'])",
}


@pytest.mark.parametrize("way", READS)
def test_what_is_read_is_noted_as_it_was(traced: Traced, way: str) -> None:
    file = traced.data / "a"
    file.write_text("data")
    before = stamp(file)

    traced.run(READS[way])

    seen = traced.seen()["a"]
    assert [seen[0], seen[1], seen[3]] == [before[0], before[1], before[3]]
    assert way == "changed since" or seen == before


def test_what_was_not_there_is_noted_before_it_is_made(traced: Traced) -> None:
    traced.run(
        "try: open('later')\nexcept FileNotFoundError: pass\n"
        "open('later', 'w').close(); open('later').close()"
    )

    assert traced.seen() == {"later": None}


LEFT_OUT = {
    "written": "open('new', 'w').close()",
    "made": "open('new', 'x').close()",
    "added to": "open('a', 'a').close()",
    "written by os.open": "os.open(os.path.abspath('a'), os.O_WRONLY)",
    "emptied by os.open": "os.open(os.path.abspath('a'), os.O_RDWR | os.O_TRUNC)",
    "temporary": "import tempfile; tempfile.TemporaryFile().close()",
    "a folder": "os.open(os.getcwd(), os.O_RDONLY)",
    "a descriptor": "open(os.open('/dev/null', os.O_RDONLY)).close()",
    "the standard library": "open(os.__file__).close(); import wave",
    "the interpreter's folder": "import sys; open(sys.prefix + '/pyvenv.cfg').close()",
    "a package": "os.makedirs('site-packages'); open('site-packages/a', 'w').close(); "
    "open('site-packages/a').close()",
    "compiled": "open('a.pyc', 'w').close(); open('a.pyc').close()",
    "the kernel's": "open('/proc/self/status').close(); open('/dev/null').close()",
    "the trace's": "import glob; open(TRACE + '/plan.json').close()",
    "of runs": "os.makedirs('.repro'); open('.repro/a', 'w').close(); open('.repro/a').close()",
}


@pytest.mark.parametrize("way", LEFT_OUT)
def test_what_is_no_data_is_left_out(traced: Traced, way: str) -> None:
    (traced.data / "a").write_text("data")
    (traced.trace / "plan.json").write_text("{}")

    traced.run(f"TRACE = {str(traced.trace)!r}\n{LEFT_OUT[way]}")

    assert traced.files() == []


def test_a_module_of_the_users_own_is_data(traced: Traced) -> None:
    (traced.data / "mine.py").write_text("")

    traced.run("import sys; sys.path.insert(0, os.getcwd()); import mine")

    assert traced.seen().keys() == {"mine.py"}


CHILDREN = {
    "fork": "if os.fork() == 0: open('b').close(); os._exit(0)\nos.wait()",
    "a fork that exits": "if os.fork() == 0: open('b').close(); raise SystemExit\nos.wait()",
    "a process": "from multiprocessing import get_context as c\n"
    "def f(): open('b').close()\np = c('fork').Process(target=f); p.start(); p.join()",
    "a pool that is ended": "from multiprocessing import get_context as c\n"
    "import time\ndef f(): open('b').close(); open('ready', 'w').close(); time.sleep(60)\n"
    "with c('fork').Pool(1) as p:\n    p.apply_async(f)\n"
    "    while not os.path.exists('ready'): time.sleep(.01)",
}


@pytest.mark.parametrize("way", CHILDREN)
def test_forks_note_their_own(traced: Traced, way: str) -> None:
    for name in "ab":
        (traced.data / name).touch()

    traced.run(f"open('a').close()\n{CHILDREN[way]}")

    main, fork = traced.files()
    assert [list(one["files"]) for one in (main, fork)] == [
        [str(traced.data / name)] for name in "ab"
    ]
    assert main["place"] == ""
    assert fork["place"] != ""


def test_at_most_2000_files_are_noted(traced: Traced) -> None:
    traced.run("for n in range(2100):\n    try: open(str(n))\n    except OSError: pass")

    assert len(traced.seen()) == 2000


ERRORS = {
    "a missing file": ("open('no')", "FileNotFoundError"),
    "a file that is a folder": ("open('no/a')", "FileNotFoundError"),
    "a folder": ("open('.')", "IsADirectoryError"),
    "a name with a zero": ("open('a\\0b')", "ValueError"),
    "no name": ("open('')", "FileNotFoundError"),
    "no path": ("open([])", "TypeError"),
    "a closed descriptor": ("open(999)", "OSError"),
    "a loop of links": ("os.symlink('l', 'l'); open('l')", "OSError"),
    "a folder that is gone": (
        "os.mkdir('g'); os.chdir('g'); os.rmdir('../g'); open('a')",
        "FileNotFoundError",
    ),
}


@pytest.mark.parametrize("way", ERRORS)
def test_the_users_errors_stay_theirs(traced: Traced, way: str) -> None:
    code, error = ERRORS[way]

    traced.run(f"try: {code}\nexcept {error}: pass\nelse: raise SystemExit('no error')")


def test_what_can_t_be_looked_at_can_still_be_opened(traced: Traced) -> None:
    (traced.data / "a").write_text("data")

    traced.run(
        "os.symlink('l', 'l')\n"
        "assert open('l', opener=lambda *_: os.open('a', os.O_RDONLY)).read() == 'data'"
    )


@pytest.mark.parametrize("end", ["pass", "os._exit(0)"])
def test_a_trace_that_is_gone_disturbs_nobody(traced: Traced, end: str) -> None:
    (traced.data / "a").touch()
    traced.trace.rmdir()

    assert traced.run(f"open('a').close(); {end}") == ""


def test_names_that_are_no_text_are_kept(traced: Traced) -> None:
    (traced.data / os.fsdecode(b"\xff")).touch()

    traced.run(r"open(b'\xff').close()")

    assert traced.seen().keys() == {os.fsdecode(b"\xff")}
