"""Digests of tensors tell apart all that a tensor is, and nothing that it isn't."""

from __future__ import annotations

import warnings

import pytest

torch = pytest.importorskip("torch")

from repro_env.trace import digests, tensors  # noqa: E402

SEEN = tensors.Tensors(digests.choose())
NAN = torch.tensor([0x7FC00000, 0x7FC00001], dtype=torch.int32).view(torch.float32)


def digest(tensor: object) -> tuple[str, bytes]:
    """What is seen the first time and, by what is known then, the second."""
    found = [SEEN.digest([tensor]) for _ in range(2)]
    assert found[0] == found[1]
    (kind,), (seen,) = found[0]
    assert "unreadable" not in kind
    return kind, seen


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0]), id="order"),
        pytest.param(torch.zeros(4), torch.zeros(2, 2), id="shape"),
        pytest.param(torch.zeros(4), torch.zeros(4, dtype=torch.int32), id="type"),
        pytest.param(torch.zeros(0, 3), torch.zeros(3, 0), id="shape of nothing"),
        pytest.param(torch.tensor(0.0), torch.tensor(-0.0), id="sign of zero"),
        pytest.param(NAN[:1], NAN[1:], id="bits of NaN"),
        pytest.param(torch.eye(3) + 1, (torch.eye(3) + 1).T.cumsum(0), id="values"),
        pytest.param(torch.tensor([1 + 2j]), torch.tensor([1 - 2j]), id="complex"),
        pytest.param(torch.tensor([True]), torch.tensor([False]), id="bool"),
        pytest.param(
            torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.float16), id="halves"
        ),
        pytest.param(
            torch.eye(2).to_sparse(),
            torch.tensor([[0.0, 1.0], [1.0, 0.0]]).to_sparse(),
            id="sparse",
        ),
        pytest.param(torch.eye(2), torch.eye(2).to_sparse(), id="layout"),
        pytest.param(
            torch.empty(2, device="meta"), torch.empty(3, device="meta"), id="shape of no values"
        ),
    ],
)
def test_a_digest_tells_apart(one: object, other: object) -> None:
    assert digest(one)[1] != digest(other)[1]  # whatever the kind beside it says


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            torch.arange(6).view(2, 3).T, torch.tensor([[0, 3], [1, 4], [2, 5]]), id="strides"
        ),
        pytest.param(torch.arange(9)[3:], torch.arange(3, 9), id="offset"),
        pytest.param(torch.tensor([1 - 2j]).conj(), torch.tensor([1 + 2j]), id="lazy conjugate"),
        pytest.param(torch.tensor([1 - 2j]).conj().imag, torch.tensor([2.0]), id="lazy sign"),
        pytest.param(torch.ones(3).expand(2, 3), torch.ones(2, 3), id="expanded"),
        pytest.param(torch.nn.Parameter(torch.ones(3)), torch.ones(3), id="a parameter"),
    ],
)
def test_a_digest_is_of_the_values_however_they_lie(one: object, other: object) -> None:
    assert digest(one) == digest(other)


def test_quantised_values_are_told_apart_by_their_scale() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to drop them
        scales = [(torch.ones(2) * scale, scale, 0, torch.qint8) for scale in (0.1, 0.2)]
        found = [digest(torch.quantize_per_tensor(*one)) for one in scales]

    assert found[0][1] != found[1][1]


def test_one_bit_anywhere_shows() -> None:
    tensor = torch.zeros(1000)
    seen = {digest(tensor)}

    for place in range(0, 1000, 37):
        tensor.view(torch.int32)[place] ^= 1
        seen.add(digest(tensor))

    assert len(seen) == 29


def test_compressed_layouts_are_read_by_their_parts() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls them beta
        found = [digest(torch.eye(2).to_sparse_csr()), digest(torch.eye(2).to_sparse_csc())]

    assert found[0] != found[1]


def test_memory_that_is_freed_is_not_read() -> None:
    tensor, part = torch.ones(8), torch.ones(8)[2:6]
    SEEN.digest([tensor, part])
    tensor.untyped_storage().resize_(0)
    part.untyped_storage().resize_(0)

    kinds, _ = SEEN.digest([tensor, part])

    assert kinds == [
        "float32 [8], unreadable: ValueError",
        "float32 [4], unreadable: ValueError",
    ]


def test_a_parameter_that_is_not_made_yet_harms_nothing() -> None:
    kinds, _ = SEEN.digest([torch.nn.UninitializedParameter(), torch.ones(1)])

    assert kinds == ["unreadable, unreadable: RuntimeError", "float32 [1]"]
