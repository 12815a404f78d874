"""In the image: what files of TensorFlow and TensorBoard and images hold, however written."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from repro_env.formats import (
    Part,
    UnreadableError,
    hdf5,
    image,
    library,
    tensorboard,
    tensorflow,
    wire,
)
from tests.conftest import SEEDED, Run

Held = list[tuple[str, str, tuple[int, ...], bytes]]
HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(not HAS_TENSORFLOW, reason="this stack has no TensorFlow")

ONE = numpy.float32(1)
NEXT = numpy.nextafter(ONE, numpy.float32(2))
NAN, OTHER_NAN = numpy.array([0x7FC00000, 0x7FC00001], "u4").view("f4")


def held(read: Callable[[Path], Iterator[Part]], path: Path) -> Held:
    return [(part.name, part.dtype, part.shape, b"".join(part.data)) for part in read(path)]


def held_or_refused(read: Callable[[Path], Iterator[Part]], path: Path) -> Held | None:
    try:
        return held(read, path)
    except Exception:
        return None


def damaged(data: bytes, count: int) -> Iterator[bytes]:
    """Yield copies, each with one byte changed."""
    for place in random.Random(3).sample(range(len(data)), min(count, len(data))):
        yield data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


# TensorBoard


def packed(number: int) -> bytes:
    """Return a number below 2^14 as messages and tables have it."""
    return bytes([number & 0x7F | 0x80, number >> 7])


def summary(tag: str, step: int = 0, wall_time: float = 1.0, **value: Any) -> Any:
    messages = library("tensorboard.compat.proto.event_pb2")
    return messages.Event(
        wall_time=wall_time, step=step, summary={"value": [{"tag": tag, **value}]}
    )


def framed(event: Any) -> bytes:
    data: bytes = event.SerializeToString()
    head = struct.pack("<Q", len(data))
    ends = (struct.pack("<I", wire.checksum(one)) for one in (head, data))
    return head + next(ends) + data + next(ends)


def events(path: Path, *all_of_them: Any) -> Held:
    path.write_bytes(b"".join(map(framed, all_of_them)))
    return held(tensorboard.read, path)


@pytest.fixture
def events_file(tmp_path: Path) -> Path:
    return tmp_path / "events.out.tfevents.1.host"


TORCH_LOG = """
import sys, numpy, torch
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter(sys.argv[1]) as writer:
    for step in range(3):
        writer.add_scalar("loss", 0.1 * step, step)
    writer.add_histogram("weights", torch.arange(9.0), 1)
    writer.add_image("picture", torch.zeros(3, 4, 4), 1)
    writer.add_text("words", "said", 2)
    writer.add_hparams({"lr": 0.1}, {"best": 1.0}, run_name="same")
    writer.add_graph(torch.nn.Linear(2, 1), torch.zeros(1, 2))
