"""The catalogue: what follows from it is rendered, and illegal values are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from rendering import render

from repro_env import knobs, settings
from repro_env.errors import SettingError
from repro_env.knob import Profile
from tests.conftest import PROJECT, SEEDED

LEGAL = [
    pytest.param("REPRO_SEED", "0", id="smallest seed"),
    pytest.param("REPRO_SEED", "4294967295", id="largest seed"),
    pytest.param("PYTHONHASHSEED", "4294967295", id="largest hash seed"),
    pytest.param("TF_DETERMINISTIC_OPS", "true", id="TensorFlow's other yes"),
    pytest.param("TF_DETERMINISTIC_OPS", "0", id="the user's no"),
    pytest.param("CUBLAS_WORKSPACE_CONFIG", ":16:8", id="the small workspace"),
    pytest.param("TZ", "Europe/Vienna", id="any time zone"),
    pytest.param("REPRO_PROFILE", "portable", id="the other profile"),
    pytest.param("REPRO_THREADS", "1024", id="most threads"),
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
    pytest.param("REPRO_PROFILE", "nonsense", id="no profile"),
    pytest.param("REPRO_PROFILE", "", id="empty profile"),
    pytest.param("REPRO_THREADS", "0", id="no threads"),
    pytest.param("REPRO_THREADS", "-1", id="negative threads"),
    pytest.param("REPRO_THREADS", "1e3", id="threads in another notation"),
    pytest.param("REPRO_THREADS", "1025", id="too many threads"),
    pytest.param("PYTHONHASHSEED", "random", id="random hash seed"),
    pytest.param("PYTHONHASHSEED", "", id="empty hash seed"),
    pytest.param("TF_DETERMINISTIC_OPS", "yes", id="TensorFlow would abort"),
    pytest.param("CUBLAS_WORKSPACE_CONFIG", ":0:0", id="workspace that repeats nothing"),
]


@pytest.mark.parametrize(("name", "text"), LEGAL)
def test_a_legal_value_passes(name: str, text: str) -> None:
    settings.check({**SEEDED, name: text})


@pytest.mark.parametrize(("name", "text"), ILLEGAL)
def test_an_illegal_value_is_refused_by_name_with_its_range_and_a_way_out(
    name: str, text: str
) -> None:
    with pytest.raises(SettingError) as caught:
        settings.check({**SEEDED, name: text})

    assert f"{name}={text!r} is not" in str(caught.value)
    value = knobs.knob(name).repeatable
    advice = f"set {name}={value}, the image's own value" if value else f"unset {name}"
    assert caught.value.hint == advice


def test_a_missing_hash_seed_is_refused() -> None:
    with pytest.raises(SettingError, match="PYTHONHASHSEED is not set"):
        settings.check({"REPRO_SEED": "42"})


def test_every_knob_has_a_reason_a_source_and_values_that_serve() -> None:
    for knob in knobs.KNOBS:
        assert knob.why, knob.name
        assert knob.source.startswith("https://"), knob.name
        assert knob.is_variable or knob.read, knob.name
        for profile in (Profile(), Profile("portable", 4)):
            wanted = knob.wanted(profile)
            if wanted:
                assert knob.serves(wanted, profile), knob.name
                assert not knob.legal or settings.is_one_of(wanted, knob.legal), knob.name


def test_no_knob_stands_there_twice() -> None:
    names = [knob.name for knob in knobs.KNOBS]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", list(render(PROJECT)), ids=lambda path: path.name)
def test_what_follows_from_the_catalogue_is_rendered_from_it(path: Path) -> None:
    assert render(PROJECT)[path] == path.read_text(), "run scripts/knobs"


def test_another_value_of_a_knob_changes_all_that_is_rendered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = render(PROJECT)
    others = {
        "PYTHONHASHSEED": knobs.knob("PYTHONHASHSEED")._replace(repeatable="7"),
        "OMP_DYNAMIC": knobs.knob("OMP_DYNAMIC")._replace(portable="TRUE"),
    }
    changed = tuple(others.get(knob.name, knob) for knob in knobs.KNOBS)

    monkeypatch.setattr(knobs, "KNOBS", changed)
    monkeypatch.setattr("rendering.KNOBS", changed)

    after = render(PROJECT)
    assert all(after[path] != before[path] for path in before)
