"""What counts in each format and what doesn't, for those that the standard library can read."""

from __future__ import annotations

import base64
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from repro_env import digest
from repro_env.digest import Content


def content(folder: Path, name: str, data: bytes | str) -> Content:
    """Return the content of a file with these bytes; it must have one."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    found = digest.of_file(path)
    assert found.content, found.by_bytes
    return found.content


def refused(folder: Path, name: str, data: bytes | str) -> str:
    """Return why a file with these bytes has no content digest."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    found = digest.of_file(path)
    assert found.content is None
    return found.by_bytes


def names(found: Content) -> list[str]:
    return [part.name for part in found.parts]


# JSON


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('{"a": 1, "b": [true, null]}', '{"b":[true,null],\n\t"a":1}\n'),
        ('"\\u00e4\\/"', '"ä/"'),
        ('"😀"', '"\\ud83d\\ude00"'),
        ('{"a": {"y": 1, "x": 2}}', '{"a": {"x": 2, "y": 1}}'),
    ],
)
def test_json_is_its_values_however_they_are_written(tmp_path: Path, one: str, two: str) -> None:
    assert content(tmp_path, "1.json", one) == content(tmp_path, "2.json", two)


@pytest.mark.parametrize("text", ["[1]", "[NaN, -Infinity]", '{"a": "ä"}'])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_json_is_its_values_in_any_encoding(tmp_path: Path, text: str, encoding: str) -> None:
    encoded = content(tmp_path, "2.json", text.encode(encoding))

    assert content(tmp_path, "1.json", text) == encoded


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("1", "1.0"),
        ("1.0", "1.00"),
        ("0", "-0"),
        ("1e2", "1E2"),
        ("NaN", "null"),
        ("1", '"1"'),
        ("true", '"true"'),
        ("null", '""'),
        ("[]", "{}"),
        ("[1, 2]", "[2, 1]"),
        ("[[1], 2]", "[1, [2]]"),
        ('{"a": 1}', '{"a": 1, "a": 1}'),
        ('{"a": 1, "a": 2}', '{"a": 2, "a": 1}'),
        ('{"a/b": 1}', '{"a": {"b": 1}}'),
        ('{"": {"": 1}}', '{"": 1}'),
        ('["a"]', '{"0": "a"}'),
        ('"\\ud800"', '"\\ud801"'),
        ("0.1", "0.1000000000000000055511151231257827"),
    ],
)
def test_json_with_other_values_differs(tmp_path: Path, one: str, two: str) -> None:
    assert content(tmp_path, "1.json", one).digest != content(tmp_path, "2.json", two).digest


def test_values_of_json_are_named_by_their_paths(tmp_path: Path) -> None:
    found = content(tmp_path, "a.json", '{"loss": [0.5, 0.25], "a/b": {"": null}}')

    assert names(found) == ["", "a/b", "a/b/", "loss", "loss/0", "loss/1"]


def test_a_long_list_of_json_is_one_part(tmp_path: Path) -> None:
    numbers = [[number] for number in range(2000)]

    one = content(tmp_path, "1.json", json.dumps({"a": numbers}))
    two = content(tmp_path, "2.json", json.dumps({"a": numbers[::-1]}))

    assert names(one) == names(two) == ["", "a"]
    assert one.parts[1].shape == (2000,)
    assert one.digest != two.digest


def test_a_number_of_a_million_digits_is_read_at_once(tmp_path: Path) -> None:
    assert content(tmp_path, "1.json", "1" * 1_000_000)


@pytest.mark.parametrize("text", ["", "{", "[1,]", "'a'", "1 2", b"\xff", "[" * 100_000])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str | bytes) -> None:
    assert refused(tmp_path, "a.json", text).startswith("can't be read as json: ")


def test_json_lines_are_a_list(tmp_path: Path) -> None:
    one = content(tmp_path, "1.jsonl", '{"a": 1, "b": 2}\n[3]\n')
    two = content(tmp_path, "2.ndjson", '\n{"b":2,"a":1}\r\n\n[3]')
    other = content(tmp_path, "3.jsonl", '[3]\n{"a": 1, "b": 2}\n')

    assert one == two
    assert names(one) == ["", "0", "0/a", "0/b", "1", "1/0"]
    assert one.digest != other.digest
    assert refused(tmp_path, "4.jsonl", '{"a":\n1}').startswith("can't be read as json lines: ")


# Notebooks


def notebook(**changes: Any) -> str:
    cell = {
        "cell_type": "code",
        "execution_count": 3,
        "id": "abc",
        "metadata": {"tags": ["x"]},
        "source": ["a = 1\n", "a"],
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
            {
                "output_type": "execute_result",
                "execution_count": 3,
                "metadata": {},
                "data": {"text/plain": ["1"], "application/json": ["a", "b"]},
            },
        ],
    }
    metadata = {"kernelspec": {"name": "python3"}}
    return json.dumps({"nbformat": 4, "metadata": metadata, "cells": [{**cell, **changes}]})


