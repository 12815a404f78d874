"""Files of arrays as the frameworks write them: which elements differ, and by how much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from repro_env.content import arrays, differences, elements
from repro_env.content.contents import Difference
from repro_env.content.differences import Compared

Write = Callable[[Path], object]


@pytest.fixture
def a(tmp_path: Path) -> Path:
    (tmp_path / "A").mkdir()
    return tmp_path / "A"


@pytest.fixture
def b(tmp_path: Path) -> Path:
    (tmp_path / "B").mkdir()
    return tmp_path / "B"


@pytest.fixture
def files(a: Path, b: Path) -> Callable[[str, Write, Write], Compared]:
    """Write two files, and compare them."""

    def compare(name: str, write: Write, write_other: Write) -> Compared:
        write(a / name)
        write_other(b / name)
        return differences.of(a / name, b / name)

    return compare


Files = Callable[[str, Write, Write], Compared]


def npz(**named: Any) -> Write:
    return lambda path: numpy.savez(path, **named)


def torch_file(value: Any) -> Write:
    return lambda path: torch.save(value, path)


def only(compared: Compared) -> Difference:
    """Return the one difference there is."""
    assert compared.verdict == "different"
    (difference,) = compared.differences
    assert difference.text.isprintable()
    return difference


def test_what_differs_in_an_array_is_said_exactly(files: Files) -> None:
    one = numpy.ones((5, 4))
    one[0, 3] = 0.1
    other = one.copy()
    other[0, 3] = 0.1 + 2e-17
    other[2, 1] = 1 + 2 * numpy.spacing(1.0)

    found = only(files("x.npz", npz(same=one, w=one), npz(w=other, same=one)))

    assert (found.part, found.kind) == ("w", "values")
    assert found.text == (
        "2 of 20 elements differ, by up to 2 ulps (4.44e-16); "
        "the first at [0, 3]: 0.1 and 0.10000000000000002"
    )
    assert found.array == arrays.ArrayDifference(
        elements=20,
        differing=2,
        largest_ulps=2,
        largest_absolute="4.44e-16",
        only_one_nan=0,
        both_nan=0,
        first_index=(0, 3),
        was="0.1",
        now="0.10000000000000002",
    )


def test_the_same_arrays_are_identical_however_they_are_packed(files: Files) -> None:
    one = numpy.arange(12.0).reshape(3, 4)

    compared = files(
        "x.npz", npz(a=one, b=1), lambda path: numpy.savez_compressed(path, b=1, a=one)
    )

    assert compared.verdict == "identical content"
    assert compared.why == "npz: the same content, written otherwise"


KINDS: list[tuple[Any, Any, str]] = [
    (numpy.float32([1, 0]), numpy.float32([1, -0.0]), "1 of 2 elements, only in the sign of zero"),
    (numpy.array(1.0), numpy.array(0.5), "1.0 and 0.5, by 4,503,599,627,370,496 ulps (0.5)"),
    (numpy.float16([1]), numpy.float16([-1]), "1.0 and -1.0, by 30,720 ulps (2)"),
    (numpy.float64([0]), numpy.float64([5e-324]), "0.0 and 5e-324, by 1 ulp (4.94e-324)"),
    (numpy.int64([-(2**63)]), numpy.int64([2**63 - 1]), f"by {2**64 - 1:,}"),
    (numpy.uint8([255, 1]), numpy.uint8([0, 1]), "1 of 2 elements, by up to 255"),
    (numpy.array(True), numpy.array(False), "True and False"),
    (numpy.array(["ab", "cd"]), numpy.array(["ab", "c"]), "the first at [1]: 'cd' and 'c'"),
    (numpy.array([b"ab"]), numpy.array([b"c"], "S2"), "b'ab' and b'c'"),
    (numpy.array([7], "M8[s]"), numpy.array([4], "M8[s]"), "7 and 4, by 3"),
    (numpy.complex64([1 + 2j]), numpy.complex64([1 - 2j]), f"(1.0-2.0j), by {2**31:,} ulps (4)"),
    (numpy.array([1, numpy.nan, 0]), numpy.array([numpy.nan, 1, 5e-324]), "by up to 1 ulp (4.94"),
    (numpy.array([1, numpy.nan]), numpy.array([numpy.nan, 1]), "2 of them NaN in one file only"),
]


@pytest.mark.parametrize(("one", "other", "words"), KINDS)
def test_each_kind_of_element_has_its_words(files: Files, one: Any, other: Any, words: str) -> None:
    writers = [lambda path, array=array: numpy.save(path, array) for array in (one, other)]

    found = only(files("x.npy", *writers))

    assert found.kind == "values"
    assert words in found.text.replace(" differ", "")


def test_nans_of_other_bits_differ_and_show_them(files: Files) -> None:
    nan = numpy.array([1, numpy.nan])

    found = only(files("x.npz", npz(w=nan), npz(w=numpy.array([1, -nan[1]]))))

    assert found.array is not None
    assert (found.array.both_nan, found.array.largest_ulps) == (1, None)
    assert found.text == (
        "1 of 2 elements differ, 1 of them only in the bits of NaN; "
        "the first at [1]: nan (0x7ff8000000000000) and nan (0xfff8000000000000)"
    )


def test_a_signalling_nan_is_read_without_a_warning(files: Files) -> None:
    one, other = (numpy.array([bits], "u4").view("f4") for bits in (0x7F80_0001, 0x3F80_0000))

    found = only(files("x.npz", npz(w=one), npz(w=other)))

    assert found.text == "nan and 1.0 differ, 1 of them NaN in one file only"


def test_types_and_shapes_that_differ_are_named(files: Files) -> None:
    one, other = numpy.zeros((2, 3), "f4"), numpy.zeros((2, 3), "f8")

    compared = files("x.npz", npz(t=one, s=one, a=one), npz(t=other, s=one.T, b=one))

    assert [item[1:4] for item in compared.differences] == [
        ("a", "only in A", "float32 of shape [2, 3]"),
        ("s", "shape", "float32 of shape [2, 3] in A, float32 of shape [3, 2] in B"),
        ("t", "dtype", "float32 of shape [2, 3] in A, float64 of shape [2, 3] in B"),
        ("b", "only in B", "float32 of shape [2, 3]"),
    ]


def test_an_array_of_many_blocks_is_counted_whole(files: Files) -> None:
    one = numpy.zeros((3, 1_000_000), "f4")
    other = one.copy()
    other[1, 999_999] = 1
    other[2, 999_999] = 2

    found = only(files("x.npz", npz(w=one), npz(w=other)))

    assert found.array is not None
    assert (found.array.elements, found.array.differing) == (3_000_000, 2)
    assert found.array.first_index == (1, 999_999)
    assert found.array.largest_absolute == "2"


def checkpoint(**changes: Any) -> dict[str, Any]:
    weights = {"0.weight": torch.ones(2, 3), "0.bias": torch.zeros(3, dtype=torch.bfloat16)}
    return {"epoch": 3, "model": {**weights, **changes}, "loss": 0.5}


def test_a_tensor_of_a_checkpoint_is_named_by_its_keys(files: Files) -> None:
    bias = torch.tensor([0, 0, 1e-3], dtype=torch.bfloat16)

    found = only(
        files("x.pt", torch_file(checkpoint()), torch_file(checkpoint(**{"0.bias": bias})))
    )

    assert (found.part, found.kind) == ("model/0.bias", "values")
    assert found.array is not None
    assert found.array.first_index == (2,)
    assert torch.tensor(float(found.array.now), dtype=torch.bfloat16) == bias[2]


def test_a_checkpoint_that_lacks_a_tensor_says_which(files: Files) -> None:
    more = checkpoint(**{"0.scale": torch.ones(3)})

    compared = files("x.pt", torch_file(checkpoint()), torch_file(more))

    assert {(one.part, one.kind) for one in compared.differences} == {
        ("model/0.scale", "only in B")
    }
    assert any(one.text == "float32 of shape [3]" for one in compared.differences)


def test_what_is_said_of_a_tensor_counts_too(files: Files) -> None:
    found = only(
        files("x.pt", torch_file(torch.ones(2)), torch_file(torch.ones(2, requires_grad=True)))
    )

    assert found.kind == "entries"
    assert "false" in found.text
    assert "true" in found.text


def test_tensors_in_another_order_differ_by_it(files: Files) -> None:
    one = {"a": torch.ones(2), "b": torch.zeros(2)}

    compared = files("x.pt", torch_file(one), torch_file(dict(reversed(one.items()))))

    assert compared.verdict == "different"
    assert "order" in {item.kind for item in compared.differences}


def test_tensors_of_another_order_are_compared_by_their_names(files: Files) -> None:
    one = {name: torch.full((2,), float(at)) for at, name in enumerate("abcd")}
    other = {name: tensor + 1 for name, tensor in reversed(one.items())}

    compared = files("x.pt", torch_file(one), torch_file(other))

    found = {item.part: item.array for item in compared.differences if item.array}
    assert [(name, array.was, array.now) for name, array in found.items()] == [
        ("a", "0.0", "1.0"), ("b", "1.0", "2.0"), ("c", "2.0", "3.0"), ("d", "3.0", "4.0"),
    ]  # fmt: skip


WITH_OLD_TENSORBOARD = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def write_events(folder: Path, *losses: float) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for step, loss in enumerate(losses):
            writer.add_scalar("loss", loss, step)


@WITH_OLD_TENSORBOARD
def test_event_files_of_two_runs_are_compared_by_what_they_log(a: Path, b: Path) -> None:
    write_events(a, 0.5, 0.25)
    write_events(b, 0.5, 0.25)

    same = differences.of(a, b)
    next(b.iterdir()).rename(b / "events.out.tfevents.1.elsewhere.1.0")

    assert same.verdict == "identical content"
    assert differences.of(a, b).verdict == "identical content"


@WITH_OLD_TENSORBOARD
def test_a_scalar_that_was_logged_otherwise_is_named_with_its_step(a: Path, b: Path) -> None:
    write_events(a, 0.5, 0.25)
    write_events(b, 0.5, 0.75)

    found = only(differences.of(a, b))

    assert found.path == next(a.iterdir()).name
    assert (found.part, found.kind) == ("loss@1", "values")
    assert found.text == "0.25 and 0.75 differ, by 12,582,912 ulps (0.5)"


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"])
def test_small_floats_have_torchs_values_and_are_one_step_apart(name: str) -> None:
    if not hasattr(torch, name):
        pytest.skip("this version of PyTorch has no such type")
    kind, dtype = elements.KINDS[name], getattr(torch, name)
    size = kind.part_bytes
    bits = numpy.arange(2 ** (8 * size)).astype(f"u{size}")
    values = torch.from_numpy(bits.view(f"i{size}")).view(dtype).to(torch.float32).numpy()
    is_number = ~numpy.isnan(values)
    numbers, values = bits[is_number], values[is_number]
    line = numbers[numpy.argsort(values, kind="stable")]

    steps = elements.ulps(line[:-1], line[1:], kind)
    said = [elements.value(one.tobytes(), bits[-1:].tobytes(), kind) for one in numbers]

    assert (elements.is_nan(bits, kind) == ~is_number).all()
    assert sorted(steps) == [0] + [1] * (len(line) - 2)  # from one zero to the other: none
    again = torch.tensor([float(one) for one in said]).to(dtype).to(torch.float32).numpy()
    assert (again == values).all()
