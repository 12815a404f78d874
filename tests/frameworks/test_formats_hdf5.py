"""In the image: what HDF5 files hold, however written, and what is refused."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pytest

from repro_env.formats import UnreadableError, hdf5, library
from tests.conftest import Run
from tests.frameworks.test_formats_libraries import NAN, NEXT, ONE, OTHER_NAN, Held, held

pytest.importorskip("h5py", reason="this stack has no h5py")


def hdf5_file(path: Path, write: Callable[[Any], None], **options: Any) -> Held:
    with library("h5py").File(path, "w", **options) as file:
        write(file)
    return held(hdf5.read, path)


def plain(file: Any, values: Any = (1, 2), name: str = "a", **options: Any) -> None:
    file.create_dataset(name, data=numpy.asarray(values, options.pop("dtype", "f4")), **options)
    file.create_group("g").attrs["unit"] = "m"


def test_times_chunks_compression_and_byte_order_do_not_count(tmp_path: Path) -> None:
    one = hdf5_file(tmp_path / "a.h5", partial(plain, track_times=True))
    time.sleep(1.1)  # HDF5 writes whole seconds
    other = hdf5_file(tmp_path / "b.h5", partial(plain, track_times=True))

    assert (
        one
        == other
        == [
            ("", "group", (), b""),
            ("a", "float32", (2,), struct.pack("<ff", 1, 2)),
            ("g", "group", (), b""),
            ("g//unit", "string[utf-8]", (), b"m"),
        ]
    )
    assert (tmp_path / "a.h5").read_bytes() != (tmp_path / "b.h5").read_bytes()
    for options in (
        {"chunks": (1,)},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"dtype": ">f4"},
        {"maxshape": (None,), "fillvalue": 3},
    ):
        assert hdf5_file(tmp_path / "c.h5", partial(plain, **options)) == one
    assert hdf5_file(tmp_path / "c.h5", plain, libver="latest") == one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"values": [ONE]}, {"values": [NEXT]}, id="an ulp"),
        pytest.param({"values": [0.0]}, {"values": [-0.0]}, id="a sign of zero"),
        pytest.param({"values": [NAN]}, {"values": [OTHER_NAN]}, id="a NaN's payload"),
        pytest.param({"values": [NAN], "dtype": ">f4"}, {"values": [OTHER_NAN]}, id="and swapped"),
        pytest.param({"values": [0]}, {"values": [0], "dtype": "i4"}, id="the dtype"),
        pytest.param({"values": [1]}, {"values": [[1]]}, id="the shape"),
        pytest.param({"values": 1}, {"values": [1]}, id="a scalar"),
        pytest.param({"name": "a"}, {"name": "b"}, id="the name"),
        pytest.param({"values": [1, 2]}, {"values": [2, 1]}, id="the order"),
        pytest.param(
            {"values": [b"a"], "dtype": "S1"}, {"values": [b"a"], "dtype": "S2"}, id="a length"
        ),
    ],
)
def test_what_a_dataset_holds_counts(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    found = [hdf5_file(tmp_path / "a.h5", partial(plain, **options)) for options in (one, other)]

    assert found[0] != found[1]


def pieces_of_every_kind(file: Any) -> dict[str, Any]:
    h5py = library("h5py")
    file["target"], file["second"] = 1, 2
    return {
        "text": ("a", h5py.string_dtype()),
        "other text": ("b", h5py.string_dtype()),
        "ascii": ("a", h5py.string_dtype("ascii")),
        "fixed": (b"a", h5py.string_dtype(length=1)),
        "texts": (["a", "bc"], h5py.string_dtype()),
        "texts cut elsewhere": (["ab", "c"], h5py.string_dtype()),
        "a column of texts": ([["a"], ["bc"]], h5py.string_dtype()),
        "no text": ("", h5py.string_dtype()),
        "not even that": (h5py.Empty(h5py.string_dtype()), None),
        "nothing": (h5py.Empty("f4"), None),
        "nothing else": (h5py.Empty("i4"), None),
        "none": (numpy.zeros((0, 3), "f4"), None),
        "none either": (numpy.zeros((3, 0), "f4"), None),
        "true": (numpy.array([True]), None),
        "one": (numpy.array([1], "i1"), None),
        "choice": ([1], h5py.enum_dtype({"R": 0, "G": 1}, "i1")),
        "other choice": ([1], h5py.enum_dtype({"R": 1, "G": 0}, "i1")),
        "reference": (file["target"].ref, h5py.ref_dtype),
        "other reference": (file["second"].ref, h5py.ref_dtype),
        "no reference": (h5py.Reference(), h5py.ref_dtype),
        "complex": (numpy.array([1 + 2j]), None),
        "record": (numpy.array([(1, 2)], [("a", ">i2"), ("b", "<f4")]), None),
        "other fields": (numpy.array([(1, 2)], [("a", "<i2"), ("c", "<f4")]), None),
        "time": (numpy.array([1], "M8[s]").astype(h5py.opaque_dtype("M8[s]")), None),
        "other unit": (numpy.array([1], "M8[D]").astype(h5py.opaque_dtype("M8[D]")), None),
        "bytes": (numpy.void(b"abc"), None),
    }


def test_every_kind_of_value_is_read_and_told_from_the_others(tmp_path: Path) -> None:
    def write(file: Any) -> None:
        kinds = pieces_of_every_kind(file)
        for name, (value, dtype) in kinds.items():
            file.create_dataset(f"set/{name}", data=value, dtype=dtype)
            file.attrs.create(name, value, dtype=dtype)

    found = hdf5_file(tmp_path / "a.h5", write)

    sets = {name: tuple(rest) for name, *rest in found if name.startswith("set/")}
    attributes = {name: tuple(rest) for name, *rest in found if name.startswith("//")}
    assert len(sets) == len(set(sets.values())) == 26
    assert list(attributes.values()) == list(sets.values())
    assert sets["set/texts"][2] == b"\1\0\0\0\0\0\0\0a\2\0\0\0\0\0\0\0bc"
    assert sets["set/reference"][2] == b"\7\0\0\0\0\0\0\0/target"
    assert sets["set/record"][2] == struct.pack("<hf", 1, 2)


def test_lists_of_any_length_are_read(tmp_path: Path) -> None:
    h5py = library("h5py")

    def write(lists: list[Any], dtype: Any) -> Callable[[Any], None]:
        def lists_of(file: Any) -> None:
            made = file.create_dataset("a", (len(lists),), dtype=h5py.vlen_dtype(dtype))
            for number, one in enumerate(lists):
                made[number] = one

        return lists_of

    found = [
        hdf5_file(tmp_path / "a.h5", write(lists, numpy.dtype("i4")))
        for lists in ([[1, 2], [3]], [[1], [2, 3]], [[1, 2], [4]])
    ]

    assert found[0][1][3] == struct.pack("<qiiqi", 2, 1, 2, 1, 3)
    assert all(found.count(one) == 1 for one in found)
    texts = hdf5_file(tmp_path / "a.h5", write([["a", "b"]], h5py.string_dtype()))
    assert texts[1][1] == "list of string[utf-8] of shape (1,)"
    with pytest.raises(UnreadableError, match="misreads lists of big-endian"):
        hdf5_file(tmp_path / "a.h5", write([[1]], numpy.dtype(">i4")))


def test_gaps_in_records_do_not_count(tmp_path: Path) -> None:
    fields = [("a", "i1"), ("b", "f8")]
    tight, loose = numpy.dtype(fields), numpy.dtype(fields, align=True)

    found = [
        hdf5_file(tmp_path / "a.h5", partial(plain, values=[(1, 2)], dtype=dtype))
        for dtype in (tight, loose)
    ]

    assert loose.itemsize > tight.itemsize
    assert found[0] == found[1]


def test_links_are_named_and_not_followed(tmp_path: Path) -> None:
    h5py = library("h5py")
    hdf5_file(tmp_path / "other.h5", plain)

    def write(file: Any) -> None:
        group = file.create_group("a")
        group["loop"] = group
        group["up"] = file["/"]
        file["x"] = group["data"] = numpy.float32(1)
        del file["x"]
        file["x"] = group["data"]
        file["y"] = h5py.SoftLink("/a/data")
        file["z"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/a")

    assert hdf5_file(tmp_path / "a.h5", write) == [
        ("", "group", (), b""),
        ("a", "group", (), b""),
        ("a/data", "float32", (), struct.pack("<f", 1)),
        ("a/loop", "link", (), b"a"),
        ("a/up", "link", (), b""),
        ("x", "link", (), b"a/data"),
        ("y", "SoftLink ", (), b"/a/data"),
        ("z", f"ExternalLink {tmp_path / 'other.h5'}", (), b"/a"),
    ]


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("kept", [True, False])
def test_the_order_of_entries_counts_where_the_file_keeps_it(
    tmp_path: Path, libver: str, kept: bool
) -> None:
    names = [f"entry {number}" for number in range(30)]

    def write(order: list[str]) -> Callable[[Any], None]:
        def entries(file: Any) -> None:
            group = file.create_group("g", track_order=kept)
            for name in order:
                group[name] = group.attrs[name] = 1

        return entries

    one, other = (
        hdf5_file(tmp_path / "a.h5", write(order), libver=libver) for order in (names, names[::-1])
    )

    for is_attribute in (True, False):
        orders = [
            [name for name, *_ in some if ("//" in name) == is_attribute] for some in (one, other)
        ]
        assert (orders[0] == orders[1]) != kept
    assert sorted(one) == sorted(other)


def test_what_is_large_is_read_in_pieces(tmp_path: Path) -> None:
    shape = (2, 1500, 1500)
    values = numpy.arange(numpy.prod(shape), dtype="f4").reshape(shape)
    with library("h5py").File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=values, chunks=(2, 300, 500), compression="gzip")

    pieces = [list(part.data) for part in hdf5.read(tmp_path / "a.h5") if part.shape == shape]

    assert b"".join(pieces[0]) == values.tobytes()
    assert max(map(len, pieces[0])) <= 2**23 < values.nbytes


def test_values_in_other_files_are_refused(tmp_path: Path) -> None:
    h5py = library("h5py")
    (tmp_path / "secret").write_bytes(bytes(8))

    def external(file: Any) -> None:
        file.create_dataset("a", (2,), "f4", external=[(str(tmp_path / "secret"), 0, 8)])

    def virtual(file: Any) -> None:
        layout = h5py.VirtualLayout((2,), "f4")
        layout[:] = h5py.VirtualSource("other.h5", "a", (2,))
        file.create_virtual_dataset("a", layout)

    for write in (external, virtual):
        with pytest.raises(UnreadableError, match="are in another file"):
            hdf5_file(tmp_path / "a.h5", write)


def test_a_small_file_that_says_it_is_huge_is_refused(tmp_path: Path) -> None:
    def write(file: Any) -> None:
        file.create_dataset("a", (2**40,), "f4", chunks=(2**20,))

    with pytest.raises(UnreadableError, match="unfolds to far more"):
        hdf5_file(tmp_path / "a.h5", write)


def test_what_stands_before_hdf5_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="not HDF5"):
        hdf5_file(tmp_path / "a.h5", plain, userblock_size=512)


DAMAGED = """
import random, sys
from pathlib import Path
from repro_env.formats import hdf5
path = Path(sys.argv[-1])
data = path.read_bytes()
refused = 0
places = random.Random(1).sample(range(len(data)), 400)
copies = [data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:] for at in places]
copies += [data[:size] for size in range(0, len(data), 37)]
for copy in copies:
    path.write_bytes(copy)
    try:
        for part in hdf5.read_here(path):
            b"".join(part.data)
    except Exception:
        refused += 1
print(refused >= len(data) // 37)
"""


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_damaged_hdf5_is_refused_or_another(run_file: Run, tmp_path: Path, libver: str) -> None:
    path = tmp_path / "a.h5"
    hdf5_file(path, partial(plain, compression="gzip"), libver=libver)

    result = run_file(DAMAGED.replace("sys.argv[-1]", repr(str(path))))

    assert result.returncode == 0, result.stderr
    assert result.stdout == "True\n"
