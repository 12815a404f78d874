"""Distances of floats are steps, and what is said of two arrays is what NumPy counts."""

# mypy: disallow-untyped-decorators=False
# Hypothesis is not among the tools.

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from repro_env.content import arrays, elements

# No deadline: machines are busy. No database: the project is mounted read-only.
MANY = settings(max_examples=300, deadline=None, database=None)
WIDTHS: Any = {"float16": 16, "float32": 32, "float64": 64}
DTYPES = st.sampled_from(list(WIDTHS))
OTHERS = ["datetime64[s]", "str64", "bytes24", "void40", "float8_e8m0fnu", "complex256"]
ALL_DTYPES = st.sampled_from([*elements.KINDS, *OTHERS])
SHAPES = st.lists(st.integers(1, 4), max_size=4).map(tuple)


@st.composite
def floats(draw: Any, count: int) -> Any:
    """Floats of one dtype: any bits that are no NaN, and the edges more often."""
    dtype = numpy.dtype(draw(DTYPES))
    width = WIDTHS[dtype.name]
    info = numpy.finfo(dtype)
    edges = [0.0, -0.0, info.max, -info.max, info.tiny, -info.tiny, info.tiny / 2, 1]
    any_float = st.floats(width=width, allow_nan=False)
    one = st.one_of(any_float, st.sampled_from([float(edge) for edge in edges]))
    return dtype.type(draw(st.lists(one, min_size=count, max_size=count)))


def distance(one: Any, other: Any) -> int:
    kind = elements.KINDS[one.dtype.name]
    one, other = (number.view(f"u{kind.part_bytes}") for number in (one, other))
    return int(elements.ulps(one, other, kind)[0])


def compare(one: Any, other: Any, dtype: str, cut: int = 10**9) -> Any:
    """Compare two arrays, whose bytes come in pieces of that size."""
    kind = elements.kind_of(dtype)
    assert kind is not None
    return arrays.compare(
        kind, one.shape, *(pieces(array.tobytes(), cut) for array in (one, other))
    )


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@given(floats(1), st.integers(0, 40), st.sampled_from([-numpy.inf, numpy.inf]))
@MANY
def test_k_steps_away_the_distance_is_k(start: Any, k: int, towards: float) -> None:
    end, steps = start, 0
    for _ in range(k):
        with numpy.errstate(over="ignore"):
            following = numpy.nextafter(end, end.dtype.type(towards))
        steps += bool(following != end)  # nothing follows an infinity
        end = following

    assert distance(start, end) == distance(end, start) == steps


@given(floats(1))
@MANY
def test_one_step_is_numpys_spacing(start: Any) -> None:
    start = abs(start)
    assume(start < math.inf)

    with numpy.errstate(all="ignore"):
        end = start + numpy.spacing(start)

    assert distance(start, end) == 1


@given(st.floats(min_value=0, allow_infinity=False), st.integers(1, 2**20))
@MANY
def test_so_many_of_pythons_ulps_are_so_many_steps_within_a_power_of_two(
    start: float, k: int
) -> None:
    end = start + k * math.ulp(start)
    while math.frexp(end)[1] != math.frexp(start)[1] and math.ulp(end) != math.ulp(start):
        k //= 2
        end = start + k * math.ulp(start)

    assert distance(numpy.float64([start]), numpy.float64([end])) == k


@given(floats(3))
@MANY
def test_distances_are_those_of_places_on_a_line(three: Any) -> None:
    low, middle, high = (numpy.sort(three)[at : at + 1] for at in range(3))

    assert distance(low, high) == distance(high, low)
    assert distance(low, high) == distance(low, middle) + distance(middle, high)
    assert (distance(low, high) == 0) == bool(low == high)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_distance_from_zero_is_the_number_of_floats_below(dtype: str) -> None:
    kind = elements.KINDS[dtype]
    infinity = kind.largest
    some = numpy.arange(infinity + 1, step=1 if dtype == "float16" else 65521)
    bits = numpy.array([*some, infinity], f"u{kind.part_bytes}")
    zero = numpy.zeros_like(bits)
    below_zero = bits | bits.dtype.type(1 << (8 * kind.part_bytes - 1))

    assert (elements.ulps(zero, bits, kind) == bits).all()
    assert (elements.ulps(below_zero, bits, kind) == 2 * bits.astype("u8")).all()


def test_the_farthest_floats_are_that_far_apart_exactly() -> None:
    assert distance(numpy.float64([-numpy.inf]), numpy.float64([numpy.inf])) == 2 * 0x7FF << 52


@given(st.data(), ALL_DTYPES, SHAPES, st.integers(1, 50))
@MANY
def test_what_is_counted_is_what_numpy_counts(
    data: Any, dtype: str, shape: tuple[int, ...], cut: int
) -> None:
    kind = elements.kind_of(dtype)
    assert kind is not None
    size = kind.parts * kind.part_bytes
    content = data.draw(
        st.binary(min_size=size * math.prod(shape), max_size=size * math.prod(shape))
    )
    changed = bytearray(content)
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        changed[at] ^= data.draw(st.integers(0, 255))
    one, other = (numpy.frombuffer(text, f"V{size}").reshape(shape) for text in (content, changed))
    differing = numpy.argwhere(one != other)

    found = compare(one, other, dtype, cut)

    assert (found is None) == (not len(differing))
    if found is not None:
        assert found.elements == one.size
        assert found.differing == len(differing)
        assert found.first_index == tuple(differing[0])
        assert found.was != found.now
        assert arrays.in_words(found).isprintable()


@given(floats(6))
@MANY
def test_the_values_that_are_said_are_those_that_differ(six: Any) -> None:
    one, other = six[:3], six[3:]

    found = compare(one, other, six.dtype.name)

    differing = [at for at in range(3) if one[at].tobytes() != other[at].tobytes()]
    assert (found is None) == (not differing)
    if found is not None:
        at = differing[0]
        assert found.first_index == (at,)
        assert (six.dtype.type(found.was), six.dtype.type(found.now)) == (one[at], other[at])
        assert found.largest_ulps == max(distance(one[[at]], other[[at]]) for at in differing)


@given(st.sampled_from(["int8", "uint8", "int32", "int64", "uint64"]), st.data())
@MANY
def test_whole_numbers_are_as_far_apart_as_pythons(dtype: str, data: Any) -> None:
    info = numpy.iinfo(dtype)
    number = st.integers(int(info.min), int(info.max))
    pairs = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=5))
    one, other = (numpy.array(numbers, dtype) for numbers in zip(*pairs))

    found = compare(one, other, dtype)

    largest = max(abs(mine - theirs) for mine, theirs in pairs)
    assert (found and found.largest_absolute) == (str(largest) if largest else None)


@given(st.sampled_from([16, 32, 64]), st.data())
@MANY
def test_nans_are_counted_and_not_measured(width: int, data: Any) -> None:
    dtype = f"float{width}"
    plain: Any = st.floats(width=width, allow_nan=False)
    pairs = data.draw(st.lists(st.tuples(plain, plain), min_size=1, max_size=4))
    one, other = (numpy.array(numbers, dtype) for numbers in zip(*pairs))
    nan = numpy.array(numpy.nan, dtype)
    more = numpy.array([*one, nan, 1, nan], dtype), numpy.array([*other, 1, nan, -nan], dtype)

    found = compare(*more, dtype=dtype)

    without = compare(one, other, dtype)
    assert (found.only_one_nan, found.both_nan) == (2, 1)
    assert found.largest_ulps == (without and without.largest_ulps)
    assert found.differing == 3 + (without.differing if without else 0)