def outputs(*texts: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": name, "text": text} for name, text in texts]


@pytest.mark.parametrize(
    "changes",
    [
        {"execution_count": None},
        {"id": "def"},
        {"source": "a = 1\na"},
        {"metadata": {"tags": ["x"], "execution": {"iopub.status.idle": "2026-01-01"}}},
        {"metadata": {"tags": ["x"], "ExecuteTime": {"start_time": "2026-01-01"}}},
    ],
)
def test_what_every_run_of_a_notebook_makes_anew_is_left_out(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    assert content(tmp_path, "1.ipynb", notebook()) == content(
        tmp_path, "2.ipynb", notebook(**changes)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"cell_type": "raw"},
        {"source": "a = 2\na"},
        {"outputs": []},
        {"outputs": outputs(("stdout", "one\n"), ("stdout", "three\n"))},
        {"metadata": {"tags": ["y"]}},
        {"metadata": {"tags": ["x"], "papermill": {"exception": True}}},
    ],
)
def test_what_somebody_reads_in_a_notebook_counts(tmp_path: Path, changes: dict[str, Any]) -> None:
    one = content(tmp_path, "1.ipynb", notebook())

    assert one.digest != content(tmp_path, "2.ipynb", notebook(**changes)).digest


def test_how_a_stream_was_cut_does_not_count_but_which_one_does(tmp_path: Path) -> None:
    whole = content(tmp_path, "1.ipynb", notebook(outputs=outputs(("stdout", "ab"))))
    cut = outputs(("stdout", "a"), ("stdout", "b"))
    mixed = outputs(("stdout", "a"), ("stderr", "b"))

    assert content(tmp_path, "2.ipynb", notebook(outputs=cut)) == whole
    assert content(tmp_path, "3.ipynb", notebook(outputs=mixed)).digest != whole.digest


def test_papermills_times_are_left_out_and_its_parameters_are_not(tmp_path: Path) -> None:
    def ran(**papermill: Any) -> Content:
        return content(tmp_path, "a.ipynb", notebook(metadata={"papermill": papermill}))

    assert ran(start_time="1", end_time="2", duration=1, status="ok") == ran(status="ok")
    assert ran(status="ok").digest != ran(status="failed").digest


def test_cells_and_outputs_are_named(tmp_path: Path) -> None:
    found = names(content(tmp_path, "a.ipynb", notebook()))

    assert "cell 0/source" in found
    assert "cell 0/output 1/data/text/plain" in found


def test_a_list_of_json_in_an_output_stays_one(tmp_path: Path) -> None:
    data = {"output_type": "display_data", "data": {"application/json": ["a", "b"]}}
    joined = {"output_type": "display_data", "data": {"application/json": "ab"}}

    one, two = (content(tmp_path, "a.ipynb", notebook(outputs=[each])) for each in (data, joined))

    assert one.digest != two.digest


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"cells": {}}',
        '{"cells": [1]}',
        '{"cells": [], "cells": []}',
        '{"cells": [{"outputs": [[]]}]}',
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, "a.ipynb", text).startswith("can't be read as notebook: ")


def test_a_notebook_cannot_pretend_to_have_a_cell(tmp_path: Path) -> None:
    real = content(tmp_path, "1.ipynb", '{"cells": [{"source": "x"}]}')
    false = content(tmp_path, "2.ipynb", '{"cells": [], "cell 0": {"source": "x"}}')

    assert real.digest != false.digest


# Tables


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a,b\n1,2\n", "a,b\r\n1,2"),
        ("a,b\n", '"a","b"\n'),
        ('"a""b"\n', '"a""b"\r'),
    ],
)
def test_a_table_is_its_cells_however_they_are_written(tmp_path: Path, one: str, two: str) -> None:
    assert content(tmp_path, "1.csv", one) == content(tmp_path, "2.csv", two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a,b\n", "b,a\n"),
        ("a,b\n", "a\nb\n"),
        ("a\n", "a,\n"),
        ("a\n", "a \n"),
        ("1\n", "1.0\n"),
        ('"a,b"\n', "a,b\n"),
        ('"a\nb"\n', "a\nb\n"),
        ('"a\nb"\n', '"a\r\nb"\n'),
        ('""\n', "\n"),
        ("a\n\nb\n", "a\nb\n"),
        ("", "\n"),
        ('"a""b"\n', '"a","b"\n'),
    ],
)
def test_a_table_with_other_cells_differs(tmp_path: Path, one: str, two: str) -> None:
    assert content(tmp_path, "1.csv", one).digest != content(tmp_path, "2.csv", two).digest


def test_cells_between_tabs_are_those_between_commas(tmp_path: Path) -> None:
    commas = content(tmp_path, "1.csv", "a,b\n1,2\n")
    tabs = content(tmp_path, "2.tsv", "a\tb\n1\t2\n")

    assert commas.digest == tabs.digest
    assert content(tmp_path, "3.tsv", "a,b\n1,2\n").digest != tabs.digest


