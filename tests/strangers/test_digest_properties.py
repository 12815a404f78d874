"""Whatever a file holds: its content digest is another one's exactly if the content is."""

from __future__ import annotations

import csv
import io
import json
import math
import pickle
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from repro_env import digest

# No deadline: machines are busy. No database: the project is mounted read-only. The folder is one
# for all examples, and each writes its files anew.
MANY = settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
KINDS = ["bool", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16"]
DTYPES = st.one_of(
    st.sampled_from(KINDS).map(numpy.dtype),
    arrays.unicode_string_dtypes(max_len=3),
    arrays.byte_string_dtypes(max_len=3),
    arrays.datetime64_dtypes(),
    arrays.array_dtypes(
        st.sampled_from(KINDS).map(numpy.dtype), min_size=1, max_size=3, allow_subarrays=True
    ),
)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@st.composite
def any_array(draw: st.DrawFn) -> Any:
    """Arrays of any bits: NaNs with payloads, negative zeros, texts of any code points."""
    dtype, shape = draw(DTYPES).newbyteorder("<"), draw(SHAPES)
    size = dtype.itemsize * math.prod(shape)
    if dtype.kind == "U":  # NumPy can't swap what is no Unicode
        return draw(arrays.arrays(dtype, shape))
    data = bytes(draw(st.binary(min_size=size, max_size=size)))
    return numpy.ndarray(shape, dtype, data or b"\0").copy()


def written(draw: st.DrawFn, array: Any) -> Any:
    """Return the same array, as it may lie in memory."""
    if draw(st.booleans()):
        array = array.astype(array.dtype.newbyteorder(">"))
    if draw(st.booleans()):
        array = numpy.asarray(array, order="F")
    if draw(st.booleans()) and array.ndim:
        array = numpy.repeat(array, 2, axis=0)[::2]
    return array


def changed(draw: st.DrawFn, array: Any) -> Any:
    """Return an array that differs in a bit, in its shape or in its type; or the same one."""
    how = draw(st.sampled_from(["bit", "shape", "type", "none"]))
    if how == "bit" and array.nbytes and array.dtype.kind != "U":
        data = bytearray(array.tobytes())
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
        return numpy.ndarray(array.shape, array.dtype, bytes(data)).copy()
    if how == "shape":
        return array.reshape(draw(st.permutations([*array.shape, 1])))
    if how == "type" and array.dtype.itemsize:
        return array.view(f"V{array.dtype.itemsize}")
    return array


def what_it_is(array: Any) -> Any:
    return array.dtype.newbyteorder("<"), array.shape, array.tobytes()


def content(path: Path) -> str:
    found = digest.of_file(path)
    assert found.content, found.by_bytes
    return found.content.digest


@pytest.mark.filterwarnings("ignore:Stored array in format")
@given(st.data())
@MANY
def test_arrays_of_numpy(tmp_path: Path, data: st.DataObject) -> None:
    one = data.draw(any_array())
    two = data.draw(st.composite(changed)(one))
    files = tmp_path / "1.npy", tmp_path / "2.npy"
    numpy.save(files[0], data.draw(st.composite(written)(one)))
    numpy.save(files[1], data.draw(st.composite(written)(two)))

    assert (content(files[0]) == content(files[1])) == (what_it_is(one) == what_it_is(two))


@pytest.mark.filterwarnings("ignore:Stored array in format")
@given(st.data())
@MANY
def test_archives_of_numpy(tmp_path: Path, data: st.DataObject) -> None:
    named = st.dictionaries(st.sampled_from(["a", "b", "a/b", "é"]), any_array(), max_size=3)
    one = data.draw(named)
    two = data.draw(st.one_of(named, st.permutations(list(one.items())).map(dict)))
    numpy.savez(tmp_path / "1.npz", **one)
    numpy.savez_compressed(tmp_path / "2.npz", **two)

    found = [content(tmp_path / name) for name in ("1.npz", "2.npz")]

    same = {name: what_it_is(each) for name, each in one.items()} == {
        name: what_it_is(each) for name, each in two.items()
    }
    assert (found[0] == found[1]) == same


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, Any]:
    """Tensors of bfloat16 and others, by their names."""
    found = {}
    for name in draw(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True)):
        kind, size = draw(st.sampled_from([("BF16", 2), ("F32", 4), ("F8_E4M3", 1), ("BOOL", 1)]))
        shape = draw(SHAPES)
        count = math.prod(shape) * size
        found[f"t{name}"] = kind, shape, draw(st.binary(min_size=count, max_size=count))
    return found


