"""Generator states, taken and put back: the next draw is the one that would have come."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import repro_env
from repro_env.state import RngState
from tests.conftest import SEEDED, Run

CHILD = """
import os, random, repro_env
def child():
    if os.fork() == 0:
        os.write(1, (repr(random.random()) + "\\n").encode())
        os._exit(0)
    os.wait()
"""


def draw() -> list[float]:
    return [random.random(), random.gauss(0, 1), random.random()]


def test_after_restoring_the_same_numbers_come_again() -> None:
    random.gauss(0, 1)  # leaves a second number for the next call
    state = repro_env.rng_state()
    first = draw()

    repro_env.restore_rng(state)

    assert draw() == first
    assert draw() != first


def test_a_state_survives_its_bytes() -> None:
    state = repro_env.rng_state()

    assert RngState.from_bytes(state.to_bytes()) == state


def test_a_file_goes_on_in_another_process(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rng.json"
    save = f"""
import random, repro_env
[random.random() for _ in range(5)]
repro_env.save_rng({str(file)!r})
print(random.random())
"""
    load = f"import random, repro_env; repro_env.load_rng({str(file)!r}); print(random.random())"

    assert (
        run(save).stdout == run(load).stdout != run("import random; print(random.random())").stdout
    )


def test_generators_of_ones_own_go_with_them() -> None:
    mine = random.Random(3)
    state = repro_env.rng_state({"mine": mine})
    first = [mine.random() for _ in range(3)]

    repro_env.restore_rng(state, {"mine": mine})

    assert [mine.random() for _ in range(3)] == first


def test_isolation_takes_back_what_was_drawn_inside() -> None:
    state = random.getstate()

    with repro_env.isolated_rng():
        draw()

    assert random.getstate() == state


def test_isolation_takes_it_back_when_the_body_raises() -> None:
    state = random.getstate()

    with pytest.raises(IndexError), repro_env.isolated_rng():
        draw()[99]

    assert random.getstate() == state


def test_a_library_imported_in_isolation_is_at_its_start_outside(run: Run) -> None:
    code = """
import repro_env
with repro_env.isolated_rng():
    import random
    random.random()
print(random.random())
"""

    assert float(run(code).stdout) == random.Random(42).random()


def test_another_seed_in_isolation_is_the_old_one_outside(run: Run) -> None:
    code = """
import os, random, repro_env
before = repro_env.seed_for("x")
with repro_env.isolated_rng():
    repro_env.seed_everything(9)
    print(repro_env.seed_for("x") == before, os.environ["REPRO_SEED"])
print(repro_env.seed_for("x") == before, os.environ["REPRO_SEED"], random.random())
"""

    assert run(code).stdout == f"False 9\nTrue 42 {random.Random(42).random()}\n"


def test_children_forked_in_isolation_and_after_it_differ(run: Run) -> None:
    code = (
        CHILD
        + """
with repro_env.isolated_rng():
    child()
child()
"""
    )

    inside, after = run(code).stdout.split()

    assert inside != after


def test_restoring_keeps_count_of_children(run: Run) -> None:
    code = (
        CHILD
        + """
child()
state = repro_env.rng_state()
child()
repro_env.restore_rng(state)
child()
"""
    )

    first, second, again = run(code).stdout.split()

    assert second == again != first


def test_saving_leaves_no_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rng.json"
    repro_env.save_rng(file)
    before = file.read_bytes()

    with pytest.raises(repro_env.StateError, match="other is a object, whose state can't be kept"):
        repro_env.save_rng(file, {"other": object()})

    assert file.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["rng.json"]


@pytest.mark.parametrize("function", [repro_env.save_rng, repro_env.load_rng])
def test_a_file_that_cannot_be_reached_is_named(tmp_path: Path, function: Any) -> None:
    missing = tmp_path / "nowhere" / "rng.json"

    with pytest.raises(repro_env.StateError, match=f"'{missing}' can't be .*: No such file"):
        function(missing)


@pytest.mark.parametrize("function", [repro_env.save_rng, repro_env.load_rng])
@pytest.mark.parametrize("name", ["", "a\nb/c", "a\0b", "/"], ids=repr)
def test_a_name_that_is_no_file_of_ours_is_named_on_one_line(function: Any, name: str) -> None:
    with pytest.raises(repro_env.StateError) as error:
        function(name)

    assert f"{name!r} can't be " in str(error.value)
    assert len(str(error.value).splitlines()) == 2


def test_a_saved_file_is_as_readable_as_others(tmp_path: Path) -> None:
    (tmp_path / "other").touch()

    repro_env.save_rng(tmp_path / "rng.json")

    modes = [(tmp_path / name).stat().st_mode for name in ("other", "rng.json")]
    assert modes[0] == modes[1]


def test_a_child_that_leaves_isolation_is_not_its_parent(run: Run) -> None:
    code = """
