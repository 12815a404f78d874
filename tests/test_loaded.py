"""What loaded libraries keep for themselves is found by name, and read where it is."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from repro_env import loaded
from repro_env.loaded import UnreadableError

CODE = """
static volatile int hidden = 7;
int shown = 5;
int get(void) { return hidden; }
void set(int value) { hidden = value; }
"""

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is here")


def build(folder: Path, *options: str) -> tuple[str, ctypes.CDLL]:
    """Make a library and load it."""
    source, file = folder / "kept.c", folder / "libkept.so.1"
    source.write_text(CODE)
    subprocess.run(["cc", "-shared", "-fPIC", *options, "-o", file, source], check=True)
    return str(file), ctypes.CDLL(str(file))


def whole(file: str, name: str) -> int:
    return int.from_bytes(loaded.static(file, name, 4), "little")


def test_what_a_library_hides_is_read_as_it_is_now(tmp_path: Path) -> None:
    file, library = build(tmp_path)

    before = whole(file, "hidden")
    library.set(9)

    assert (before, whole(file, "hidden"), library.get()) == (7, 9, 9)


def test_what_it_shows_is_read_without_a_table_of_symbols(tmp_path: Path) -> None:
    file, _ = build(tmp_path, "-s")

    assert whole(file, "shown") == 5


@pytest.mark.parametrize(
    ("options", "name"),
    [
        pytest.param(["-s"], "hidden", id="without a table of symbols"),
        pytest.param([], "hid", id="the start of a name"),
        pytest.param([], "idden", id="the end of a name"),
    ],
)
def test_what_is_not_found_is_unreadable_and_says_where(
    tmp_path: Path, options: list[str], name: str
) -> None:
    file, _ = build(tmp_path, *options)

    with pytest.raises(UnreadableError, match=f"libkept.so.1 does not say where {name} is"):
        loaded.static(file, name, 4)


def test_a_function_is_no_variable(tmp_path: Path) -> None:
    file, _ = build(tmp_path, "-fvisibility=hidden")

    with pytest.raises(UnreadableError, match="get is outside of libkept"):
        loaded.static(file, "get", 4)


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    file, _ = build(tmp_path)
    Path(file).unlink()

    with pytest.raises(UnreadableError):
        loaded.static(file, "hidden", 4)


def test_a_file_that_is_damaged_since_is_unreadable(tmp_path: Path) -> None:
    file, _ = build(tmp_path)
    Path(file).unlink()
    Path(file).write_bytes(b"\x7fELF\x02\x01" + bytes(58))

    with pytest.raises(UnreadableError):
        loaded.static(file, "hidden", 4)


def test_what_is_not_loaded_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        loaded.library(str(tmp_path / "libnone.so"))


def test_loaded_files_are_found_by_their_names(tmp_path: Path) -> None:
    file, _ = build(tmp_path)

    assert file in loaded.files("libnone", "libkept")
    assert file not in loaded.files("kept")


def test_the_first_function_that_there_is_is_called(tmp_path: Path) -> None:
    file, _ = build(tmp_path)

    function = loaded.function(file, "nothing", "get")

    assert function() == 7
    assert loaded.function(file, "nothing") is None
