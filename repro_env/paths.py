r"""Names of files as text that prints on one line, and back: any bytes may be in a name.

What prints stays as it is; a backslash is doubled, and every other byte is `\x` and two hex digits.
"""

from __future__ import annotations

import os
import re

_ESCAPE = re.compile(rb"\\(\\|x([0-9a-f]{2}))")


def to_text(path: str | os.PathLike[str]) -> str:
    """Return a path, or any other word of a command line, as text that prints on one line."""
    name = os.fspath(path)
    if name.isprintable() and "\\" not in name:  # as nearly all
        return name
    return "".join(map(_escape, name))


def printable(text: str) -> str:
    """Return a text as it is if it prints on one line, and else as that of a path."""
    return text if text.isprintable() else to_text(text)


def from_text(text: str) -> str:
    """Return the path that a text stands for: `from_text(to_text(path)) == path`.

    Raises:
        ValueError: No path has this text.
    """
    encoded = text.encode(errors="surrogateescape")
    path = os.fsdecode(_ESCAPE.sub(_unescape, encoded))
    if to_text(path) != text:
        raise ValueError(f"{text!r} is no path's text")
    return path


def _escape(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[2], 16)]) if found[2] else b"\\"
