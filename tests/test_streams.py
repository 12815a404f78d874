"""Seeds from paths of keys: what must come out, and that no two paths lead to one."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from repro_env.errors import SeedError
from repro_env.streams import derive, expand
from tests.conftest import PROJECT

GOLDEN = json.loads((PROJECT / "tests/golden/streams.json").read_text())


@pytest.mark.parametrize("vector", GOLDEN["derive"], ids=lambda vector: vector["hex"][:6])
def test_a_path_leads_to_its_golden_seed(vector: dict[str, Any]) -> None:
    assert f"{derive(vector['seed'], *vector['path']):032x}" == vector["hex"]


def test_golden_seeds_are_all_distinct() -> None:
    assert len({vector["hex"] for vector in GOLDEN["derive"]}) == len(GOLDEN["derive"])


def test_the_command_in_the_docs_gives_what_it_says() -> None:
    text = (PROJECT / "docs/streams.md").read_text()
    command, printed = re.findall(r"\$ (printf .*)\n([0-9a-f]{32})", text)[0]

    found = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True
    ).stdout

    assert found.strip() == printed == f"{derive(42, 'stream', 'augment', 3):032x}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "b"), ("ab",), id="joined"),
        pytest.param(("1",), (1,), id="a string and a number"),
        pytest.param((1, 2), (12,), id="digits"),
        pytest.param(("a",), ("a", ""), id="an empty key"),
        pytest.param(("a;s1:b",), ("a", "b"), id="a key that looks like two"),
        pytest.param((-1,), (1,), id="a sign"),
        pytest.param(("\udc80",), ("\udc81",), id="file names that are no Unicode"),
    ],
)
def test_two_paths_lead_to_two_seeds(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert derive(42, *one) != derive(42, *other)
    assert derive(42, *one) == derive(42, *one)


def test_two_seeds_lead_one_path_to_two() -> None:
    assert derive(42, "a") != derive(43, "a")


@pytest.mark.parametrize("key", [True, 1.0, None, b"a", ("a",)], ids=repr)
def test_a_key_that_is_neither_string_nor_whole_number_is_named(key: Any) -> None:
    with pytest.raises(SeedError, match=re.escape(f"the key {key!r} is a {type(key).__name__}")):
        derive(42, key)


def test_more_bytes_begin_with_fewer() -> None:
    assert expand(1, 100)[:10] == expand(1, 10)
    assert expand(1, 10) != expand(2, 10)
