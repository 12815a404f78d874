"""What a program says of its own steps is written as it happens, and read as it was written."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

import repro_env
from repro_env.errors import RecordError, ReproError
from repro_env.steps import alignment, stream
from tests.conftest import SEEDED, Run
from tests.steps_cases import Traced, prepare

LOOP = """
import random, repro_env
for k in range(1, 6):
    loss = random.random()
    {fault}
    repro_env.step(k, loss=loss, weights=[0.5 * k, 2], name={{"of": "a"}})
"""
PLAIN = LOOP.format(fault="")


@pytest.fixture
def traced(run: Run, tmp_path: Path) -> Traced:
    return Traced(run, tmp_path)


def test_without_a_trace_a_step_does_nothing_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    code = f"import os; os.chdir({str(tmp_path)!r})\n{PLAIN}\nprint(random.random())"
    untold = code.replace("repro_env.step(", "dict(k=")

    assert run(code).stdout == run(untold.replace("dict(k=k", "dict(k=k")).stdout != ""
    assert list(tmp_path.iterdir()) == []


def test_without_a_trace_nothing_of_it_is_imported_at_the_start(run: Run) -> None:
    code = "import sys; print([name for name in sys.modules if 'repro_env.trace' in name])"

    assert run(code).stdout == "[]\n"


def test_a_step_changes_nothing_of_what_is_drawn(traced: Traced) -> None:
    code = PLAIN + "print(random.random(), random.getstate()[1][-1])"

    assert traced.printed(code) == traced.plain(code)


def test_the_stream_holds_each_step_in_its_order(traced: Traced) -> None:
    found = traced.main(PLAIN)

    assert [(entry.source, entry.step) for entry in found.entries] == [
        ("step", k) for k in range(1, 6)
    ]
    assert found.entries[0].columns == (
        ("generator python", ""),
        ("array loss", "float"),
        ("array weights", "list [2]"),
        ("array name.of", "str"),
    )
    assert found.place == ""


def test_numbers_are_kept_to_their_last_bit(traced: Traced) -> None:
    found = traced.main("import repro_env\nrepro_env.step(3, accuracy=0.1, count=7, word='a')")

    assert found.entries[0].values == {"accuracy": 0.1, "count": 7.0}


def test_two_equal_programs_leave_equal_streams(traced: Traced) -> None:
    assert traced.first(PLAIN, PLAIN) is None


def test_the_first_step_that_differs_is_found(traced: Traced) -> None:
    other = LOOP.format(fault="loss += 2 ** -50 * (k >= 3)")

    found = traced.first(PLAIN, other)

    assert found is not None
    assert (found.step, found.entry, found.columns) == (3, 2, ("array loss",))
    assert found.text == "step 3 of step: array loss differs"


def test_a_draw_more_is_found_in_the_generator(traced: Traced) -> None:
    found = traced.first(PLAIN, LOOP.format(fault="k == 4 and random.random()"))

    assert found is not None
    assert (found.step, found.columns[0]) == (4, "generator python")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("0.0", "-0.0", id="the sign of zero"),
        pytest.param("1", "1.0", id="the type"),
        pytest.param("True", "1", id="a truth value"),
        pytest.param("[1.0, 2.0]", "[2.0, 1.0]", id="the order"),
        pytest.param("[1.0]", "1.0", id="a list"),
        pytest.param("float('nan')", "-float('nan')", id="the bits of NaN"),
        pytest.param("'a'", "b'a'", id="bytes"),
        pytest.param("{'a': 1}", "{'b': 1}", id="a key"),
        pytest.param("[1, '2']", "[1, '3']", id="in a mixed list"),
    ],
)
def test_a_digest_tells_apart(traced: Traced, one: str, other: str) -> None:
    call = "import repro_env; repro_env.step(1, x={})"

    assert traced.first(call.format(one), call.format(other)) is not None


def test_what_cant_be_read_is_said_in_its_column_and_harms_nothing(traced: Traced) -> None:
    found = traced.main("import repro_env; repro_env.step(1, x=object(), y=1)")

    assert dict(found.entries[0].columns)["array x"] == "object, unreadable: TypeError"


@pytest.mark.parametrize("k", ["1.0", "'1'", "None"])
def test_a_number_that_is_not_whole_is_refused_traced_or_not(k: str) -> None:
    with pytest.raises(ReproError, match=r"not a whole number\n  what to do: count the steps"):
        repro_env.step(eval(k))


def test_steps_go_by_the_programs_own_numbers(traced: Traced) -> None:
    code = "import repro_env\nfor k in (0, -3, 7, 7): repro_env.step(k, x=k)"

    assert [entry.step for entry in traced.main(code).entries] == [0, -3, 7, 7]


def test_a_killed_process_leaves_all_its_steps(hooked_python: Path, tmp_path: Path) -> None:
    code = """