def test_a_long_table_is_read_to_its_end(tmp_path: Path) -> None:
    rows = "".join(f"{number},x\n" for number in range(25_000))

    assert content(tmp_path, "1.csv", rows).digest != content(tmp_path, "2.csv", rows + "y").digest


@pytest.mark.parametrize("data", [b"\xff\n", b'"a', b'"a"b\n'])
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, "a.csv", data).startswith("can't be read as csv: ")


# Safetensors


def safetensors(
    tensors: dict[str, Any], data: bytes, notes: dict[str, str] | None = None, pad: int = 0
) -> bytes:
    header = json.dumps({**({"__metadata__": notes} if notes is not None else {}), **tensors})
    text = header.encode() + b" " * pad
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


PAIR = {"a": tensor("F32", [2], 0, 8), "b": tensor("BF16", [1, 1], 8, 10)}
DATA = bytes(range(10))


def test_safetensors_are_their_tensors_whatever_their_order(tmp_path: Path) -> None:
    turned = {"b": tensor("BF16", [1, 1], 0, 2), "a": tensor("F32", [2], 2, 10)}

    one = content(tmp_path, "1.safetensors", safetensors(PAIR, DATA))
    two = content(tmp_path, "2.safetensors", safetensors(turned, DATA[8:] + DATA[:8], pad=5))

    assert one == two
    assert [part[:3] for part in one.parts] == [("a", "float32", (2,)), ("b", "bfloat16", (1, 1))]


def test_the_order_of_notes_does_not_count_and_their_words_do(tmp_path: Path) -> None:
    def noted(notes: dict[str, str] | None) -> Content:
        return content(tmp_path, "a.safetensors", safetensors(PAIR, DATA, notes))

    assert noted({"x": "1", "y": "2"}) == noted({"y": "2", "x": "1"})
    assert len({noted(one).digest for one in ({"x": "1"}, {"x": "2"}, {"y": "1"}, {}, None)}) == 5


@pytest.mark.parametrize(
    ("tensors", "data"),
    [
        ({**PAIR, "b": tensor("F16", [1, 1], 8, 10)}, DATA),
        ({**PAIR, "b": tensor("BF16", [1], 8, 10)}, DATA),
        ({"a": PAIR["a"], "c": PAIR["b"]}, DATA),
        ({**PAIR, "z": tensor("F32", [0], 10, 10)}, DATA),
        (PAIR, DATA[:-1] + b"\xff"),
    ],
)
def test_other_tensors_differ(tmp_path: Path, tensors: dict[str, Any], data: bytes) -> None:
    one = content(tmp_path, "1.safetensors", safetensors(PAIR, DATA))

    assert one.digest != content(tmp_path, "2.safetensors", safetensors(tensors, data)).digest


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 100) + b"{}",
        safetensors(PAIR, DATA[:-1]),
        safetensors(PAIR, DATA + b"x"),
        safetensors({"a": tensor("F32", [3], 0, 8)}, DATA[:8]),
        safetensors({"a": tensor("F32", [-2], 0, -8)}, b""),
        safetensors({"a": tensor("F99", [2], 0, 8)}, DATA[:8]),
        safetensors({"a": tensor("F32", [1], 0, 4), "b": tensor("F32", [1], 2, 6)}, DATA[:6]),
        safetensors({"a": tensor("F32", [1], 0, 4), "b": tensor("F32", [1], 6, 10)}, DATA),
        safetensors({"a": {**tensor("F32", [2], 0, 8), "more": 1}}, DATA[:8]),
        struct.pack("<Q", 64) + b'{"a":' + b"{}," * 10 + b"}".ljust(29) + DATA,
        safetensors({"a": tensor("F32", [2.0], 0, 8)}, DATA[:8]),  # type: ignore[list-item]
    ],
)
def test_safetensors_that_are_damaged_are_refused(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, "a.safetensors", data).startswith("can't be read as safetensors: ")


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    one = json.dumps(tensor("F32", [1], 0, 4))
    header = f'{{"a":{one},"a":{one}}}'.encode()

    data = struct.pack("<Q", len(header)) + header + DATA[:4]

    assert "twice" in refused(tmp_path, "a.safetensors", data)


# Zip archives without their libraries


def test_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x", b"2")

    found = digest.of_file(tmp_path / "a.npz")

    assert found.content is None
    assert found.by_bytes == "can't be read as npz: it holds 'x' twice"


def test_compression_and_times_of_an_archive_do_not_count(tmp_path: Path) -> None:
    for name, kind in (("1.npz", zipfile.ZIP_STORED), ("2.npz", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            year = 2000 + kind
            archive.writestr(zipfile.ZipInfo("x", (year, 1, 1, 1, 1, 1)), b"1" * 3_000_000, kind)

    one, two = (digest.of_file(tmp_path / name).content for name in ("1.npz", "2.npz"))

    assert one == two is not None


@pytest.mark.parametrize("data", [b"", b"PK\3\4", base64.b64decode("UEsFBgAAAAABAAEA")])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, "a.npz", data).startswith("can't be read as npz: ")
