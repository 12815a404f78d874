"""Reading in a process of its own: what crashes and hangs there is said here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro_env.formats import Part, UnreadableError, apart

READER = """
import os, signal, time
from repro_env.formats import Part, UnreadableError

def read(path):
    print("words of a library")
    os.write(1, b"and of another one")
    yield Part("process", "int", (), [str(os.getpid()).encode()])
    yield Part("name \\udcff", "float32", (2, 3), [b"ab", b"", bytes(5_000_000)])
    what = path.read_text()
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        time.sleep(100)
    if what == "refuse":
        raise UnreadableError("it is refused")
    if what == "fail":
        {}["key"]
    yield Part("", "text", (), [])
"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "a_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    apart.end_all()  # they know the path that they were started with
    yield "a_reader:read"
    apart.end_all()


def file(tmp_path: Path, what: str) -> Path:
    path = tmp_path / what
    path.write_text(what)
    return path


def process_of(part: Part) -> int:
    return int(b"".join(part.data))


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_parts_come_as_they_are(reader: str, tmp_path: Path) -> None:
    parts = [
        (part.name, part.dtype, part.shape, b"".join(part.data))
        for part in apart.read(reader, file(tmp_path, "well"))
    ]

    assert parts[1:] == [
        ("name \udcff", "float32", (2, 3), b"ab" + bytes(5_000_000)),
        ("", "text", (), b""),
    ]


def test_parts_that_nobody_reads_are_passed(reader: str, tmp_path: Path) -> None:
    names = [part.name for part in apart.read(reader, file(tmp_path, "well"))]

    assert names == ["process", "name \udcff", ""]


def test_one_process_serves_many_files_and_each_at_a_time(reader: str, tmp_path: Path) -> None:
    path = file(tmp_path, "well")

    in_turn = []
    for _ in range(2):
        parts = apart.read(reader, path)
        in_turn.append(process_of(next(parts)))
        list(parts)
    first, second = apart.read(reader, path), apart.read(reader, path)
    at_once = [process_of(next(first)), process_of(next(second))]
    list(first), list(second)

    assert in_turn[0] == in_turn[1] == at_once[0] != at_once[1]
    assert os.getpid() not in at_once


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("crash", "its reader has crashed"),
        ("hang", r"its reader was busy for 0\.5 s"),
        ("refuse", "^it is refused$"),
        ("fail", "^KeyError: 'key'$"),
    ],
)
def test_what_goes_wrong_is_said_and_the_next_file_is_read(
    reader: str, tmp_path: Path, what: str, said: str
) -> None:
    parts = apart.read(reader, file(tmp_path, what), quiet_s=0.5)
    process = process_of(next(parts))

    with pytest.raises(UnreadableError, match=said):
        list(parts)

    assert not is_running(process)
    assert len(list(apart.read(reader, file(tmp_path, "well")))) == 3


def test_nothing_goes_on_when_nobody_wants_the_rest(reader: str, tmp_path: Path) -> None:
    left, stopped = (apart.read(reader, file(tmp_path, "hang")) for _ in range(2))
    processes = [process_of(next(left)), process_of(next(stopped))]
    assert all(map(is_running, processes))

    del left
    with pytest.raises(KeyboardInterrupt):
        stopped.throw(KeyboardInterrupt)  # type: ignore[attr-defined]

    assert not any(map(is_running, processes))


def test_no_process_is_left_at_the_end(reader: str, tmp_path: Path) -> None:
    code = f"""
import sys; sys.path[:] = {sys.path!r}
from pathlib import Path; from repro_env.formats import apart
for part in apart.read({reader!r}, Path({str(file(tmp_path, "well"))!r})):
    print(part.name and b"".join(part.data)[:20].decode())
"""

    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )

    process = int(result.stdout.split()[0])
    deadline = time.monotonic() + 10
    while is_running(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(process)
    assert result.stderr == ""