import repro_env
k = 0
while True:
    k += 1
    repro_env.step(k, x=list(range(100)))
    print(k, flush=True)
"""
    env = {**SEEDED, **prepare(tmp_path / "trace")}
    with subprocess.Popen([hooked_python, "-c", code], env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 50:
            pass
        process.send_signal(signal.SIGKILL)

    (found,) = stream.read(tmp_path / "trace").values()

    assert len(found.entries) >= 50
    assert [entry.step for entry in found.entries] == [*range(1, len(found.entries) + 1)]


def test_a_fork_writes_a_stream_of_its_own(traced: Traced) -> None:
    code = """
import os, repro_env
repro_env.step(1, x=1)
if not os.fork():
    repro_env.step(2, x=2)
    os._exit(0)
os.wait()
repro_env.step(3, x=3)
"""
    found = traced.streams(code)

    steps = {place: [entry.step for entry in one.entries] for place, one in found.items()}
    assert steps == {"": [1, 3], "fork 1": [2]}


def test_processes_where_nothing_is_seeded_are_told_apart_too(run: Run, tmp_path: Path) -> None:
    code = """
import os, sys, subprocess, repro_env
repro_env.step(1, x=1)
if not os.fork():
    repro_env.step(2, x=2)
    os._exit(0)
os.wait()
subprocess.run([sys.executable, "-c", "import repro_env; repro_env.step(3, x=3)"], check=True)
"""
    run(code, env={"REPRO_DISABLE": "1", **prepare(tmp_path / "trace")})

    found = stream.read(tmp_path / "trace")

    assert {place: one.entries[0].step for place, one in found.items()} == {
        "": 1,
        "fork 1": 2,
        "(2)": 3,
    }


def test_a_program_may_close_all_files_and_go_elsewhere(traced: Traced) -> None:
    code = f"import os\n{PLAIN}\nos.closerange(3, 100)\nos.chdir('/')\nrepro_env.step(6, x=1)"

    assert len(traced.main(code).entries) == 6


def test_threads_write_whole_entries(traced: Traced) -> None:
    code = """
import threading, repro_env
def work(name):
    for k in range(50):
        repro_env.step(k, **{name: list(range(50))})