"""


def test_what_torch_logs_twice_is_the_same(run: Run, tmp_path: Path) -> None:
    files = []
    for turn in "ab":
        (tmp_path / turn).mkdir()
        code = TORCH_LOG.replace("sys.argv[1]", repr(str(tmp_path / turn)))
        result = run(code, "-W", "ignore")
        assert result.returncode == 0, result.stderr
        files.append(sorted((tmp_path / turn).rglob("events.out.*")))

    assert len(files[0]) == 2
    for one, other in zip(*files):
        assert one.read_bytes() != other.read_bytes()
        assert held(tensorboard.read, one) == held(tensorboard.read, other)
    parts = held(tensorboard.read, files[0][0])
    scalars = [struct.unpack("<f", data)[0] for name, *_, data in parts if "loss" in name]
    assert scalars == [float(numpy.float32(0.1 * step)) for step in range(3)]


def test_times_and_the_version_of_the_file_do_not_count(events_file: Path) -> None:
    version = summary("loss").__class__(wall_time=3, file_version="brain.Event:2")

    assert events(events_file, summary("loss", wall_time=5.0, simple_value=1)) == [
        ("loss@0", "float32", (), struct.pack("<f", 1))
    ]
    assert events(events_file, version, summary("loss", simple_value=1)) == [
        ("loss@0", "float32", (), struct.pack("<f", 1))
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"simple_value": ONE}, {"simple_value": NEXT}, id="an ulp"),
        pytest.param({"simple_value": 0.0}, {"simple_value": -0.0}, id="a sign of zero"),
        pytest.param({"simple_value": NAN}, {"simple_value": OTHER_NAN}, id="a NaN's payload"),
        pytest.param({"simple_value": 1}, {"simple_value": 1, "step": 1}, id="the step"),
        pytest.param({"simple_value": 1}, {"simple_value": 1, "tag": "b"}, id="the tag"),
        pytest.param({"simple_value": 0}, {}, id="no value"),
        pytest.param(
            {"simple_value": 1},
            {"simple_value": 1, "metadata": {"display_name": "x"}},
            id="what is said of it",
        ),
        pytest.param(
            {"tensor": {"dtype": 1, "tensor_shape": {}, "float_val": [1]}},
            {"tensor": {"dtype": 1, "tensor_shape": {}, "float_val": [2]}},
            id="a tensor",
        ),
        pytest.param(
            {"tensor": {"dtype": 1, "tensor_shape": {"dim": [{"size": 1}]}}},
            {"tensor": {"dtype": 1, "tensor_shape": {"dim": [{"size": 1, "name": "x"}]}}},
            id="the name of a dimension",
        ),
    ],
)
def test_what_is_logged_counts(
    events_file: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert events(events_file, summary(**{"tag": "a", **one})) != events(
        events_file, summary(**{"tag": "a", **other})
    )


def test_an_added_event_and_their_order_count(events_file: Path) -> None:
    first, second = summary("a", simple_value=1), summary("b", simple_value=2)

    kinds = [(), (first,), (first, second), (second, first), (first, second, second)]
    kinds.append((summary("nothing of it"),))

    found = [events(events_file, *some) for some in kinds]
    assert all(found.count(one) == 1 for one in found)


def test_a_tensor_is_an_array(events_file: Path) -> None:
    tensor = {
        "dtype": 1,
        "tensor_shape": {"dim": [{"size": 2}]},
        "tensor_content": struct.pack("<ff", 1, NEXT),
    }

    assert events(events_file, summary("a", tensor=tensor)) == [
        ("a@0", "float32", (2,), tensor["tensor_content"])
    ]


def test_the_order_of_a_graphs_maps_does_not_count(events_file: Path) -> None:
    nodes = library("tensorboard.compat.proto.node_def_pb2")
    names = [f"attribute {number}" for number in range(30)]
    written, read = set(), []
    for order in (names, names[::-1]):
        # A map that is written as an entry each, in an order of ours.
        node = b""
        for name in order:
            one = nodes.NodeDef()
            one.attr[name].i = 1
            node += one.SerializeToString()
        graph = b"\x0a" + packed(len(node)) + node
        event = summary("x").__class__(graph_def=graph)
        written.add(event.SerializeToString())
        read.append(events(events_file, event))

    assert len(written) == 2
    assert read[0] == read[1] != []


def test_a_record_that_is_cut_off_is_refused(events_file: Path) -> None:
    first, last = (framed(summary("loss", step, simple_value=1)) for step in (0, 1))

    for size in range(1, len(last)):
        events_file.write_bytes(first + last[:size])
        with pytest.raises(UnreadableError, match=f"last record, at byte {len(first)}, is cut off"):
            held(tensorboard.read, events_file)


def test_a_damaged_record_is_refused(events_file: Path) -> None:
    whole = framed(summary("loss", simple_value=1)) * 2

    for data in damaged(whole, len(whole)):
        events_file.write_bytes(data)
        with pytest.raises(UnreadableError, match=r"says a wrong length|is damaged"):
            held(tensorboard.read, events_file)


def test_a_length_beyond_the_file_is_refused(events_file: Path) -> None:
    head = struct.pack("<Q", 2**62)
    events_file.write_bytes(head + struct.pack("<I", wire.checksum(head)) + bytes(100))

    with pytest.raises(UnreadableError, match="cut off"):
        held(tensorboard.read, events_file)


def test_events_are_read_without_tensorflow(run: Run, events_file: Path) -> None:
    events(events_file, summary("loss", simple_value=1))
    code = f"""
