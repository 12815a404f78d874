"""Beside strangers' packages: what Parquet holds; and HDF5, as the newest h5py reads it."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pytest

from repro_env.formats import UnreadableError, library, parquet
from tests.frameworks.test_formats_hdf5 import (  # noqa: F401  # they are the same claims
    test_damaged_hdf5_is_refused_or_another,
    test_every_kind_of_value_is_read_and_told_from_the_others,
    test_gaps_in_records_do_not_count,
    test_links_are_named_and_not_followed,
    test_lists_of_any_length_are_read,
    test_the_order_of_entries_counts_where_the_file_keeps_it,
    test_times_chunks_compression_and_byte_order_do_not_count,
    test_values_in_other_files_are_refused,
    test_what_a_dataset_holds_counts,
    test_what_is_large_is_read_in_pieces,
)
from tests.frameworks.test_formats_libraries import (
    NAN,
    NEXT,
    ONE,
    OTHER_NAN,
    Held,
    damaged,
    held,
    held_or_refused,
)

pyarrow = library("pyarrow")
pandas = library("pandas")
ROWS = 20_000  # more than are read at once


def table(path: Path, columns: dict[str, Any], **options: Any) -> Held:
    library("pyarrow.parquet").write_table(pyarrow.table(columns), path, **options)
    return held(parquet.read, path)


def long_columns() -> dict[str, Any]:
    """Return a column of every shape of value, with nulls, over more than one block of rows."""
    numbers = range(ROWS)
    return {
        "number": [None if n % 7 == 0 else n / 3 for n in numbers],
        "text": [None if n % 5 == 0 else "x" * (n % 4) for n in numbers],
        "list": [None if n % 3 == 0 else [n, None][: n % 4] for n in numbers],
        "struct": [{"a": n, "b": [str(n)]} if n % 2 else None for n in numbers],
        "category": pyarrow.array([f"{n % 3}" for n in numbers]).dictionary_encode(),
    }


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"row_group_size": 1000}, id="row groups"),
        pytest.param({"row_group_size": 7_001}, id="groups across blocks"),
        pytest.param({"compression": "gzip"}, id="compression"),
        pytest.param({"use_dictionary": False}, id="no dictionaries"),
        pytest.param({"data_page_size": 1000, "data_page_version": "2.0"}, id="pages"),
        pytest.param({"write_statistics": False}, id="statistics"),
    ],
)
def test_how_a_table_is_packed_does_not_count(tmp_path: Path, options: dict[str, Any]) -> None:
    columns = long_columns()

    one = table(tmp_path / "a.parquet", columns)
    other = table(tmp_path / "b.parquet", columns, **options)

    assert (tmp_path / "a.parquet").read_bytes() != (tmp_path / "b.parquet").read_bytes()
    assert one == other


def test_a_column_of_numbers_is_an_array(tmp_path: Path) -> None:
    values = numpy.array([1, -0.0, NAN], "f4")

    parts = table(tmp_path / "a.parquet", {"a": values})

    assert parts[0][3] == b"a: float\n3 rows"
    assert parts[1:] == [
        ("a/valid", "bool", (3,), b"\1\1\1"),
        ("a", "float32", (3,), values.tobytes()),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(numpy.array([ONE]), numpy.array([NEXT]), id="an ulp"),
        pytest.param(numpy.array([0.0]), numpy.array([-0.0]), id="a sign of zero"),
        pytest.param(numpy.array([NAN]), numpy.array([OTHER_NAN]), id="a NaN's payload"),
        pytest.param([1, 2], [2, 1], id="the order"),
        pytest.param([1], [1, 1], id="a row"),
        pytest.param([0], [None], id="a null"),
        pytest.param([""], [None], id="a null text"),
        pytest.param(["a"], [b"a"], id="text or bytes"),
        pytest.param(["ab", "c"], ["a", "bc"], id="where texts end"),
        pytest.param([True, False], [False, True], id="truth"),
        pytest.param([[1], [2]], [[1, 2], []], id="where lists end"),
        pytest.param([[]], [None], id="a null list"),
        pytest.param([[None]], [[0]], id="a null in a list"),
        pytest.param([{"a": None}], [None], id="a null struct"),
        pytest.param([{"a": 1}], [{"b": 1}], id="the name of a field"),
        pytest.param([{"a": {"b": ["x"]}}], [{"a": {"b": ["y"]}}], id="deep inside"),
        pytest.param([Decimal("1.0")], [Decimal("1.00")], id="digits"),
        pytest.param([Decimal("1.0")], [Decimal("1.1")], id="a decimal"),
        pytest.param([date(2020, 1, 1)], [date(2020, 1, 2)], id="a day"),
        pytest.param([date(2020, 1, 1)], [datetime(2020, 1, 1)], id="a day or a time"),
        pytest.param([timedelta(1)], [timedelta(2)], id="a duration"),
    ],
)
def test_what_a_column_holds_counts(tmp_path: Path, one: Any, other: Any) -> None:
    found = [table(tmp_path / "a.parquet", {"a": values}) for values in (one, other)]

    assert found[0] != found[1]


def test_the_type_of_a_column_counts(tmp_path: Path) -> None:
    kinds = ["int8", "int64", "uint16", "float16", "float32", "string", "large_string", "date32"]
    kinds += ["bool_", "binary", "null"]
    types = [getattr(pyarrow, kind)() for kind in kinds]
    types += [pyarrow.timestamp("us"), pyarrow.timestamp("us", "UTC"), pyarrow.timestamp("ms")]
    types += [pyarrow.list_(pyarrow.int8()), pyarrow.list_(pyarrow.int8(), 3), pyarrow.binary(2)]
    types += [pyarrow.map_(pyarrow.string(), pyarrow.int8()), pyarrow.decimal128(9, 2)]

    found = [table(tmp_path / "a.parquet", {"a": pyarrow.nulls(2, kind)}) for kind in types]

    assert all(found.count(one) == 1 for one in found)


def test_names_and_the_order_of_columns_count(tmp_path: Path) -> None:
    kinds = [{"a": [1]}, {"b": [1]}, {"a": [1], "b": [1]}, {"b": [1], "a": [1]}]

    found = [table(tmp_path / "a.parquet", columns) for columns in kinds]

    assert all(found.count(one) == 1 for one in found)


def test_whether_a_column_may_be_null_counts(tmp_path: Path) -> None:
    found = []
    for nullable in (True, False):
        schema = pyarrow.schema([pyarrow.field("a", pyarrow.int8(), nullable)])
        made = pyarrow.table({"a": [1]}, schema)
        library("pyarrow.parquet").write_table(made, tmp_path / "a.parquet")
        found.append(held(parquet.read, tmp_path / "a.parquet"))

    assert found[0] != found[1]


def test_maps_are_read(tmp_path: Path) -> None:
    kind = pyarrow.map_(pyarrow.string(), pyarrow.int8())
    cases: list[Any] = [[[("a", 1)], None], [[("a", 2)], None], [[("b", 1)], None], [None, []]]

    found = [table(tmp_path / "a.parquet", {"a": pyarrow.array(values, kind)}) for values in cases]

    assert all(found.count(one) == 1 for one in found)


def test_the_order_of_categories_counts(tmp_path: Path) -> None:
    found = []
    for categories in (["a", "b"], ["b", "a"], ["a", "b", "c"]):
        column = pandas.Series(["a", "b", "a"], dtype=pandas.CategoricalDtype(categories))
        pandas.DataFrame({"a": column}).to_parquet(tmp_path / "a.parquet")
        found.append(held(parquet.read, tmp_path / "a.parquet"))

    assert found[0] != found[1]


def test_categories_are_gathered_from_all_row_groups(tmp_path: Path) -> None:
    chunks = [pyarrow.array(texts).dictionary_encode() for texts in (["b"], ["c", "b"], ["a", "b"])]
    column = pyarrow.chunked_array(chunks)

    found = [
        table(tmp_path / "a.parquet", {"a": column}, row_group_size=size) for size in (1, 2, 100)
    ]

    assert found[0][1] == ("a/categories", "bytes", (), b"'b'\n'c'\n'a'\n")
    assert found[0] == found[1] == found[2]


def test_what_is_in_lists_is_not_one_for_each_row(tmp_path: Path) -> None:
    parts = table(tmp_path / "a.parquet", {"a": pyarrow.array([[1, 2], []])})

    assert parts[2] == ("a/length", "int64", (2,), b"\2" + bytes(15))
    assert parts[4] == ("a/item", "bytes", (), b"\1" + bytes(7) + b"\2" + bytes(7))


def test_names_with_dots_are_read_and_ambiguous_ones_refused(tmp_path: Path) -> None:
    assert ("a.b", "int64", (1,), b"\1" + bytes(7)) in table(tmp_path / "a", {"a.b": [1]})

    with pytest.raises(UnreadableError, match=r"more than one column answers to 'a\.b'"):
        table(tmp_path / "a", {"a.b": [1], "a": [{"b": 2}]})

    twice = pyarrow.Table.from_arrays([[1], [2]], names=["a", "a"])
    library("pyarrow.parquet").write_table(twice, tmp_path / "a")
    with pytest.raises(UnreadableError, match="more than one column answers to 'a'"):
        held(parquet.read, tmp_path / "a")


def with_words(path: Path, words: dict[str, Any]) -> Held:
    made = pyarrow.table({"a": [1]}).replace_schema_metadata(words)
    library("pyarrow.parquet").write_table(made, path)
    return held(parquet.read, path)


def test_what_is_said_of_a_table_counts_but_for_versions_and_order(tmp_path: Path) -> None:
    said = {"index_columns": ["a"], "columns": [], "pandas_version": "1", "creator": {"x": "1"}}
    turned = dict(reversed({**said, "pandas_version": "2", "creator": {"x": "2"}}.items()))
    other = {**said, "index_columns": []}
    path = tmp_path / "a.parquet"

    one = with_words(path, {"pandas": json.dumps(said), "mine": "1"})

    assert one == with_words(path, {"mine": "1", "pandas": json.dumps(turned)})
    assert one != with_words(path, {"pandas": json.dumps(other), "mine": "1"})
    assert one != with_words(path, {"pandas": json.dumps(said), "mine": "2"})
    assert one != with_words(path, {"pandas": json.dumps(said)})


def test_a_frame_and_its_index_are_read(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"a": [1.5, 2.5], "b": ["x", None]}, index=["p", "q"])
    path = tmp_path / "a.parquet"

    found = []
    for changed in (frame, frame.reset_index(drop=True), frame.rename(index={"p": "r"}), frame):
        changed.to_parquet(path)
        found.append(held(parquet.read, path))

    assert found[0] == found[3]
    assert all(found[:3].count(one) == 1 for one in found[:3])


def test_a_table_without_rows_or_columns_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"

    assert len(table(path, {"a": pyarrow.array([], "int8"), "b": pyarrow.array([], "string")})) == 6
    assert table(path, {}) == [("", "schema", (), b"\n0 rows")]


def test_a_small_file_that_unfolds_to_a_huge_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    numbers = pyarrow.array(numpy.zeros(100_000, "i4"))
    texts = pyarrow.DictionaryArray.from_arrays(numbers, ["x" * 10_000])

    with pytest.raises(UnreadableError, match="unfolds to far more"):
        table(path, {"a": texts})
    assert path.stat().st_size < 100_000


def test_a_damaged_table_is_refused_or_another_one(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = {"a": [1.5, None, 3.5], "b": ["x", "yz", None], "c": [[1], [], None]}
    table(path, columns)
    data = path.read_bytes()

    for size in range(0, len(data), 29):
        path.write_bytes(data[:size])
        assert held_or_refused(parquet.read, path) is None
    for bad in damaged(data, 400):
        path.write_bytes(bad)
        held_or_refused(parquet.read, path)  # and nothing worse


def test_without_pyarrow_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as Python marks what can't be imported

    with pytest.raises(UnreadableError, match="pyarrow is not installed here"):
        held(parquet.read, tmp_path / "a.parquet")
