"""Two files or folders: what is the same, what differs, and where, in words that print."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import socket
import struct
from pathlib import Path

import pytest

from repro_env.content import differences, places, tables
from repro_env.content.contents import Difference
from repro_env.content.differences import Compared
from repro_env.errors import ReproError
from repro_env.paths import from_text
from tests.conftest import Run

EVENTS = "events.out.tfevents"


@pytest.fixture
def a(tmp_path: Path) -> Path:
    (tmp_path / "A").mkdir()
    return tmp_path / "A"


@pytest.fixture
def b(tmp_path: Path) -> Path:
    (tmp_path / "B").mkdir()
    return tmp_path / "B"


def files(a: Path, b: Path, name: str, one: bytes | str, other: bytes | str) -> Compared:
    """Compare two files of these contents."""
    for folder, content in ((a, one), (b, other)):
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return differences.of(a / name, b / name)


def only(compared: Compared) -> Difference:
    """Return the one difference there is."""
    assert compared.verdict == "different"
    (difference,) = compared.differences
    assert difference.text.isprintable()
    return difference


def test_the_same_bytes_are_identical_whatever_they_are(a: Path, b: Path) -> None:
    same = Compared("identical bytes", "", ())

    assert files(a, b, "x.json", "no json {", "no json {") == same
    assert files(a, b, "x.bin", b"\xff" * 3_000_000, b"\xff" * 3_000_000) == same
    assert files(a, b, "empty", "", "") == same


def test_a_file_without_a_reader_counts_by_its_bytes_and_says_why(a: Path, b: Path) -> None:
    long = bytes(2_000_000)

    found = only(files(a, b, "x.bin", long + b"\x01\x02", long + b"\x01\x03\x04"))

    assert (found.path, found.part, found.kind) == ("", "", "bytes")
    assert "offset 2,000,001: 0x02 and 0x03; 2,000,002 and 2,000,003 bytes" in found.text
    assert found.text.endswith("by bytes: no content digest for .bin files")


@pytest.mark.parametrize(("one", "other", "longer"), [(b"\0", b"\0\1", "B"), (b"\0\1", b"\0", "A")])
def test_a_file_that_goes_on_is_named(
    a: Path, b: Path, one: bytes, other: bytes, longer: str
) -> None:
    assert only(files(a, b, "x.bin", one, other)).text.startswith(
        f"only {longer} goes on after 1 b"
    )


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (
            "a\nloss 0.12\n",
            "a\nloss 0.13\n",
            r"line 2 differs at character 9: 'loss 0.12\n' and 'l",
        ),
        ("a\n", "a\nb\nc\n", r"only B goes on from line 2: 'b\n'"),
        ("a\nb", "a\n", "only A goes on from line 2: 'b'"),
        ("", "q", "only B goes on from line 1: 'q'"),
        ("a\n", "a", r"line 1 differs at character 2: 'a\n' and 'a'"),
        ("é\tà", "é\tá", r"line 1 differs at character 3: 'é\tà' and 'é\tá'"),
        ("x\x1b[2J", "x\u202e", r"line 1 differs at character 2: 'x\x1b[2J' and 'x\u202e'"),
    ],
)
def test_texts_differ_at_a_line_and_a_character(
    a: Path, b: Path, one: str, other: str, text: str
) -> None:
    found = only(files(a, b, "log.txt", one, other))

    assert found.kind == "text"
    assert found.text.startswith(text)


def test_the_place_is_right_behind_a_long_text_with_long_lines(a: Path, b: Path) -> None:
    text = "é" * 100_000 + "\n" + "à" * 99_999

    found = only(files(a, b, "log.txt", text + "1 und", text + "2 und"))

    assert found.text.startswith("line 2 differs at character 100,000: 'àààààààààà1 und' and 'à")


def test_what_json_says_counts_and_its_layout_does_not(a: Path, b: Path) -> None:
    one = '{"loss": 0.5, "epochs": [1, 2]}'

    same = files(a, b, "x.json", one, '{\n "loss": 0.5,\n "epochs": [1, 2]\n}\n')
    other = only(files(a, b, "x.json", one, '{"loss": 0.25, "epochs": [1, 2]}'))

    assert (same.verdict, same.differences) == ("identical content", ())
    assert "json" in same.why
    assert "0.5" in other.text
    assert "0.25" in other.text


def test_parts_are_matched_by_their_names(a: Path, b: Path) -> None:
    one = '{"same": 1, "was": {"x": null}, "type": [], "text": "a\\nb", "list": [1], "truth": true}'
    other = (
        '{"truth": false, "list": [1, "3"], "text": "a\\nc", "now": true, "type": {}, "same": 1}'
    )

    compared = files(a, b, "x.json", one, other)

    assert [one[1:4] for one in compared.differences] == [
        ("text", "text", "line 2 differs at character 1: 'b' and 'c'"),
        ("truth", "text", "'true' and 'false'"),
        ("type", "dtype", "list of 0 in A, dict of 0 in B"),
        ("was", "only in A", "dict of 1"),
        ("was/x", "only in A", "null"),
        ("list/1", "only in B", "text"),
        ("now", "only in B", "bool"),
    ]


def test_parts_of_one_name_are_matched_by_their_order(a: Path, b: Path) -> None:
    found = only(files(a, b, "x.json", '{"a": 1, "a": 2}', '{"a": 1, "a": 3}'))

    assert (found.part, found.text) == ("a (number 2)", "'2' and '3'")


def test_a_name_of_a_part_prints(a: Path, b: Path) -> None:
    found = only(files(a, b, "x.json", r'{"\n\u001b\\": 1}', r'{"\n\u001b\\": 2}'))

    assert found.part == r"\x0a\x1b\\"


def test_another_order_is_a_difference(a: Path, b: Path) -> None:
    ordered = [pickle.dumps(dict(pairs)) for pairs in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)])]

    compared = files(a, b, "x.pkl", *ordered)

    assert compared.verdict == "different"
    (order,) = [one for one in compared.differences if one.kind == "order"]
    assert order.text == "the parts stand in another order: first a in A, b in B"


def test_a_long_list_differs_at_an_entry(a: Path, b: Path) -> None:
    numbers = list(range(5000))

    found = only(
        files(
            a, b, "x.json", json.dumps(numbers), json.dumps([*numbers[:4000], 7, *numbers[4001:]])
        )
    )

    assert (found.kind, found.text) == (
        "entries",
        r"entry 4,001 differs at character 1: '4000\n' and '7\n'",
    )


def test_a_cell_of_a_notebook_differs_at_a_line(a: Path, b: Path) -> None:
    def notebook(last: str, count: int) -> str:
        cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": count}
        cells = [{**cell, "source": ["x = 1\n", last]}]
        return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})

    same = files(a, b, "x.ipynb", notebook("x", 1), notebook("x", 2))
    found = only(files(a, b, "x.ipynb", notebook("print(x)", 1), notebook("print(y)", 1)))

    assert same.verdict == "identical content"
    assert (found.part, found.text) == (
        "cell 0/source",
        "line 2 differs at character 7: 'print(x)' and 'print(y)'",
    )


def safetensors(*numbers: float) -> bytes:
    """Write an array `b` of these numbers, and one before it that is always the same."""
    places = {"a": [0, 4], "b": [4, 4 + 4 * len(numbers)]}
    header = {
        name: {"dtype": "F32", "shape": [(end - start) // 4], "data_offsets": [start, end]}
        for name, (start, end) in places.items()
    }
    head = json.dumps(header).encode()
    return (
        len(head).to_bytes(8, "little") + head + struct.pack(f"<{len(numbers) + 1}f", 0, *numbers)
    )


def test_elements_of_an_array_differ_or_numpy_is_missing(a: Path, b: Path) -> None:
    one, other = safetensors(1, 2, 3), safetensors(1, 2.5, 3)

    found = only(files(a, b, "x.safetensors", one, other))

    assert (found.part, found.kind) == ("b", "values")
    if importlib.util.find_spec("numpy"):
        assert found.array is not None
        assert found.text == (
            "1 of 3 elements differ, by up to 2,097,152 ulps (0.5); the first at [1]: 2.0 and 2.5"
        )
    else:
        assert found.array is None
        assert found.text == "numpy is not installed here, so elements can't be compared"


def test_numpy_is_not_imported_where_no_elements_differ(run: Run) -> None:
    code = """
