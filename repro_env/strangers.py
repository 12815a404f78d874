"""Seeders of other packages, for generators that we don't know.

A package says in its metadata which module it seeds, and how:

    [project.entry-points."repro_env.seeders"]
    albumentations = "my_package.seeders:seed_albumentations"

The name is the module whose import is followed; the function takes a whole number in 0..2^32-1
and is called after that import, in every process, and by `seed_everything`.

Reading the metadata of all packages with `importlib.metadata` takes ten times as long as this.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from pathlib import Path

from repro_env.errors import ReproError, SeedError

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from typing import Any

GROUP = "repro_env.seeders"


class Stranger:
    """A seeder by the words of its entry point, imported when it is first needed."""

    def __init__(self, module: str, entry_point: str) -> None:
        self._module = module
        self._entry_point = entry_point

    def seed(self, value: int) -> None:
        """Call it with a seed of 32 bits.

        Raises:
            SeedError: It can't be loaded, or raised.
        """
        try:
            load(self._entry_point)(value % 2**32)
        except Exception as error:
            raise SeedError(
                f"the seeder of {self._module}, {self._entry_point}, failed: "
                f"{type(error).__name__}: {error}",
                hint=f"mend or remove the package whose entry point {GROUP} it is",
            ) from error


def find(path: Iterable[str]) -> dict[str, Stranger]:
    """Return the seeders of the packages in these folders, by the module that each seeds."""
    found: dict[str, Stranger] = {}
    try:
        for name, entry_point in entry_points(path, GROUP):
            found.setdefault(name, Stranger(name, entry_point))
    except ReproError as error:
        raise SeedError(error.args[0], hint=error.hint) from None
    return found


def entry_points(path: Iterable[str], group: str) -> Iterator[tuple[str, str]]:
    """Yield the names and the words of a group's entry points, in the order of these folders.

    Raises:
        ReproError: A file of entry points names the group and can't be read.
    """
    for folder in path:
        for file, text in _files(folder):
            if group.encode() in text:
                yield from _parse(file, text, group).items()


def load(entry_point: str) -> Any:
    """Import what the words of an entry point name."""
    module, _, name = entry_point.partition("[")[0].partition(":")
    return attrgetter(name.strip())(import_module(module.strip()))


def _files(folder: str) -> Iterable[tuple[Path, bytes]]:
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208  # pathlib takes three times as long
    except OSError:  # a zip file, or nothing
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            with suppress(OSError):
                file = Path(folder, name, "entry_points.txt")
                yield file, file.read_bytes()


def _parse(file: Path, text: bytes, group: str) -> dict[str, str]:
    from configparser import ConfigParser, Error

    parser = ConfigParser(delimiters="=", interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]  # module names keep their case
    try:
        parser.read_string(text.decode())
    except (Error, UnicodeDecodeError) as error:
        raise ReproError(
            f"{str(file)!r} names {group} and can't be read: {error!r}",
            hint="install its package again, or remove it",
        ) from None
    return dict(parser[group]) if parser.has_section(group) else {}