def safetensors(held: dict[str, Any], order: list[str]) -> bytes:
    header, data = {}, b""
    for name in order:
        kind, shape, some = held[name]
        place = [len(data), len(data) + len(some)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": place}
        data += some
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@given(st.data())
@MANY
def test_safetensors(tmp_path: Path, data: st.DataObject) -> None:
    one = data.draw(tensors())
    two = data.draw(st.one_of(st.just(one), tensors()))
    for name, held in (("1.safetensors", one), ("2.safetensors", two)):
        order = data.draw(st.permutations(list(held)))
        (tmp_path / name).write_bytes(safetensors(held, order))

    found = [content(tmp_path / name) for name in ("1.safetensors", "2.safetensors")]

    assert (found[0] == found[1]) == (one == two)


TEXTS = st.text(st.characters(), max_size=5)  # lone surrogates, too
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)


def reordered(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, list):
        return [reordered(draw, one) for one in value]
    if isinstance(value, dict):
        items = draw(st.permutations(list(value.items())))
        return {key: reordered(draw, one) for key, one in items}
    return value


@given(st.data())
@MANY
def test_json(tmp_path: Path, data: st.DataObject) -> None:
    one = data.draw(JSON)
    two = data.draw(st.one_of(st.composite(reordered)(one), JSON))
    (tmp_path / "1.json").write_text(json.dumps(one))
    spaced = json.dumps(two, indent=data.draw(st.sampled_from([None, 0, 3])))
    (tmp_path / "2.json").write_text(spaced)

    found = [content(tmp_path / name) for name in ("1.json", "2.json")]

    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (found[0] == found[1]) == same


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary(max_size=5)
)
KEYS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
VALUES = st.recursive(
    st.one_of(LEAVES, st.sets(KEYS, max_size=4), st.frozensets(KEYS, max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=8,
)


def in_words(value: Any) -> str:
    """Return the same text for two values exactly if they are of one type and bit for bit one."""
    kind = type(value).__name__
    if isinstance(value, (list, tuple)):
        return f"{kind}({','.join(map(in_words, value))})"
    if isinstance(value, (set, frozenset)):
        return f"{kind}({','.join(sorted(map(in_words, value)))})"
    if isinstance(value, dict):
        return (
            f"{kind}({','.join(f'{in_words(key)}:{in_words(one)}' for key, one in value.items())})"
        )
    if isinstance(value, float):
        return struct.pack("<d", value).hex()
    return repr(value)


@given(st.data(), st.integers(0, pickle.HIGHEST_PROTOCOL))
@MANY
def test_pickles(tmp_path: Path, data: st.DataObject, protocol: int) -> None:
    one = data.draw(VALUES)
    two = data.draw(VALUES)
    same = pickle.loads(pickle.dumps(one))  # its sets may have another order
    for name, value in (("1.pkl", one), ("2.pkl", two), ("3.pkl", same)):
        (tmp_path / name).write_bytes(pickle.dumps(value, protocol))

    found = [content(tmp_path / name) for name in ("1.pkl", "2.pkl", "3.pkl")]

    assert (found[0] == found[1]) == (in_words(one) == in_words(two))
    assert (found[0] == found[2]) == (in_words(one) == in_words(same))


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=4)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=4)


def table(rows: list[list[str]], line_end: str, quoting: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=quoting).writerows(rows)
    return text.getvalue()


@given(ROWS, st.data())
@MANY
def test_tables(tmp_path: Path, one: list[list[str]], data: st.DataObject) -> None:
    two = data.draw(st.one_of(st.just(one), ROWS))
    first = table(one, "\n", csv.QUOTE_MINIMAL)
    second = table(two, "\r\n", csv.QUOTE_ALL)
    (tmp_path / "1.csv").write_bytes(first.encode())
    (tmp_path / "2.csv").write_bytes(second.encode())

    found = [content(tmp_path / name) for name in ("1.csv", "2.csv")]

    assert (found[0] == found[1]) == (one == two)


NPY = b"\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }"
TENSORS = {"a": ("F32", (2,), bytes(8)), "b": ("BOOL", (), b"\1")}
SAMPLES = {
    "npy": NPY.ljust(127) + b"\n" + bytes(8),
    "safetensors": safetensors(TENSORS, ["a", "b"]),
    "pkl": pickle.dumps({"a": [1, 2.5, "x", {1, 2}], "b": (None, numpy.zeros(3))}),
    "json": b'{"a": [1, 2.5, "x", null], "b": {"c": true}}',
    "ipynb": b'{"cells": [{"source": ["a"], "outputs": [{"text": ["b"]}]}], "metadata": {}}',
    "csv": b'a,"b ""c"\r\n1,2\n',
}


@pytest.mark.parametrize("kind", SAMPLES)
@given(data=st.data())
@MANY
def test_a_damaged_file_is_read_or_refused_and_never_more(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    damaged = bytearray(SAMPLES[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        damaged = damaged or bytearray(b"x")
    path = tmp_path / f"a.{kind}"
    path.write_bytes(damaged)

    found = digest.of_file(path)

    assert (found.content is None) == bool(found.by_bytes)
    assert found.by_bytes.isprintable()
    assert found.sha256 == sha256(damaged).hexdigest()