import json, sys, tempfile
from pathlib import Path
from repro_env.content import differences, places, tables
folder = Path(tempfile.mkdtemp())
for name, text in (("1.json", "[1]"), ("2.json", "[2]")):
    (folder / name).write_text(text)
print(differences.of(folder / "1.json", folder / "2.json").verdict, "numpy" in sys.modules)
"""

    assert run(code, env={}).stdout == "different False\n"


def test_a_damaged_file_counts_by_its_bytes(a: Path, b: Path) -> None:
    found = only(files(a, b, "x.json", '{"a": 1}', '{"a": 1'))

    assert found.text.startswith("line 1 differs at character 8")
    assert "by bytes: B: can't be read as json: " in found.text


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ('a,b\n1,"2\n2"\n3,5\n', "row 3 differs in column 2: '4' and '5'"),
        ('a,b\n1,"2\n2"\n3\n', "row 3 has 2 cells in A, 1 in B"),
        ('a,b\n1,"2\n2"\n', "only A goes on from row 3"),
        ('a,b\n1,"2\n2"\n3,4\n\n', "only B goes on from row 4"),
        ('a,b\n1,"2\n3"\n3,4\n', r"row 2 differs in column 2: '2' and '3'"),
    ],
)
def test_tables_differ_at_a_row_and_a_column(a: Path, b: Path, other: str, text: str) -> None:
    found = only(files(a, b, "x.csv", 'a,b\n1,"2\n2"\n3,4\n', other))

    assert (found.kind, found.text) == ("rows", text)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 10, 11, 100])
def test_bytes_are_cut_anew_without_losing_one(cut: int) -> None:
    content = bytes(range(100))
    pieces = [content[at : at + cut] for at in range(0, 100, cut)]

    blocks = list(places.regrouped([b"", *pieces], 7))

    assert b"".join(blocks) == content
    assert [len(block) for block in blocks] == [7] * 14 + [2]


def test_a_table_in_any_pieces_is_the_same_table() -> None:
    whole = b'"a","b"\n"1","2\xc3\xa9"\n'
    cut = [whole[at : at + 1] for at in range(len(whole))]

    assert tables.first_difference([whole], cut) is None
    assert tables.first_difference([whole], [*cut, b'"3","4"\n']) == "only B goes on from row 3"


def test_quotes_and_line_ends_of_a_table_are_no_content(a: Path, b: Path) -> None:
    compared = files(a, b, "x.csv", "a,b\n1,2\n", '"a",b\r\n1,"2"\r\n')

    assert compared.verdict == "identical content"
    assert compared.why == "csv: the same content, written otherwise"


def test_a_file_is_no_folder(a: Path, b: Path) -> None:
    (a / "x").write_text("")

    found = only(differences.of(a / "x", b))

    assert (found.kind, found.text) == ("type", "a file in A, a folder in B")


def test_what_does_not_exist_is_an_error_with_a_hint(a: Path, b: Path) -> None:
    for pair in ((a / "no\nwhere", b), (b, a / "no\nwhere")):
        with pytest.raises(ReproError, match=r"A/no\\x0awhere does not exist") as caught:
            differences.of(*pair)
        assert caught.value.hint


def test_what_is_no_file_is_refused_and_not_opened(a: Path, b: Path) -> None:
    os.mkfifo(a / "pipe")

    with pytest.raises(ReproError, match="is a pipe"):
        differences.of(a / "pipe", b)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_an_error_that_names_it(a: Path, b: Path) -> None:
    for folder in (a, b):
        (folder / "closed").write_text("x")
    (b / "closed").chmod(0)

    with pytest.raises(ReproError, match="B/closed can't be read: you may not"):
        differences.of(a, b)


def test_the_paths_that_are_given_may_be_links(a: Path, b: Path, tmp_path: Path) -> None:
    (a / "x").write_text("1")
    (tmp_path / "link").symlink_to(a)

    assert differences.of(a, tmp_path / "link").verdict == "identical bytes"
    assert only(differences.of(tmp_path / "link", b)).path == "x"


def test_empty_folders_are_identical(a: Path, b: Path) -> None:
    assert differences.of_folders(a, b) == Compared("identical bytes", "", ())


def test_all_differences_of_folders_are_found_and_sorted(a: Path, b: Path) -> None:
    for folder, text in ((a, "1"), (b, "2")):
        (folder / "deep" / "er").mkdir(parents=True)
        for name in ("z.txt", "deep/m.txt", "deep/er/x.txt", "a.txt"):
            (folder / name).write_text(text)
        (folder / "same.txt").write_text("same")
    (a / "mine").mkdir()
    (b / "theirs.txt").write_text("")
    (a / "kind").mkdir()
    (b / "kind").write_text("")

    compared = differences.of_folders(a, b)

    assert compared.verdict == "different"
    assert [(one.path, one.kind) for one in compared.differences] == [
        ("a.txt", "text"),
        ("deep/er/x.txt", "text"),
        ("deep/m.txt", "text"),
        ("kind", "type"),
        ("mine", "only in A"),
        ("theirs.txt", "only in B"),
        ("z.txt", "text"),
    ]


def test_the_worst_verdict_is_that_of_the_folders(a: Path, b: Path) -> None:
    files(a, b, "same.txt", "1", "1")
    assert differences.of(a, b).verdict == "identical bytes"

    files(a, b, "1.json", "[1]", "[1] ")
    files(a, b, "2.json", "[1]", " [1]")
    compared = differences.of(a, b)
    assert compared.verdict == "identical content"
    assert compared.why.startswith("1.json: json")
    assert compared.why.endswith("; so with 1 more")

    files(a, b, "other.txt", "1", "2")
    assert differences.of(a, b).verdict == "different"


def test_links_are_compared_and_not_followed(a: Path, b: Path) -> None:
    for folder in (a, b):
        (folder / "loop").symlink_to(".")
        (folder / "dangling").symlink_to("nowhere")
        (folder / "to").symlink_to("x/" if folder == a else "x")

    found = only(differences.of(a, b))

    assert (found.path, found.kind) == ("to", "link target")
    assert found.text == "to x/ in A, to x in B"


def test_a_link_is_not_the_file_that_it_leads_to(a: Path, b: Path) -> None:
    for folder in (a, b):
        (folder / "x").write_text("1")
    (a / "y").symlink_to("x")
    (b / "y").write_text("1")

    assert only(differences.of(a, b)).text == "a symbolic link in A, a file in B"


def test_special_files_are_not_opened(a: Path, b: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(a / "pipe")
    os.mkfifo(b / "pipe")
    assert differences.of(a, b).verdict == "identical bytes"

    (b / "pipe").unlink()
    monkeypatch.chdir(b)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as special:
        special.bind("pipe")
        assert only(differences.of(a, b)).text == "a pipe in A, a socket in B"


def test_permissions_and_times_are_no_content(a: Path, b: Path) -> None:
    files(a, b, "x.txt", "1", "1")
    (a / "x.txt").chmod(0o755)
    os.utime(a / "x.txt", (0, 0))

    assert differences.of(a, b).verdict == "identical bytes"


@pytest.mark.parametrize(
    "name", [b"new\nline", b"\xff\xfe", "é".encode(), b"back\\slash", b"\x1b["]
)
def test_any_name_is_said_so_that_it_prints_and_comes_back(a: Path, b: Path, name: bytes) -> None:
    (a / os.fsdecode(name)).write_text("1")

    found = only(differences.of(a, b))

    assert found.path.isprintable()
    assert os.fsencode(from_text(found.path)) == name


def test_event_files_are_matched_by_the_order_of_their_names(a: Path, b: Path) -> None:
    (a / f"{EVENTS}.9.me.10.0").write_bytes(b"first")
    (a / f"{EVENTS}.10.me.10.0").write_bytes(b"second")
    (b / f"{EVENTS}.98.you.7.0").write_bytes(b"first")
    (b / f"{EVENTS}.99.you.7.0").write_bytes(b"second")

    compared = differences.of(a, b)

    assert compared.verdict == "identical content"
    assert compared.why.startswith(f"{EVENTS}.10.me.10.0: in B it is named {EVENTS}.99.you.7.0")


def test_an_event_file_of_the_same_name_is_its_own_match(a: Path, b: Path) -> None:
    (a / f"{EVENTS}.2.me").write_bytes(b"2")
    (b / f"{EVENTS}.2.me").write_bytes(b"2")
    (b / f"{EVENTS}.1.me").write_bytes(b"1")

    found = only(differences.of(a, b))

    assert (found.path, found.kind) == (f"{EVENTS}.1.me", "only in B")


def test_other_files_are_not_matched_by_order(a: Path, b: Path) -> None:
    (a / "1.bin").write_bytes(b"1")
    (b / "2.bin").write_bytes(b"1")

    assert [one.kind for one in differences.of(a, b).differences] == ["only in A", "only in B"]
