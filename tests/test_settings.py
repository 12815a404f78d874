"""`REPRO_*`: read in one place, refused when it can't be honoured."""

from __future__ import annotations

import pytest

from repro_env import settings
from repro_env.errors import SettingError
from tests.conftest import SEEDED


def test_the_seed_is_read() -> None:
    assert settings.read_seed({**SEEDED, "REPRO_SEED": "7"}) == 7


def test_without_a_seed_nothing_is_asked_for() -> None:
    assert settings.read_seed({"PYTHONHASHSEED": "random"}) is None


def test_disabled_nothing_is_asked_for_whatever_the_seed() -> None:
    assert settings.read_seed({"REPRO_SEED": "abc", "REPRO_DISABLE": "1"}) is None


@pytest.mark.parametrize("text", ["", "0"])
def test_an_empty_or_zero_disable_leaves_the_hook_on(text: str) -> None:
    assert settings.read_seed({**SEEDED, "REPRO_DISABLE": text}) == 42


@pytest.mark.parametrize("text", ["yes", "true", "2", " 1"])
def test_any_other_disable_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="REPRO_DISABLE="):
        settings.is_disabled({"REPRO_DISABLE": text})
