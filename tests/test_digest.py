"""Digests of files: bytes and content, one file and many, and those that can't be read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from repro_env import digest
from repro_env.formats import FORMATS, Part
from tests.conftest import PROJECT

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
READER = """
from repro_env.formats import Part

def read(path):
    yield Part("first", "text", (), [path.read_bytes()[:1]])

def fail(path):
    yield Part("first", "text", (), [])
    raise RuntimeError("two\\nlines and \\x1b")

def leave(path):
    raise SystemExit("goodbye")
"""


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def install(folder: Path, *entry_points: str, package: str = "reader") -> None:
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(entry_points)
    (metadata / "entry_points.txt").write_text(f"[repro_env.formats]\n{lines}\n")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that packages are imported from."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "my_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("my_reader", None)


# The bytes


@pytest.mark.parametrize("size", [0, 1, digest.STEP - 1, digest.STEP, 3 * digest.STEP + 5])
def test_the_byte_digest_is_the_sha256_of_the_whole_file(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    path = write(tmp_path / "a.bin", data[:size])

    found = digest.of_bytes(path)

    assert found == (size, hashlib.sha256(data[:size]).hexdigest())


def test_a_file_with_holes_has_the_digest_of_its_zeros(tmp_path: Path) -> None:
    size = 3 * digest.STEP
    sparse = write(tmp_path / "sparse", b"x")
    os.truncate(sparse, size)

    assert digest.of_bytes(sparse) == (size, hashlib.sha256(b"x" + bytes(size - 1)).hexdigest())


def test_a_link_counts_as_what_it_leads_to(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", "[1]")
    link = tmp_path / "b.json"
    link.symlink_to(path)

    assert digest.of_file(link) == digest.of_file(path)


def test_a_file_of_no_known_format_counts_by_its_bytes_and_says_so(tmp_path: Path) -> None:
    assert digest.of_file(write(tmp_path / "a.bin", b"")) == digest.FileDigest(
        0, EMPTY, None, "no content digest for .bin files"
    )
    assert digest.of_file(write(tmp_path / "Makefile", b"")).by_bytes == (
        "no content digest for files without a suffix"
    )


# The content


def test_equal_content_in_other_bytes_has_one_content_digest(tmp_path: Path) -> None:
    one = digest.of_file(write(tmp_path / "one.json", '{"a": 1, "b": 2}'))
    two = digest.of_file(write(tmp_path / "two.json", '{"b":2,"a":1}'))

    assert one.sha256 != two.sha256
    assert one.content == two.content is not None
    assert one.by_bytes == ""


def test_other_content_has_another_digest(tmp_path: Path) -> None:
    one = digest.of_file(write(tmp_path / "one.json", '{"a": 1}')).content
    two = digest.of_file(write(tmp_path / "two.json", '{"a": 2}')).content

    assert one
    assert two
    assert one.digest != two.digest


def test_the_example_of_the_document_gives_the_digest_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (PROJECT / "docs" / "digests.md").read_text()
    code = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)

    exec(compile(code, "docs/digests.md", "exec"), {})

    content = digest.of_file("metrics.json").content
    assert content
    assert capsys.readouterr().out == f"{content.digest}\n"


def test_each_format_of_the_table_is_in_the_document() -> None:
    text = (PROJECT / "docs" / "digests.md").read_text()

    missing = [name for one in FORMATS for name in one.patterns if f"`{name}`" not in text]

    assert missing == []


def test_a_format_is_found_whatever_the_case_of_a_name(tmp_path: Path) -> None:
    found = digest.of_file(write(tmp_path / "A.JSON", "[]")).content

    assert found
    assert found.format == "json"


def test_names_that_are_no_unicode_are_escaped_and_stay_different(tmp_path: Path) -> None:
    lone = digest.of_file(write(tmp_path / "a.json", r'{"\ud800": 1}')).content
    same_to_the_eye = digest.of_file(write(tmp_path / "b.json", r'{"\\ud800": 1}')).content

    assert lone
    assert same_to_the_eye
    assert lone.parts[1].name == r"\ud800"
    assert same_to_the_eye.parts[1].name == r"\\ud800"
    json.dumps(lone).encode()  # it can be written into a record


def test_large_files_get_both_digests_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n" * (digest.LARGE // 4))

    found = digest.of_file(path)

    assert found.size_bytes == digest.LARGE
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.content


# Failing readers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "can't be read as json: JSONDecodeError: Expecting property name"),
        ("[" * 100_000, "can't be read as json: RecursionError: "),
    ],
)
def test_a_damaged_file_counts_by_its_bytes_and_says_why(
    tmp_path: Path, text: str, reason: str
) -> None:
    found = digest.of_file(write(tmp_path / "a.json", text))

    assert found.content is None
    assert found.by_bytes.startswith(reason)
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_reader_without_memory_is_a_reason(packages: Path, tmp_path: Path) -> None:
    (packages / "greedy.py").write_text("def read(path): return [bytes(2**62)]")
    install(packages, "zzz = greedy:read")

    found = digest.of_file(write(tmp_path / "a.zzz", b"x"))

    assert found.content is None
    assert found.by_bytes == "can't be read as zzz: MemoryError:"


def test_a_library_that_is_not_installed_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)  # as Python notes what can't be imported
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n"
    data = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(4)

    found = digest.of_file(write(tmp_path / "a.npy", data))

    assert found.content is None
    assert found.by_bytes == "can't be read as npy: numpy is not installed here"


# Formats of other packages


def test_a_package_can_bring_a_format(packages: Path, tmp_path: Path) -> None:
    install(packages, "zzz = my_reader:read [extra]")

    one, other, different = (
        digest.of_file(write(tmp_path / name, data)).content
        for name, data in [("1.zzz", b"ab"), ("2.ZZZ", b"ac"), ("3.zzz", b"b")]
    )

    assert one
    assert one.format == "zzz"
    assert one == other != different


def test_it_is_not_asked_for_what_we_know(packages: Path, tmp_path: Path) -> None:
    install(packages, "json = my_reader:fail")

    assert digest.of_file(write(tmp_path / "a.json", "[]")).content


@pytest.mark.parametrize(
    ("entry_points", "reason"),
    [
        (["zzz = nowhere:read"], "can't be read as zzz: ModuleNotFoundError: "),
        (["zzz = my_reader:nothing"], "can't be read as zzz: AttributeError: "),
        (["zzz = my_reader:fail"], r"can't be read as zzz: RuntimeError: two lines and \x1b"),
        (["zzz = my_reader:leave"], "can't be read as zzz: SystemExit: goodbye"),
        (["zzz = my_reader:read", "b.zzz = my_reader:fail"], "more than one package wants to"),
    ],
)
def test_one_that_cannot_read_leaves_the_bytes_and_a_reason(
    packages: Path, tmp_path: Path, entry_points: list[str], reason: str
) -> None:
    install(packages, *entry_points)

    found = digest.of_file(write(tmp_path / "a.b.zzz", b"x"))

    assert found.content is None
    assert found.by_bytes.startswith(reason)
    assert found.by_bytes.isprintable()


def test_metadata_that_cannot_be_read_is_a_reason(packages: Path, tmp_path: Path) -> None:
    install(packages, "zzz = my_reader:read", package="good")
    install(packages, "]\n[broken", package="bad")

    found = digest.of_file(write(tmp_path / "a.zzz", b"x"))

    assert found.content is None
    assert "entry_points.txt' names repro_env.formats and can't be read" in found.by_bytes


# What can't be read


def special(folder: Path, kind: str) -> Path:
    path = folder / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("pipe", "is no regular file"),
        ("socket", "is no regular file"),
        ("device", "is no regular file"),
        ("folder", "is a folder"),
        ("nothing", "No such file or directory"),
    ],
)
def test_what_is_no_file_is_an_error_and_the_others_go_on(
    tmp_path: Path, kind: str, said: str
) -> None:
    paths = [write(tmp_path / "a", b""), special(tmp_path, kind), write(tmp_path / "b", b"")]

    first, error, last = digest.of_files(paths)

    assert isinstance(error, OSError)
    assert str(paths[1]) in str(error)
    assert said in str(error)
    assert first == last == digest.of_file(paths[0])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"")
    path.chmod(0)

    with pytest.raises(PermissionError):
        digest.of_file(path)


def test_a_file_that_grows_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bin", bytes(digest.STEP))
    os.truncate(path, 2**31)
    grow = threading.Timer(0.2, os.truncate, (path, 2**31 + 1))

    grow.start()
    with pytest.raises(OSError, match="was changed while it was read") as error:
        digest.of_file(path)

    grow.join()
    assert error.value.filename == str(path)


def test_a_file_that_is_replaced_while_its_content_is_read_is_an_error(
    packages: Path, tmp_path: Path
) -> None:
    code = "def read(path):\n    (path.parent / 'new').rename(path)\n    return []\n"
    (packages / "swap.py").write_text(code)
    install(packages, "zzz = swap:read")
    write(tmp_path / "new", b"x")

    with pytest.raises(OSError, match="was changed while it was read"):
        digest.of_file(write(tmp_path / "a.zzz", b"x"))


# Many files


def test_many_files_come_back_in_their_order(tmp_path: Path) -> None:
    data = [bytes(number % 7) * (number % 500) * number for number in range(300)]
    paths = [write(tmp_path / f"{number}.bin", one) for number, one in enumerate(data)]

    found = digest.of_files(paths)

    assert [one.sha256 for one in found if isinstance(one, digest.FileDigest)] == [
        hashlib.sha256(one).hexdigest() for one in data
    ]


def test_progress_adds_up_to_all_bytes_and_comes_in_this_thread(tmp_path: Path) -> None:
    paths = [write(tmp_path / str(size), bytes(size)) for size in (0, 5, 7)]
    seen: list[Any] = []

    digest.of_files(
        [*paths, tmp_path / "none"], lambda size: seen.append((size, threading.current_thread()))
    )

    assert sorted(size for size, _ in seen) == [0, 0, 5, 7]
    assert {thread for _, thread in seen} == {threading.current_thread()}


def test_no_files_are_no_digests() -> None:
    assert digest.of_files([]) == []


@pytest.mark.parametrize("work", [digest.of_file, lambda path: digest.of_files([path])])
def test_ctrl_c_ends_the_work_at_once(
    packages: Path, tmp_path: Path, work: Callable[[Path], Any]
) -> None:
    code = """
from itertools import repeat
from repro_env.formats import Part

def read(path):
    yield Part("", "text", (), repeat(bytes(10**6)))
"""
    (packages / "endless.py").write_text(code)
    install(packages, "zzz = endless:read")
    large = write(tmp_path / "a.zzz", b"")
    os.truncate(large, 2**40)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    start = time.monotonic()

    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            work(large)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert time.monotonic() - start < 60
    assert threading.active_count() == 1


def test_only_what_a_file_needs_is_imported(tmp_path: Path) -> None:
    write(tmp_path / "a.json", "[]")
    code = (
        "import sys; from repro_env import digest; digest.of_file('a.json');"
        "print(*{'numpy', 'torch', 'pickle', 'csv', 'msgspec', 'rich'} & {*sys.modules})"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert loaded.stdout == "\n"


def test_a_part_is_hashed_piece_by_piece() -> None:
    whole = digest._of_part(Part("a", "text", (), [b"abc"]), threading.Event())
    pieces = digest._of_part(Part("a", "text", (), iter([b"a", b"", b"bc"])), threading.Event())

    assert whole == pieces