import sys; from pathlib import Path; from repro_env.formats import tensorboard
print(len(list(tensorboard.read(Path({str(events_file)!r})))), "tensorflow" in sys.modules)
"""

    assert run(code).stdout == "1 False\n"


# Images


def png(path: Path, pixels: Any, mode: str = "RGB", **options: Any) -> Path:
    library("PIL.Image").frombytes(mode, pixels.shape[1::-1], pixels.tobytes()).save(
        path, **options
    )
    return path


PIXELS = numpy.arange(5 * 4 * 3, dtype="u1").reshape(5, 4, 3)


def test_the_pixels_of_an_image_are_an_array(tmp_path: Path) -> None:
    assert held(image.read, png(tmp_path / "a.png", PIXELS)) == [
        ("0/mode", "text", (), b"RGB"),
        ("0/pixels", "uint8", (5, 4, 3), PIXELS.tobytes()),
    ]


def test_how_an_image_is_packed_and_what_is_said_of_it_does_not_count(tmp_path: Path) -> None:
    words = library("PIL.PngImagePlugin").PngInfo()
    words.add_text("Software", "a library, version 3")
    words.add_text("Creation Time", "now")

    one = png(tmp_path / "a.png", PIXELS, compress_level=0, pnginfo=words, dpi=(300, 300))
    other = png(tmp_path / "b.png", PIXELS, compress_level=9)

    assert one.read_bytes() != other.read_bytes()
    assert held(image.read, one) == held(image.read, other)


def test_the_time_in_a_photo_does_not_count_and_its_orientation_does(tmp_path: Path) -> None:
    read = []
    for tag, value in ((0x0132, "2020:01:01 00:00:00"), (0x0132, "2021"), (0x0112, 6)):
        exif = library("PIL.Image").Exif()
        exif[tag] = value
        read.append(held(image.read, png(tmp_path / "a.jpg", PIXELS, exif=exif)))

    assert read[0] == read[1] != read[2]


def changed_pixel() -> Any:
    pixels = PIXELS.copy()
    pixels[4, 3, 2] += 1
    return pixels


@pytest.mark.parametrize(
    ("name", "pixels", "options"),
    [
        pytest.param("a.png", changed_pixel(), {}, id="a pixel"),
        pytest.param("a.png", PIXELS.reshape(4, 5, 3), {}, id="the size"),
        pytest.param("a.png", PIXELS.reshape(5, 3, 4), {"mode": "RGBA"}, id="the mode"),
        pytest.param("a.png", PIXELS, {"icc_profile": b"profile"}, id="the colour profile"),
        pytest.param("a.png", PIXELS, {"transparency": (0, 1, 2)}, id="what is transparent"),
    ],
)
def test_what_is_seen_counts(
    tmp_path: Path, name: str, pixels: Any, options: dict[str, Any]
) -> None:
    first = held(image.read, png(tmp_path / "first.png", PIXELS))

    assert held(image.read, png(tmp_path / name, pixels, **options)) != first


def test_a_palette_counts(tmp_path: Path) -> None:
    pillow = library("PIL.Image")
    read = []
    for colour in (1, 2):
        indexed = pillow.frombytes("P", (3, 5), PIXELS[:, :, 0].tobytes()[:15])
        indexed.putpalette([colour, 0, 0] * 16)
        indexed.save(tmp_path / "a.png")
        read.append(held(image.read, tmp_path / "a.png"))

    assert read[0] != read[1]
    assert read[0][1] == read[1][1]


def test_each_frame_and_how_long_it_is_shown_counts(tmp_path: Path) -> None:
    pillow = library("PIL.Image")
    frames = [pillow.new("RGB", (3, 3), (shade, 0, 0)) for shade in (0, 100, 200)]

    def animation(*order: int, duration: int = 50) -> Held:
        first, *others = (frames[number] for number in order)
        first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=duration)
        return held(image.read, tmp_path / "a.gif")

    kinds = [animation(0, 1), animation(0, 1, duration=70), animation(0, 1, 2), animation(0, 2, 1)]

    assert all(kinds.count(one) == 1 for one in kinds)
    assert animation(0, 1) == kinds[0]
    assert sum(name.endswith("/pixels") for name, *_ in kinds[2]) == 3


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(width: int, height: int, depth: int, colours: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


def test_colours_that_pillow_would_round_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(raw_png(1, 1, 16, 2, b"\0" + bytes(6)))

    with pytest.raises(UnreadableError, match="16 bits a colour"):
        held(image.read, tmp_path / "a.png")


def test_sixteen_bits_of_grey_are_read(tmp_path: Path) -> None:
    for value in (0x0101, 0x0102):
        (tmp_path / "a.png").write_bytes(raw_png(1, 1, 16, 0, struct.pack(">BH", 0, value)))

        _, kind, _, data = held(image.read, tmp_path / "a.png")[1]
        assert numpy.frombuffer(data, kind).tolist() == [value]


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_bomb_is_refused(tmp_path: Path, side: int) -> None:
    (tmp_path / "a.png").write_bytes(raw_png(side, side, 8, 2, b""))

    with pytest.raises(UnreadableError, match="decompression bomb"):
        held(image.read, tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["tiff", "ppm", "eps"])
def test_other_kinds_of_images_are_refused(tmp_path: Path, kind: str) -> None:
    path = png(tmp_path / f"a.{kind}", PIXELS).rename(tmp_path / "a.png")

    with pytest.raises(UnreadableError, match="it is none of PNG, JPEG, GIF, BMP, WEBP"):
        held(image.read, path)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp", "webp"])
def test_a_damaged_image_is_refused_or_another_one(tmp_path: Path, kind: str) -> None:
    path = png(tmp_path / f"a.{kind}", PIXELS)
    data, whole = path.read_bytes(), held(image.read, path)

    for size in range(0, len(data), 3):
        path.write_bytes(data[:size])
        assert held_or_refused(image.read, path) in (None, whole) or kind == "gif"
    path.write_bytes(data[: len(data) // 2])
    assert held_or_refused(image.read, path) != whole
    for bad in damaged(data, 200):
        path.write_bytes(bad)
        held_or_refused(image.read, path)  # and nothing worse


@pytest.mark.parametrize(
    ("read", "gone", "said"),
    [
        (hdf5.read_here, ["h5py"], "h5py is not installed here"),
        (image.read, ["PIL", "PIL.Image"], "Pillow is not installed here"),
        (tensorboard.read, ["tensorboard"], "tensorboard is not installed here"),
        (tensorflow.read_saved_model, ["tensorboard"], "tensorboard is not installed here"),
    ],
)
def test_without_the_library_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Any, gone: list[str], said: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in gone[1:]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, gone[0], None)  # as Python marks what is not to be imported

    with pytest.raises(UnreadableError, match=said):
        held(read, tmp_path / "file")


# TensorFlow

SAVE = """
import json, sys, numpy, tensorflow as tf
from pathlib import Path
out = Path(OUT)
one, next_ = numpy.float32(1), numpy.nextafter(numpy.float32(1), numpy.float32(2))
nan, other = numpy.array([0x7FC00000, 0x7FC00001], "u4").view("f4")
def array(*values, dtype="f4"):
    return numpy.array(values, dtype)