import os, random, repro_env
with repro_env.isolated_rng():
    child = os.fork()
if child == 0:
    print(random.random(), flush=True)
    os._exit(0)
os.wait()
print(random.random())
"""

    child, parent = run(code).stdout.split()

    assert child != parent
    assert float(parent) == random.Random(42).random()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"\x80\x04", "is not JSON", id="a pickle"),
        pytest.param(b"[" * 100_000, "is not JSON", id="too deep"),
        pytest.param(b"[]", "does not say format", id="a list"),
        pytest.param(b'{"format": "other"}', "does not say format", id="another format"),
        pytest.param(
            b'{"format": "repro-env rng state", "version": 2}',
            "of version 2, this is 1",
            id="newer",
        ),
        pytest.param(
            b'{"format": "repro-env rng state", "version": 1}',
            "does not have the sha256",
            id="bare",
        ),
    ],
)
def test_what_is_no_file_of_states_is_told_apart(tmp_path: Path, text: bytes, said: str) -> None:
    file = tmp_path / "rng.json"
    file.write_bytes(text)

    with pytest.raises(repro_env.StateError, match=said):
        repro_env.load_rng(file)


def change(state: RngState, **parts: Any) -> RngState:
    """Return a state that is written well, and says something else."""
    return RngState.from_bytes(state._replace(**parts).to_bytes())


def test_every_misfit_is_named_and_nothing_changes() -> None:
    state = repro_env.rng_state({"mine": random.Random(1)})
    wrong = change(
        state,
        versions={**state.versions, "random": "2.7", "elsewhere": "1.0"},
        states={**state.states, "python": "nonsense", "torch cuda:9": ""},
    )
    before = random.getstate()

    with pytest.raises(repro_env.StateError) as error:
        repro_env.restore_rng(wrong, {"other": random.Random(1)})

    said = str(error.value)
    for part in (
        "generators: torch cuda:9 is not here",
        "generators: yours: mine is not here",
        "generators: yours: other was not there",
        "versions: random was 2.7 and is ",
        "versions: elsewhere is not here",
        "the state of python is none of its kind",
    ):
        assert part in said
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("env", "said"),
    [
        pytest.param({**SEEDED, "REPRO_SEED": "7"}, "seed was 42 and is 7", id="another seed"),
        pytest.param(
            {**SEEDED, "RANK": "1", "WORLD_SIZE": "2"}, "place was '' and is 'rank 1'", id="a rank"
        ),
        pytest.param({}, "generators: repro_env is not here", id="no seed"),
    ],
)
def test_states_of_another_kind_of_process_are_refused(
    run: Run, tmp_path: Path, env: dict[str, str], said: str
) -> None:
    file = tmp_path / "rng.json"
    assert run(f"import repro_env; repro_env.save_rng({str(file)!r})").returncode == 0

    result = run(f"import repro_env; repro_env.load_rng({str(file)!r})", env=env)

    assert result.returncode == 1
    assert said in result.stderr


def test_one_flipped_digit_is_damage(tmp_path: Path) -> None:
    file = tmp_path / "rng.json"
    repro_env.save_rng(file)
    text = json.loads(file.read_text())
    text["states"]["python"]["words"][3] ^= 1
    file.write_text(json.dumps(text))

    with pytest.raises(repro_env.StateError, match="does not have the sha256"):
        repro_env.load_rng(file)
