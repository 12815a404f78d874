"""The catalogue: what follows from it is rendered, and illegal values are refused."""

from __future__ import annotations

import pytest

from repro_env import knobs
from repro_env.errors import SettingError
from tests.conftest import PROJECT, SEEDED

LEGAL = [
    pytest.param("REPRO_SEED", "0", id="smallest seed"),
    pytest.param("REPRO_SEED", "4294967295", id="largest seed"),
    pytest.param("PYTHONHASHSEED", "4294967295", id="largest hash seed"),
    pytest.param("TF_DETERMINISTIC_OPS", "true", id="TensorFlow's other yes"),
    pytest.param("TF_DETERMINISTIC_OPS", "0", id="the user's no"),
    pytest.param("CUBLAS_WORKSPACE_CONFIG", ":16:8", id="the small workspace"),
    pytest.param("TZ", "Europe/Vienna", id="any time zone"),
]
ILLEGAL = [
    pytest.param("REPRO_SEED", "-1", id="negative seed"),
    pytest.param("REPRO_SEED", "4294967296", id="seed too large"),
    pytest.param("REPRO_SEED", "abc", id="seed is no number"),
    pytest.param("REPRO_SEED", "", id="empty seed"),
    pytest.param("REPRO_SEED", "4.2", id="fractional seed"),
    pytest.param("REPRO_SEED", " 42", id="space before the seed"),
    pytest.param("REPRO_SEED", "+42", id="signed seed"),
    pytest.param("REPRO_SEED", "٤٢", id="seed in other digits"),
    pytest.param("REPRO_SEED", "9" * 5000, id="seed of 5000 digits"),
    pytest.param("PYTHONHASHSEED", "random", id="random hash seed"),
    pytest.param("PYTHONHASHSEED", "", id="empty hash seed"),
    pytest.param("TF_DETERMINISTIC_OPS", "yes", id="TensorFlow would abort"),
    pytest.param("CUBLAS_WORKSPACE_CONFIG", ":0:0", id="workspace that repeats nothing"),
]


@pytest.mark.parametrize(("name", "text"), LEGAL)
def test_a_legal_value_passes(name: str, text: str) -> None:
    knobs.check({**SEEDED, name: text})


@pytest.mark.parametrize(("name", "text"), ILLEGAL)
def test_an_illegal_value_is_refused_by_name_with_its_range_and_a_way_out(
    name: str, text: str
) -> None:
    with pytest.raises(SettingError) as caught:
        knobs.check({**SEEDED, name: text})

    assert f"{name}={text!r} is not" in str(caught.value)
    assert caught.value.hint == f"set {name}={_knob(name).value}, the image's own value"


def test_a_missing_hash_seed_is_refused() -> None:
    with pytest.raises(SettingError, match="PYTHONHASHSEED is not set"):
        knobs.check({"REPRO_SEED": "42"})


def test_every_knob_of_the_image_has_a_legal_value_a_reason_and_a_source() -> None:
    for knob in knobs.KNOBS:
        assert knob.is_legal(knob.value), knob.name
        assert knob.why, knob.name
        assert knob.source.startswith("https://"), knob.name


def test_the_dockerfile_is_rendered_from_the_table() -> None:
    assert knobs.dockerfile_env() in (PROJECT / "Dockerfile").read_text(), "run scripts/knobs"


def test_the_page_of_knobs_is_rendered_from_the_table() -> None:
    assert knobs.markdown() == (PROJECT / "docs/knobs.md").read_text(), "run scripts/knobs"


def _knob(name: str) -> knobs.Knob:
    return next(knob for knob in knobs.KNOBS if knob.name == name)
