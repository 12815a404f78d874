"""Each question is asked by name, and answered by the module of that name."""

from __future__ import annotations

import importlib

import pytest
from images.__main__ import COMMANDS

from tests.images.test_compare import images


def test_the_help_names_every_subcommand() -> None:
    told = images("--help")

    assert told.returncode == 0
    assert [name for name in COMMANDS if name not in told.stdout] == []


@pytest.mark.parametrize("name", ["diff", "verify"])
def test_a_subcommand_is_described_as_its_module_is(name: str) -> None:
    module = importlib.import_module(f"images.{name}")

    assert (module.__doc__ or "").splitlines()[0] == COMMANDS[name]
    assert COMMANDS[name].split(":")[0] in " ".join(images(name, "--help").stdout.split())


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["verify"], ["diff", "--nonsense"]])
def test_what_is_not_understood_is_refused(arguments: list[str]) -> None:
    told = images(*arguments)

    assert (told.returncode, told.stdout) == (2, "")
    assert "usage: images" in told.stderr
