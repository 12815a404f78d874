"""Whatever is thrown at what reads input: a clear error or a right answer, and never half of it."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import repro_env
from repro_env import knobs
from repro_env import settings as environment
from repro_env.state import FORMAT, VERSION, RngState, _digest
from repro_env.streams import derive

ANYTHING: Any = st.one_of(
    st.none(), st.booleans(), st.floats(), st.text(), st.binary(), st.integers(),
    st.integers(0, 2**32 - 1), st.lists(st.integers()), st.complex_numbers(), st.decimals(),
)  # fmt: skip
TEXTS = st.one_of(
    st.text(),
    st.integers().map(str),
    st.integers(0, 2**32 - 1).map(str),
    st.sampled_from(["", "0", "1", "derive", "off", "٣", "1_0", " 1", "1\n", "0x1", "1e3"]),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.lists(st.one_of(st.text(), st.integers()), max_size=5)
# No deadline: machines are busy. No database: the project is mounted read-only.
MANY = settings(max_examples=500, deadline=None, database=None)
# The fixture puts back at the end of all examples what each of them may write.
WITH_ENVIRONMENT = settings(MANY, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_SEED", "42")  # and back, whatever is written there


@given(ANYTHING)
@WITH_ENVIRONMENT
def test_what_is_no_seed_is_refused_before_anything_is_touched(seed: Any) -> None:
    assume(seed is not None and not (type(seed) is int and 0 <= seed < 2**32))
    before = random.getstate(), dict(os.environ)

    with pytest.raises(repro_env.SeedError, match=r"is not a whole number in 0\.\.4294967295"):
        repro_env.seed_everything(seed)

    assert (random.getstate(), dict(os.environ)) == before


@given(st.integers(0, 2**32 - 1))
@WITH_ENVIRONMENT
def test_every_seed_is_taken_and_draws_what_pythons_recipe_draws(seed: int) -> None:
    assert repro_env.seed_everything(seed) == seed
    assert random.random() == random.Random(seed).random()
    assert repro_env.seed_everything() == seed


def outcome(read: Callable[[], Any]) -> tuple[Any, repro_env.SettingError | None]:
    try:
        return read(), None
    except repro_env.SettingError as error:
        return None, error


@given(st.dictionaries(st.sampled_from(list(knobs.image_variables())), TEXTS))
@MANY
def test_the_environment_is_read_as_it_says_or_refused_by_name(environ: dict[str, str]) -> None:
    seed, error = outcome(lambda: environment.read_seed(environ))

    if error is not None:
        assert any(name in str(error) for name in (*environ, "PYTHONHASHSEED"))
        assert error.hint
    else:
        assert str(seed) == (environ.get("REPRO_SEED", "None").lstrip("0") or "0")


@given(TEXTS, TEXTS)
@MANY
def test_a_rank_is_a_place_below_the_size_or_refused(rank: str, size: str) -> None:
    found, error = outcome(lambda: environment.read_rank({"RANK": rank, "WORLD_SIZE": size}))

    assert error is None or repr(rank) in str(error)
    assert found is None or 0 <= found < int(size)


@given(st.binary())
@WITH_ENVIRONMENT
def test_bytes_that_are_no_states_are_refused(text: bytes) -> None:
    with pytest.raises(repro_env.StateError):
        RngState.from_bytes(text)


@given(st.dictionaries(st.sampled_from(["python", "repro_env", "yours: x"]), JSON), JSON)
@MANY
def test_states_that_say_something_else_are_refused_and_nothing_changes(
    states: dict[str, Any], versions: Any
) -> None:
    now = repro_env.rng_state()
    content = {"versions": versions, "states": {**now.states, **states}}
    document = {"format": FORMAT, "version": VERSION, "sha256": _digest(content), **content}
    before = random.getstate()

    with pytest.raises(repro_env.StateError):
        repro_env.restore_rng(RngState.from_bytes(json.dumps(document).encode()))

    assert random.getstate() == before


@given(st.data())
@WITH_ENVIRONMENT
def test_a_damaged_file_is_refused(data: st.DataObject) -> None:
    text = bytearray(repro_env.rng_state().to_bytes())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))

    try:
        state = RngState.from_bytes(bytes(text))
    except repro_env.StateError:
        return
    assert state == repro_env.rng_state()  # a space for another one


@given(st.integers(0, 2**32 - 1), KEYS, KEYS)
@WITH_ENVIRONMENT
def test_two_paths_lead_to_one_seed_only_if_they_are_one(
    seed: int, one: list[Any], other: list[Any]
) -> None:
    same = one == other and [*map(type, one)] == [*map(type, other)]

    assert (derive(seed, *one) == derive(seed, *other)) == same
    assert 0 <= derive(seed, *one) < 2**128