threads = [threading.Thread(target=work, args=[f"x{n}"]) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    assert len(traced.main(code).entries) == 200


def test_a_folder_that_cant_be_written_ends_nothing(run: Run, tmp_path: Path) -> None:
    env = {**SEEDED, **prepare(tmp_path / "trace")}
    code = f"import shutil; shutil.rmtree({str(tmp_path / 'trace')!r})\n{PLAIN}\nprint('done')"

    assert run(code, env=env).stdout == "done\n"
    assert run("print('done')", env={**SEEDED, "REPRO_TRACE": str(tmp_path / "no")}).stdout


def test_without_the_fast_hash_the_stream_names_the_other_one(traced: Traced) -> None:
    found = traced.main(f"import sys; sys.modules['xxhash'] = None\n{PLAIN}")

    assert found.hash == "blake2b_64"
    assert len(found.entries) == 5


def test_a_close_look_at_a_named_step_holds_what_was_handed_over(traced: Traced) -> None:
    other = LOOP.format(fault="loss += 2 ** -50 * (k >= 3)")
    where = traced.first(PLAIN, other)
    assert where is not None

    found = traced.cause(PLAIN, other, where)

    assert found.text == "array loss differs after step 3"


def lines(*objects: dict[str, object]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


HEAD = {"format": 1, "place": "", "hash": "xxh3_64"}
COLUMNS = {"columns": 0, "of": [["loss", "float32 []"]]}


def entry(step: int, digest: str = "0" * 16, source: str = "Adam") -> dict[str, object]:
    line = {"columns": 0, "source": source, "step": step, "loss": None, "values": {}}
    return {**line, "digests": digest}


def written(folder: Path, *objects: dict[str, object], cut: bytes = b"") -> stream.Stream:
    folder.mkdir()
    (folder / "1-2.steps.jsonl").write_bytes(lines(HEAD, COLUMNS, *objects) + cut)
    return stream.read(folder)[""]


def test_a_last_line_that_is_cut_is_skipped(tmp_path: Path) -> None:
    found = written(tmp_path / "a", entry(1), entry(2), cut=b'{"columns":0,"sour')

    assert [one.step for one in found.entries] == [1, 2]


def test_a_stream_that_is_damaged_elsewhere_is_refused(tmp_path: Path) -> None:
    damaged: list[dict[str, object]] = [
        {"columns": 0},
        entry(1, "0" * 15),
        {**entry(1), "columns": 1},
        {**entry(1), "loss": 1},
    ]
    for number, bad in enumerate(damaged):
        with pytest.raises(RecordError, match="is no stream of steps"):
            written(tmp_path / str(number), bad, entry(2))


def test_streams_of_unequal_length_are_aligned(tmp_path: Path) -> None:
    a = written(tmp_path / "a", entry(1), entry(2), entry(3))
    b = written(tmp_path / "b", entry(1), entry(2))

    found = alignment.first_difference(a, b)

    assert found is not None
    assert (found.entry, found.step, found.missing) == (2, 3, "B")
    assert found.text == "only the reference has step 3 of Adam"
    assert alignment.align(a, b).only_in_a == (2,)


def test_a_difference_counts_before_a_missing_entry(tmp_path: Path) -> None:
    a = written(tmp_path / "a", entry(1), entry(2), entry(3))
    b = written(tmp_path / "b", entry(1), entry(2, "1" * 16))

    spread = alignment.spread(a, b)

    assert [(one.step, one.columns) for one in spread] == [(2, ("loss",)), (3, ())]


def test_another_order_is_aligned_and_said(tmp_path: Path) -> None:
    a = written(tmp_path / "a", entry(1), entry(1, "1" * 16, "SGD"), entry(2))
    b = written(tmp_path / "b", entry(1, "1" * 16, "SGD"), entry(1), entry(2))

    assert alignment.first_difference(a, b) is None
    assert not alignment.align(a, b).is_in_order
    assert alignment.align(a, a).is_in_order


def test_a_step_that_is_named_twice_is_aligned_by_its_turn(tmp_path: Path) -> None:
    a = written(tmp_path / "a", entry(7), entry(7, "1" * 16))
    b = written(tmp_path / "b", entry(7), entry(7, "2" * 16), entry(7))

    spread = alignment.spread(a, b)

    assert [(one.entry, one.number, one.missing) for one in spread] == [(1, 1, ""), (2, 2, "A")]


def test_a_column_of_another_type_or_of_one_stream_alone_is_named(tmp_path: Path) -> None:
    def one(name: str, *columns: tuple[str, str]) -> stream.Stream:
        (tmp_path / name).mkdir()
        of = {"columns": 0, "of": list(map(list, columns))}
        text = lines(HEAD, of, entry(1, "0" * 16 * len(columns)))
        (tmp_path / name / "1-2.steps.jsonl").write_bytes(text)
        return stream.read(tmp_path / name)[""]

    found = alignment.first_difference(
        one("a", ("loss", "float32 []"), ("x", "int64 [1]")),
        one("b", ("loss", "float64 []"), ("y", "int64 [1]")),
    )

    assert found is not None
    assert [(each.name, each.how) for each in found.differences] == [
        ("loss", "type or shape"),
        ("x", "only in A"),
        ("y", "only in B"),
    ]
    assert found.text.startswith(
        "step 1 of Adam: loss is float32 [] in the reference, float64 [] here"
    )


def test_streams_by_different_hashes_are_not_compared(tmp_path: Path) -> None:
    a = written(tmp_path / "a", entry(1))

    with pytest.raises(RecordError, match="blake2b_64"):
        alignment.first_difference(a, a._replace(hash="blake2b_64"))