checkpoints = {
    "plain": {"a": array(1, 2), "b": array(3)},
    "again": {"a": array(1, 2), "b": array(3)},
    "ulp": {"a": array(1, 2), "b": array(3 + 2**-22)},
    "zero": {"a": array(0.0, 2), "b": array(3)},
    "minus zero": {"a": array(-0.0, 2), "b": array(3)},
    "nan": {"a": array(nan, 2), "b": array(3)},
    "other nan": {"a": array(other, 2), "b": array(3)},
    "dtype": {"a": array(1, 2).view("i4"), "b": array(3)},
    "shape": {"a": array(1, 2).reshape(2, 1), "b": array(3)},
    "name": {"a": array(1, 2), "c": array(3)},
    "more": {"a": array(1, 2), "b": array(3), "c": array(4)},
    "order": {"a": array(2, 1), "b": array(3)},
    "texts": {"a": array("x", "yz", dtype=object)},
    "other texts": {"a": array("xy", "z", dtype=object)},
    "kinds": {kind: array(1, 0, dtype=kind) for kind in
              "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 ? c8 c16".split()},
}
told = {}
for name, arrays in checkpoints.items():
    prefix = str(out / name)
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=list(arrays),
                      shape_and_slices=[""] * len(arrays), tensors=list(arrays.values()))
    reader = tf.train.load_checkpoint(prefix)
    found = {key: reader.get_tensor(key) for key in arrays}
    told[name] = {key: [str(value.dtype), list(value.shape), value.tobytes().hex()]
                  for key, value in found.items() if value.dtype != object}
