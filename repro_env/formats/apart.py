"""Reading in a process of its own, for a library that a damaged file can crash or hang.

A process serves many files, one after the other. It is killed where a file is not read to its
end: after an error, by Ctrl-C, or since nobody wants the rest.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import struct
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from repro_env.formats import Part, UnreadableError

QUIET_S = 60
PART, PIECE, ERROR, END = b"P", b"D", b"E", b"Z"
HEAD = struct.Struct("<cQ")  # what it is, and its size in bytes
CODE = f"import sys; sys.path[:] = %r; from {__name__} import serve; serve()"

Child = subprocess.Popen  # of bytes

_idle: dict[int, list[Child[bytes]]] = {}  # by the process that started them


def read(reader: str, path: Path, quiet_s: float = QUIET_S) -> Iterator[Part]:
    """Yield the parts of a file.

    Args:
        reader: Module and function that read it, as `module:function`.
        path: The file.
        quiet_s: Seconds without a byte after which the process counts as hanging.

    Raises:
        UnreadableError: The reader's own, or what else it raised, in words; or it has crashed, or
            hangs.
    """
    idle = _idle.setdefault(os.getpid(), [])
    child = idle.pop() if idle else _started()
    try:
        yield from _parts(child, [reader, str(path.absolute())], quiet_s)
    except BaseException:
        _end(child)
        raise
    idle.append(child)


def _started() -> Child[bytes]:
    return Child(
        [sys.executable, "-c", CODE % sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={**os.environ, "REPRO_DISABLE": "1"},
        start_new_session=True,  # Ctrl-C is for us alone
    )


def _end(child: Child[bytes]) -> None:
    child.kill()
    child.communicate()


@atexit.register
def end_all() -> None:
    """End the processes that wait for another file; one that reads ends with its file."""
    for child in _idle.pop(os.getpid(), []):
        _end(child)


def _parts(child: Child[bytes], question: list[str], quiet_s: float) -> Iterator[Part]:
    assert child.stdin is not None
    child.stdin.write(json.dumps(question).encode() + b"\n")
    kind, payload = _receive(child, quiet_s)
    while kind == PART:
        name, dtype, shape = json.loads(payload)
        after: list[tuple[bytes, bytes]] = []
        data = _data(child, quiet_s, after)
        yield Part(name, dtype, tuple(shape), data)
        for _ in data:  # if nobody wanted it
            pass
        kind, payload = after[0]


def _data(child: Child[bytes], quiet_s: float, after: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Yield the pieces that come next, and put down what comes after them."""
    kind, payload = _receive(child, quiet_s)
    while kind == PIECE:
        yield payload
        kind, payload = _receive(child, quiet_s)
    after.append((kind, payload))


def _receive(child: Child[bytes], quiet_s: float) -> tuple[bytes, bytes]:
    kind, size = HEAD.unpack(_bytes(child, HEAD.size, quiet_s))
    payload = _bytes(child, size, quiet_s)
    if kind == ERROR:
        raise UnreadableError(payload.decode())
    return kind, payload


def _bytes(child: Child[bytes], size: int, quiet_s: float) -> bytes:
    assert child.stdout is not None
    waiting = select.poll()
    waiting.register(child.stdout, select.POLLIN)
    data = bytearray()
    while len(data) < size:
        if not waiting.poll(quiet_s * 1000):
            raise UnreadableError(f"its reader was busy for {quiet_s:g} s and sent nothing")
        piece = child.stdout.read(size - len(data))
        if not piece:
            raise UnreadableError("its reader has crashed")
        data += piece
    return bytes(data)


def serve() -> None:
    """In the process: answer the questions on the standard input, until it ends."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # what a library prints is no answer
        for line in sys.stdin.buffer:
            try:
                _answer(out, *json.loads(line))
                _send(out, END)
            except UnreadableError as error:
                _send(out, ERROR, str(error).encode("utf-8", "backslashreplace"))
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                _send(out, ERROR, text.encode("utf-8", "backslashreplace"))
            out.flush()


def _answer(out: BinaryIO, reader: str, path: str) -> None:
    module, _, function = reader.partition(":")
    for part in getattr(import_module(module), function)(Path(path)):
        _send(out, PART, json.dumps(part[:3]).encode())
        for piece in part.data:
            _send(out, PIECE, piece)


def _send(out: BinaryIO, kind: bytes, payload: bytes = b"") -> None:
    out.write(HEAD.pack(kind, len(payload)))
    out.write(payload)
