"""What a file holds, apart from how it is written: one module for each format.

A format's module has a function `read(path)`, which yields the file's parts in an order that the
content alone decides. What it leaves out (times, host names, compression) can't change what
somebody reads from the file; when in doubt it is left in, since "identical content" is a promise.

Nothing of a file is ever executed, and no library is imported that the format doesn't need.

A package adds a format in its metadata, by the end of the names of its files, without the dot:

    [project.entry-points."repro_env.formats"]
    mat = "my_package.formats:read"

For files that a format of ours knows it is never asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from repro_env.errors import ReproError

GROUP = "repro_env.formats"


class Part(NamedTuple):
    """One named thing that a file holds.

    Args:
        name: Where it is in the file, with `/` between levels; empty if it is the only one. Two
            parts may have the same name.
        dtype: NumPy's name without the byte order (`float32`), `bfloat16`, or a kind of ours:
            `text`, `bytes`, `dict`, `list` ...
        shape: Of an array; the number of entries of a kind that has some; else empty.
        data: Its bytes in pieces, to be read once, before the next part: arrays little-endian and
            row-major, texts in UTF-8.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: Iterable[bytes]


class UnreadableError(Exception):
    """A file that can't be read by its content here, with the reason: it counts by its bytes."""


class Format(NamedTuple):
    """One kind of file.

    Args:
        name: What we call it.
        patterns: Of the lower-cased names of its files.
        reader: Module and function.
    """

    name: str
    patterns: tuple[str, ...]
    reader: str

    def read(self, path: Path) -> Iterator[Part]:
        """Yield the parts of a file; what it can't read, it raises as whatever it likes."""
        from repro_env import strangers

        parts: Iterator[Part] = strangers.load(self.reader)(path)
        return parts


def _ours(name: str, reader: str, *patterns: str) -> Format:
    return Format(name, patterns, f"{__name__}.{reader}")


FORMATS = (
    _ours("npy", "numpy:read_npy", "*.npy"),
    _ours("npz", "numpy:read_npz", "*.npz"),
    _ours("safetensors", "safetensors:read", "*.safetensors"),
    _ours("torch", "torch:read", "*.pt", "*.pth", "*.ckpt"),
    _ours("pickle", "pickle:read", "*.pkl", "*.pickle"),
    _ours("json", "json:read", "*.json"),
    _ours("json lines", "json:read_lines", "*.jsonl", "*.ndjson"),
    _ours("notebook", "notebook:read", "*.ipynb"),
    _ours("csv", "csv:read_commas", "*.csv"),
    _ours("tsv", "csv:read_tabs", "*.tsv"),
    _ours("hdf5", "hdf5:read", "*.h5", "*.hdf5"),
    _ours("checkpoint", "tensorflow:read_checkpoint", "*.index", "*.data-?????-of-?????"),
    _ours("checkpoint state", "tensorflow:read_state", "checkpoint"),
    _ours("saved model", "tensorflow:read_saved_model", "saved_model.pb"),
    _ours("keras metadata", "tensorflow:read_keras_metadata", "keras_metadata.pb"),
    _ours("tensorboard", "tensorboard:read", "events.out.tfevents.*", "*.tfevents.*"),
    _ours("parquet", "parquet:read", "*.parquet"),
    _ours(
        "image", "image:read",
        "*.png", "*.jpg", "*.jpeg", "*.gif", "*.bmp", "*.tif", "*.tiff", "*.webp",
    ),
)  # fmt: skip


def find(name: str) -> Format | None:
    """Return the format of a file by its name; None where there is none.

    Raises:
        UnreadableError: Two packages want to read it, or nobody can tell which do.
    """
    name = name.lower()
    for one in FORMATS:
        if any(fnmatchcase(name, pattern) for pattern in one.patterns):
            return one
    theirs = {one.reader: one for one in _strangers(tuple(sys.path)) if name.endswith(one.patterns)}
    if len(theirs) > 1:
        readers = " and ".join(sorted(theirs))
        raise UnreadableError(f"more than one package wants to read it: {readers}")
    return next(iter(theirs.values()), None)


@lru_cache(maxsize=1)
def _strangers(path: tuple[str, ...]) -> tuple[Format, ...]:
    from repro_env import strangers

    try:
        found = list(strangers.entry_points(path, GROUP))
    except ReproError as error:
        raise UnreadableError(error.args[0]) from None
    return tuple(Format(name.lower(), (f".{name.lower()}",), reader) for name, reader in found)


def library(name: str) -> Any:
    """Return a library that a format needs.

    Raises:
        UnreadableError: It is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise UnreadableError(f"{name} is not installed here") from None
        raise