for where, parts in {"slices": ("4 0,2", "4 2,2"), "other slices": ("4 0,1", "4 1,3")}.items():
    tf.raw_ops.SaveV2(prefix=str(out / where), tensor_names=["a", "a"], shape_and_slices=parts,
                      tensors=[array(*range(int(one[-1]))) for one in parts])

tf.keras.utils.set_random_seed(42)
def model(units):
    layers = [tf.keras.Input((3, 2)), tf.keras.layers.LSTM(units), tf.keras.layers.Dense(1)]
    made = tf.keras.Sequential(layers)
    made.compile("adam", "mse")
    return made
for name, units in {"model": 2, "other": 3}.items():
    made = model(units)
    log = tf.keras.callbacks.TensorBoard(out / name / "log", histogram_freq=1)
    made.fit(numpy.ones((4, 3, 2)), numpy.ones(4), verbose=0, callbacks=[log])
    made.save(out / name)
    made.save(out / f"{name}.h5")
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=made), str(out / f"{name} kept"), max_to_keep=2)
    manager.save(), manager.save()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def saved(hooked_python: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Run the same in two fresh processes, and return their folders and what the first told."""
    from tests.conftest import _run

    if not HAS_TENSORFLOW:
        pytest.skip("this stack has no TensorFlow")
    folders: list[Any] = []
    for turn in ("a", "b"):
        folder = tmp_path_factory.mktemp(turn)
        code = SAVE.replace("OUT", repr(str(folder)), 1)
        result = _run(hooked_python, "-W", "ignore", "-c", code, env=SEEDED)
        assert result.returncode == 0, result.stderr
        folders.append(folder)
    return [*folders, json.loads(result.stdout.splitlines()[-1])]


def checkpoint(folder: Path, name: str) -> Held:
    return held(tensorflow.read_checkpoint, folder / f"{name}.index")


@needs_tensorflow
def test_a_checkpoint_holds_what_tensorflow_reads_from_it(saved: list[Any]) -> None:
    folder, _, told = saved

    for name, arrays in told.items():
        if arrays:
            assert checkpoint(folder, name) == [
                (key, kind, tuple(shape), bytes.fromhex(data))
                for key, (kind, shape, data) in sorted(arrays.items())
            ]


@needs_tensorflow
def test_each_file_of_a_checkpoint_stands_for_all_of_it(saved: list[Any]) -> None:
    data = saved[0] / "plain.data-00000-of-00001"

    assert held(tensorflow.read_checkpoint, data) == checkpoint(saved[0], "plain")


@needs_tensorflow
def test_every_change_to_a_checkpoint_counts(saved: list[Any]) -> None:
    names = sorted(set(saved[2]) - {"again"} | {"slices", "other slices"})

    found = [checkpoint(saved[0], name) for name in names]

    assert [name for name, one in zip(names, found) if found.count(one) > 1] == []
    assert checkpoint(saved[0], "plain") == checkpoint(saved[0], "again")


@needs_tensorflow
def test_texts_and_slices_are_no_arrays(saved: list[Any]) -> None:
    ((*texts, data),) = checkpoint(saved[0], "texts")
    *parts, (*whole, slices) = checkpoint(saved[0], "slices")

    assert texts == ["a", "string of shape (2,)", ()]
    assert data.startswith(b"\1\2")
    assert data.endswith(b"xyz")
    assert whole == ["a", "slices of float32 of shape (4,)", ()]
    assert slices != b""
    assert [part[1:] for part in parts] == [("float32", (2,), struct.pack("<ff", 0, 1))] * 2


def block(entries: list[tuple[bytes, bytes]], compression: bytes = b"\0") -> bytes:
    body = b"".join(bytes([0, len(key), len(value)]) + key + value for key, value in entries)
    data = body + struct.pack("<II", 0, 1) + compression
    return data + struct.pack("<I", wire.checksum(data))


def table(path: Path, *entries: tuple[bytes, bytes], compression: bytes = b"\0") -> Held:
    """Write a table and four bytes of data beside it, and read them as a checkpoint."""
    first = block(list(entries), compression)
    second = block([(b"z", packed(0) + packed(len(first) - 5))])
    end = packed(0) * 2 + packed(len(first)) + packed(len(second) - 5)
    index = path / "x.index"
    index.write_bytes(first + second + end.ljust(40, b"\0") + tensorflow.TABLE_END)
    (path / "x.data-00000-of-00001").write_bytes(b"data")
    return held(tensorflow.read_checkpoint, index)


HEADER = (b"", b"\x08\x01")  # one file
FOUR_BYTES = b"\x08\x04\x12\x04\x12\x02\x08\x04\x28\x04"  # uint8 of shape (4,), of size 4


def test_a_table_is_read_as_it_is_described(tmp_path: Path) -> None:
    assert table(tmp_path, HEADER, (b"a", FOUR_BYTES)) == [("a", "uint8", (4,), b"data")]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        pytest.param([(b"", b"\x08\x01\x10\x01")], "a machine like this", id="big-endian"),
        pytest.param([(b"a", b"\x08\x01")], "a machine like this", id="no header"),
        pytest.param([HEADER, (b"b", b""), (b"a", b"")], "out of order", id="order"),
        pytest.param([HEADER, (b"a", FOUR_BYTES + b"\x40\x01")], "does not know", id="unknown"),
        pytest.param([HEADER, (b"a", b"\x12\x02\x18\x01")], "unknown shape", id="no shape"),
        pytest.param([HEADER, (b"a", FOUR_BYTES), (b"b", FOUR_BYTES)], "more than", id="overlap"),
        pytest.param([HEADER, (b"a", FOUR_BYTES + b"\x20\x01")], "beyond its", id="place"),
    ],
)
def test_a_table_that_tensorflow_does_not_write_is_refused(
    tmp_path: Path, entries: list[tuple[bytes, bytes]], said: str
) -> None:
    with pytest.raises(UnreadableError, match=said):
        table(tmp_path, *entries)


def test_a_compressed_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="compressed"):
        table(tmp_path, HEADER, (b"a", FOUR_BYTES), compression=b"\1")


@needs_tensorflow
def test_a_damaged_index_is_refused(saved: list[Any], tmp_path: Path) -> None:
    for end in ("index", "data-00000-of-00001"):
        shutil.copy(saved[0] / f"kinds.{end}", tmp_path / f"kinds.{end}")
    path = tmp_path / "kinds.index"
    data, whole = path.read_bytes(), checkpoint(tmp_path, "kinds")
    unread = 13 + 40  # an empty block, and what fills up the end

    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert held_or_refused(tensorflow.read_checkpoint, path) is None
    found = []
    for bad in damaged(data, len(data)):
        path.write_bytes(bad)
        found.append(held_or_refused(tensorflow.read_checkpoint, path))
    assert all(one in (None, whole) for one in found)
    assert found.count(whole) <= unread < len(data) / 4


@needs_tensorflow
def test_a_checkpoint_whose_data_is_cut_off_or_gone_is_refused(
    saved: list[Any], tmp_path: Path
) -> None:
    data = tmp_path / "plain.data-00000-of-00001"
    for path in saved[0].glob("plain.*"):
        shutil.copy(path, tmp_path)

    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(UnreadableError, match="more than what is in its files"):
        checkpoint(tmp_path, "plain")

    data.unlink()
    with pytest.raises(UnreadableError, match="data-00000-of-00001 is not beside it"):
        checkpoint(tmp_path, "plain")
    with pytest.raises(UnreadableError, match=r"x\.index is not beside it"):
        held(tensorflow.read_checkpoint, tmp_path / "x.data-00000-of-00001")


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"an index of something else" * 10):
        (tmp_path / "x.index").write_bytes(data)
        with pytest.raises(UnreadableError, match="no index of a checkpoint"):
            checkpoint(tmp_path, "x")


@needs_tensorflow
def test_what_keras_saves_twice_is_the_same_in_every_file(saved: list[Any]) -> None:
    one, other, _ = saved
    readers = {
        "model/saved_model.pb": tensorflow.read_saved_model,
        "model/keras_metadata.pb": tensorflow.read_keras_metadata,
        "model/variables/variables.index": tensorflow.read_checkpoint,
        "model kept/checkpoint": tensorflow.read_state,
        "model kept/ckpt-2.index": tensorflow.read_checkpoint,
        "model.h5": hdf5.read,
    }
    (log,) = (one / "model/log/train").iterdir()
    (other_log,) = (other / "model/log/train").iterdir()

    for name, read in readers.items():
        assert held(read, one / name) == held(read, other / name) != [], name
    assert held(tensorboard.read, log) == held(tensorboard.read, other_log) != []
    for name in ("model/saved_model.pb", "model kept/checkpoint"):
        assert (one / name).read_bytes() != (other / name).read_bytes()
    assert log.read_bytes() != other_log.read_bytes()


@needs_tensorflow
def test_what_differs_in_a_model_differs_in_its_files(saved: list[Any]) -> None:
    folder = saved[0]

    for name, read in {
        "saved_model.pb": tensorflow.read_saved_model,
        "keras_metadata.pb": tensorflow.read_keras_metadata,
        "variables/variables.index": tensorflow.read_checkpoint,
    }.items():
        assert held(read, folder / "model" / name) != held(read, folder / "other" / name)
    assert held(hdf5.read, folder / "model.h5") != held(hdf5.read, folder / "other.h5")


@needs_tensorflow
def test_damaged_models_are_refused_or_others(saved: list[Any], tmp_path: Path) -> None:
    for name, read in {
        "saved_model.pb": tensorflow.read_saved_model,
        "keras_metadata.pb": tensorflow.read_keras_metadata,
    }.items():
        data = (saved[0] / "model" / name).read_bytes()
        whole = held(read, saved[0] / "model" / name)
        for bad in (*damaged(data, 40), data[: len(data) // 2], data[:-1]):
            (tmp_path / name).write_bytes(bad)
            assert held_or_refused(read, tmp_path / name) != whole


@needs_tensorflow
def test_checkpoints_and_models_are_read_without_tensorflow(run: Run, saved: list[Any]) -> None:
    code = f"""
import sys; from pathlib import Path; from repro_env.formats import tensorflow
folder = Path({str(saved[0])!r})
print(len(list(tensorflow.read_checkpoint(folder / "plain.index"))))
print(len(list(tensorflow.read_saved_model(folder / "model" / "saved_model.pb"))) > 9)
print("tensorflow" in sys.modules)
"""

    assert run(code).stdout == "2\nTrue\nFalse\n"


def saved_model(path: Path, uuids: list[str], *signatures: str) -> Held:
    graphs = library("tensorboard.compat.proto.meta_graph_pb2")
    made = graphs.MetaGraphDef()
    for number, uuid in enumerate(uuids):
        function = made.graph_def.library.function.add(signature={"name": str(number)})
        function.attr["api_implements"].s = uuid.encode()
    for signature in signatures:
        made.signature_def[signature].method_name = "predict"
    graph = made.SerializeToString()
    path.write_bytes(b"\x08\x01\x12" + packed(len(graph)) + graph)
    return held(tensorflow.read_saved_model, path)


def test_random_names_count_by_which_functions_share_one(tmp_path: Path) -> None:
    one, other, third = (
        f"lstm_{digit * 8}-1234-4abc-8def-0123456789ab" for digit in ("0", "a", "f")
    )

    same = saved_model(tmp_path / "x", [one, one, other, other])

    assert saved_model(tmp_path / "x", [third, third, one, one]) == same
    assert saved_model(tmp_path / "x", [one, other, one, other]) != same
    assert saved_model(tmp_path / "x", [one, one, one, one]) != same
    assert saved_model(tmp_path / "x", [one.replace("lstm", "gru")] * 2 + [other] * 2) != same


def test_what_a_signature_is_called_counts(tmp_path: Path) -> None:
    path = tmp_path / "x"

    assert saved_model(path, [], "a", "b") == saved_model(path, [], "b", "a")
    assert saved_model(path, [], "a") != saved_model(path, [], "b")


def test_something_else_is_no_saved_model(tmp_path: Path) -> None:
    for data in (b"\x1a\x01x", b"\x08", b"\x12\xff\xff\x03", b"\x0b"):
        (tmp_path / "saved_model.pb").write_bytes(data)
        with pytest.raises(UnreadableError):
            held(tensorflow.read_saved_model, tmp_path / "saved_model.pb")


def test_something_else_is_no_metadata_of_keras(tmp_path: Path) -> None:
    for data in (b"\x08\x01", b"\x12\x01x", b"\x0a\x02\x18\x01", b"\x0a\x05x"):
        (tmp_path / "keras_metadata.pb").write_bytes(data)
        with pytest.raises(UnreadableError):
            held(tensorflow.read_keras_metadata, tmp_path / "keras_metadata.pb")


STATE = """model_checkpoint_path: "ckpt-2"
all_model_checkpoint_paths: "ckpt-1"
all_model_checkpoint_paths: "ckpt-2"
all_model_checkpoint_timestamps: 1700000000.5
all_model_checkpoint_timestamps: 1.7e+09
last_preserved_timestamp: 1700000000.25
"""


def state(path: Path, text: str) -> Held:
    path.write_text(text)
    return held(tensorflow.read_state, path)


def test_the_times_in_a_checkpoints_state_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"

    assert state(path, STATE) == state(path, STATE.replace("1700", "1800"))
    assert state(path, STATE) != state(path, STATE.replace('s: "ckpt-1"', 's: "ckpt-0"'))
    assert state(path, STATE) != state(path, "\n".join(STATE.splitlines()[1:]))


@pytest.mark.parametrize("line", ["words", 'other: "x"', "last_preserved_timestamp: 1 x"])
def test_other_lines_in_a_checkpoints_state_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(UnreadableError, match="none of TensorFlow's"):
        state(tmp_path / "checkpoint", f"{STATE}{line}\n")
