"""In the image: the content of what NumPy and PyTorch write, and what doesn't count in it."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from repro_env import digest
from repro_env.digest import Content

MATRIX = numpy.arange(6, dtype="float32").reshape(2, 3)
SCALARS = [
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
    "float32", "float64", "complex64", "complex128", "U3", "S3", "V5", "M8[ns]", "m8[D]",
    "M8[25s]",
]  # fmt: skip
FIELDS = [("a", "<f4"), ("b", ">i2", (2,)), ("c", "U2")]


def of(path: Path) -> Content:
    found = digest.of_file(path)
    assert found.content, found.by_bytes
    return found.content


def npy(folder: Path, array: Any, name: str = "a.npy") -> Content:
    numpy.save(folder / name, array)
    return of(folder / name)


def reason(path: Path) -> str:
    found = digest.of_file(path)
    assert found.content is None
    return found.by_bytes


# NumPy's files


def filled(dtype: Any) -> Any:
    """Return an array of two rows, in which most elements differ."""
    if dtype is FIELDS:
        return numpy.array([[(n, (n, -n), str(n)) for n in row] for row in MATRIX], dtype)
    if dtype == "V5":
        return MATRIX.astype("S5").view("V5")
    return MATRIX.astype("int64").astype(dtype)


@pytest.mark.parametrize("dtype", SCALARS)
def test_an_array_is_its_type_shape_and_elements(tmp_path: Path, dtype: str) -> None:
    array = filled(dtype)

    (part,) = npy(tmp_path, array).parts

    assert part == ("", array.dtype.name, (2, 3), sha256(array.tobytes()).hexdigest())


@pytest.mark.parametrize("dtype", [*SCALARS, FIELDS])
def test_neither_the_order_in_memory_nor_that_of_bytes_counts(tmp_path: Path, dtype: Any) -> None:
    array = filled(dtype)
    wide = numpy.repeat(array, 2, axis=0)
    big = array.astype(array.dtype.newbyteorder(">"))

    found = {
        npy(tmp_path, one)
        for one in (array, numpy.asfortranarray(array), big, numpy.asfortranarray(big), wide[::2])
    }

    assert len(found) == 1
    assert npy(tmp_path, array[::-1]) not in found


@pytest.mark.parametrize(
    "other",
    [
        MATRIX.reshape(3, 2),
        MATRIX.reshape(6),
        MATRIX.reshape(1, 2, 3),
        MATRIX.astype("float64"),
        MATRIX.astype("int32"),
        MATRIX.view("int32"),
        -MATRIX,
        MATRIX[::-1],
        MATRIX * numpy.float32(1 + 2**-23),
        MATRIX.view([("x", "f4")]),
    ],
)
def test_another_array_differs(tmp_path: Path, other: Any) -> None:
    assert npy(tmp_path, other).digest != npy(tmp_path, MATRIX).digest


def test_names_of_fields_count(tmp_path: Path) -> None:
    array = numpy.zeros(2, [("x", "f4"), ("y", "f4")])

    found = npy(tmp_path, array)

    assert found.parts[0].dtype == "[('x', '<f4'), ('y', '<f4')]"
    assert found.digest != npy(tmp_path, array.view([("y", "f4"), ("x", "f4")])).digest


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
def test_names_of_fields_may_be_any_text(tmp_path: Path) -> None:
    found = npy(tmp_path, numpy.zeros(2, [("\u0100", "f4")]))

    assert found.parts[0].dtype == "[('\u0100', '<f4')]"


def test_every_version_of_the_header_is_read(tmp_path: Path) -> None:
    found = set()
    for version in ((1, 0), (2, 0), (3, 0)):
        with (tmp_path / "a.npy").open("wb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that older versions can't read it
            numpy.lib.format.write_array(file, MATRIX, version)
        found.add(of(tmp_path / "a.npy"))

    assert len(found) == 1


def test_an_array_larger_than_a_piece_is_read_to_its_end(tmp_path: Path) -> None:
    array = numpy.arange(700_001, dtype=">i4")

    (part,) = npy(tmp_path, array).parts

    assert part.digest == sha256(array.astype("<i4").tobytes()).hexdigest()


def test_a_large_array_in_columns_is_read_to_its_end(tmp_path: Path) -> None:
    array = numpy.asfortranarray(numpy.arange(10_000_002, dtype="int32").reshape(-1, 3))

    (part,) = npy(tmp_path, array).parts

    assert part.digest == sha256(array.tobytes()).hexdigest()


def test_objects_are_refused(tmp_path: Path) -> None:
    for number, array in enumerate(
        (numpy.array([None, 1]), numpy.zeros(1, [("a", "f4"), ("b", "O")]))
    ):
        numpy.save(tmp_path / f"{number}.npy", array)
        numpy.savez(tmp_path / f"{number}.npz", array)

        assert "objects of Python" in reason(tmp_path / f"{number}.npy")
        assert "objects of Python" in reason(tmp_path / f"{number}.npz")


def header(text: str, version: int = 1) -> bytes:
    line = text.encode() + b"\n"
    size = len(line).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + line


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00\x00\x00",
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}") + bytes(7),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}") + bytes(9),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2.0,)}") + bytes(8),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -1)}") + bytes(8),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}") + bytes(8),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}" + " " * 10_000) + bytes(8),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4) + bytes(8),
        header("{'descr': '<f4', 'shape': (2,)}") + bytes(8),
        header("{'descr': '<q9', 'fortran_order': False, 'shape': (2,)}") + bytes(8),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1 << 62, 4)}"),
        header("__import__('os').mkdir('marker')"),
        header("(" * 5000),
    ],
)
def test_damaged_arrays_are_refused(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.npy").write_bytes(data)

    assert reason(tmp_path / "a.npy").startswith("can't be read as npy: ")
    assert not (tmp_path / "marker").exists()


def test_two_arrays_in_one_file_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        numpy.save(file, MATRIX)
        numpy.save(file, MATRIX)

    assert "24" in reason(tmp_path / "a.npy")


def test_arrays_of_an_archive_are_known_by_their_names(tmp_path: Path) -> None:
    numpy.savez(tmp_path / "1.npz", x=MATRIX, y=MATRIX + 1)
    numpy.savez_compressed(tmp_path / "2.npz", y=MATRIX + 1, x=numpy.asfortranarray(MATRIX))
    numpy.savez(tmp_path / "3.npz", x=MATRIX + 1, y=MATRIX)

    one, two, three = (of(tmp_path / f"{number}.npz") for number in (1, 2, 3))

    assert [part.name for part in one.parts] == ["x", "y"]
    assert one == two
    assert one.digest != three.digest


def test_a_member_that_is_no_array_counts(tmp_path: Path) -> None:
    numpy.savez(tmp_path / "a.npz", x=MATRIX)
    before = of(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("note", "hello")

    assert [part[:2] for part in of(tmp_path / "a.npz").parts] == [
        ("note", "bytes"),
        ("x", "float32"),
    ]
    assert of(tmp_path / "a.npz").digest != before.digest


def test_a_compressed_bomb_is_read_without_holding_it(tmp_path: Path) -> None:
    text = header("{'descr': '<f4', 'fortran_order': False, 'shape': (134217728,)}")
    archive = zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("x.npy", "w") as member:
        member.write(text)
        for _ in range(512):
            member.write(bytes(2**20))
    code = (
        "import numpy, resource; from repro_env import digest;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "assert digest.of_file('a.npz').content;"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )

    more_kib = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout

    assert int(more_kib) < 100_000


# NumPy's arrays in pickles


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex128", "uint8"])
def test_arrays_in_a_pickle_are_arrays(tmp_path: Path, protocol: int, dtype: str) -> None:
    array = MATRIX.astype(dtype)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"x": array, "y": array + array}, protocol))

    parts = {part[:3]: part.digest for part in of(tmp_path / "a.pkl").parts}

    assert parts["x", dtype, (2, 3)] == sha256(array.tobytes()).hexdigest()
    assert parts["y", dtype, (2, 3)] == sha256((array + array).tobytes()).hexdigest()


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize(
    "pickled",
    [
        lambda protocol: pickle.dumps(numpy.asfortranarray(MATRIX), protocol),
        lambda protocol: pickle.dumps(MATRIX.astype(">f4"), protocol),
        lambda protocol: pickle.dumps(MATRIX, protocol).replace(b"K\2K\3", b"K\2K\4"),
    ],
)
def test_what_is_not_in_rows_and_little_endian_is_no_array_there(
    tmp_path: Path, pickled: Any, protocol: int
) -> None:
    (tmp_path / "a.pkl").write_bytes(pickled(protocol))

    found = of(tmp_path / "a.pkl")

    assert "float32" not in {part.dtype for part in found.parts}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("one", "two"),
    [
        (MATRIX, MATRIX + 1),
        (MATRIX, MATRIX.reshape(3, 2)),
        (MATRIX, MATRIX.view("int32")),
        (MATRIX, [*MATRIX]),
        (MATRIX, numpy.ma.array(MATRIX)),
        (MATRIX, MATRIX.view(numpy.recarray)),
        (MATRIX.astype(">f4"), MATRIX.astype(">f4") + 1),
        (numpy.asfortranarray(MATRIX), numpy.asfortranarray(MATRIX + 1)),
        (numpy.array(["a", None]), numpy.array(["b", None])),
        (numpy.zeros(1, "M8[s]"), numpy.zeros(1, "M8[ns]")),
        (numpy.zeros(1, [("a", "f4")]), numpy.zeros(1, [("b", "f4")])),
        (numpy.float32(1), numpy.float32(2)),
        (numpy.float32(1), numpy.array(1, "float32")),
        (numpy.random.RandomState(1), numpy.random.RandomState(2)),
    ],
)
def test_other_arrays_in_a_pickle_differ(tmp_path: Path, one: Any, two: Any, protocol: int) -> None:
    found = []
    for value in (one, one, two):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps({"x": value}, protocol))
        found.append(of(tmp_path / "a.pkl"))

    assert found[0] == found[1]
    assert found[0].digest != found[2].digest


# PyTorch's files


def saved(folder: Path, value: Any, name: str = "a.pt") -> Content:
    torch.save(value, folder / name)
    return of(folder / name)


def model(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))


def raw(tensor: torch.Tensor) -> str:
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    return sha256(data.tobytes()).hexdigest()


def test_a_checkpoint_is_its_tensors_by_name(tmp_path: Path) -> None:
    net = model(1)

    found = saved(tmp_path, {"epoch": 3, "model": net.state_dict()}, "one.pt")
    again = saved(tmp_path, {"epoch": 3, "model": model(1).state_dict()}, "two.ckpt")

    parts = {(part.name, part.dtype): part for part in found.parts}
    assert parts["model/0.weight", "float32"][2:] == ((4, 3, 3, 3), raw(net[0].weight))
    assert parts["model/1.num_batches_tracked", "int64"].shape == ()
    assert found == again
    assert found.digest != saved(tmp_path, {"epoch": 3, "model": model(2).state_dict()}).digest
    assert found.digest != saved(tmp_path, {"epoch": 4, "model": model(1).state_dict()}).digest


def test_an_optimizer_that_has_stepped_is_read(tmp_path: Path) -> None:
    def trained(seed: int) -> dict[str, Any]:
        net = model(seed)
        optimizer = torch.optim.Adam(net.parameters())
        net(torch.rand(2, 3, 8, 8)).pow(3).sum().backward()
        optimizer.step()
        state: dict[str, Any] = optimizer.state_dict()
        return state

    assert saved(tmp_path, trained(1)) == saved(tmp_path, trained(1))
    assert saved(tmp_path, trained(1)).digest != saved(tmp_path, trained(2)).digest


@pytest.mark.parametrize(
    "dtype",
    ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
     "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "uint16", "uint64"],
)  # fmt: skip
def test_every_type_of_tensor_is_read_wherever_it_lies(tmp_path: Path, dtype: str) -> None:
    if not hasattr(torch, dtype):
        pytest.skip("this torch has no such type")
    tensor = torch.arange(24).reshape(2, 3, 4).to(getattr(torch, dtype))
    wide = torch.zeros(2, 3, 9).to(tensor.dtype)
    wide[..., 1::2] = tensor

    plain = saved(tmp_path, tensor)
    found = {
        saved(tmp_path, one)
        for one in (
            tensor.permute(2, 0, 1).contiguous().permute(1, 2, 0),
            wide[..., 1::2],
            torch.cat([tensor, tensor])[2:],
        )
    }

    assert found == {plain}
    assert plain.parts[-1][1:] == (dtype, (2, 3, 4), raw(tensor))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (torch.ones(2), torch.ones(2, 1)),
        (torch.ones(2), torch.ones(2).double()),
        (torch.ones(2), torch.ones(2).requires_grad_()),
        (torch.ones(2), torch.nn.Parameter(torch.ones(2), False)),
        (torch.zeros(1), -torch.zeros(1)),
        (torch.ones(2, dtype=torch.cfloat), torch.ones(2, dtype=torch.cfloat).conj()),
        (torch.ones(2).to_sparse(), torch.zeros(2).to_sparse()),
        (torch.float32, torch.float64),
        (torch.Size([1]), torch.Size([2])),
        (torch.device("cpu"), torch.device("meta")),
        (torch.nn.Linear(1, 1, False), torch.nn.Linear(1, 2, False)),
    ],
)
def test_other_things_of_torch_differ(tmp_path: Path, one: Any, two: Any) -> None:
    assert saved(tmp_path, one) == saved(tmp_path, one)
    assert saved(tmp_path, one).digest != saved(tmp_path, two).digest


def test_tied_weights_are_not_two_equal_ones(tmp_path: Path) -> None:
    tensor = torch.ones(2)

    tied = saved(tmp_path, [tensor, tensor.view(2)])
    apart = saved(tmp_path, [tensor, tensor.clone()])

    assert tied.digest != apart.digest


def test_a_tensor_of_torch_and_the_same_bytes_in_safetensors_have_one_digest(
    tmp_path: Path,
) -> None:
    tensor = torch.tensor([1.5, -0.0, float("nan")], dtype=torch.bfloat16)
    data = raw(tensor)
    head = b'{"x":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}'
    body = tensor.view(torch.int16).numpy().tobytes()
    (tmp_path / "a.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + body)

    (part,) = of(tmp_path / "a.safetensors").parts

    assert part == ("x", "bfloat16", (3,), data)
    assert saved(tmp_path, tensor).parts[-1][1:] == part[1:]


def test_what_torch_writes_as_a_program_or_wrote_before_1_6_counts_by_its_bytes(
    tmp_path: Path,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that scripts are deprecated
        torch.jit.save(torch.jit.trace(torch.nn.Linear(1, 1), torch.ones(1)), tmp_path / "a.pt")
    torch.save(torch.ones(1), tmp_path / "b.pt", _use_new_zipfile_serialization=False)

    assert "TorchScript" in reason(tmp_path / "a.pt")
    assert "no zip archive" in reason(tmp_path / "b.pt")


def test_torch_is_not_needed_to_read_its_files(tmp_path: Path) -> None:
    saved(tmp_path, model(1).state_dict())
    code = (
        "import sys; from repro_env import digest; assert digest.of_file('a.pt').content;"
        "print(*{'torch', 'numpy'} & {*sys.modules})"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert loaded.stdout == "\n"
