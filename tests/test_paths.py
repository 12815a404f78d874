"""Names of files as text, and back."""

from __future__ import annotations

import os

import pytest

from repro_env import paths

NAMES = [
    pytest.param(b"weights.npy", "weights.npy", id="plain"),
    pytest.param(b"my run/a b", "my run/a b", id="spaces"),
    pytest.param("größe".encode(), "größe", id="letters"),
    pytest.param(b"two\nlines\r\x1b[2J", r"two\x0alines\x0d\x1b[2J", id="control"),
    pytest.param(b"latin-\xe9", r"latin-\xe9", id="no UTF-8"),
    pytest.param(rb"back\slash", r"back\\slash", id="backslash"),
    pytest.param(rb"looks\x0alike", r"looks\\x0alike", id="looks like an escape"),
    pytest.param("zero\u200bwidth".encode(), r"zero\xe2\x80\x8bwidth", id="invisible"),
]


@pytest.mark.parametrize(("name", "text"), NAMES)
def test_a_name_becomes_text_and_back(name: bytes, text: str) -> None:
    path = os.fsdecode(name)

    assert paths.to_text(path) == text
    assert paths.from_text(text) == path
    assert text.isprintable()


@pytest.mark.parametrize("text", ["\\", "\\n", r"\x4", r"\x41", "a\nb", "\udce9"])
def test_what_no_path_becomes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no path's text"):
        paths.from_text(text)


def test_every_byte_survives() -> None:
    path = os.fsdecode(bytes(range(1, 256)) + bytes(range(255, 0, -1)))

    assert paths.from_text(paths.to_text(path)) == path
