"""The operations whose bits are compared between CPUs: their inputs, names and digests."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from processors.operations.__main__ import CACHE_SIZES, LIBRARIES, _result
from processors.operations.inputs import BITS, integers, positive, symmetric, values
from processors.operations.table import Operation, digest

from repro_env.knobs import knob
from repro_env.unportable import UNPORTABLE
from tests.conftest import PROJECT

INSTALLED = [name for name in LIBRARIES if importlib.util.find_spec(name)]
LIST = """
import json, sys
from processors.operations.__main__ import _asked
names = [names["operation"] for names, _ in _asked(*json.loads(sys.argv[1]))]
print(json.dumps([names, list(sys.modules)]))
"""
READ = "from repro_env.libraries import eigen; print(eigen.cache_sizes())"
PORTABILITY = """
from processors.operations.__main__ import _asked
list(_asked(["tensorflow"], ["tensorflow dot"]))
"""
BENCHMARK = """
from benchmark.operations import of_tensorflow
of_tensorflow()
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_hashed_bytes_without_any_rounding(dtype: str) -> None:
    found = values(3, 5, dtype=dtype, name="n")

    stream = hashlib.shake_256(f"n {dtype}".encode()).digest(8 * 15)
    words = [int.from_bytes(stream[at : at + 8], "little") for at in range(0, len(stream), 8)]
    bits = BITS[dtype]
    exact = [Fraction(word >> (64 - bits), 2 ** (bits - 1)) - 1 for word in words]
    assert found.dtype == dtype
    assert found.shape == (3, 5)
    assert [Fraction(float(number)) for number in found.ravel()] == exact


def test_numbers_fill_their_range_and_differ_by_name() -> None:
    numbers = values(10_000)

    assert -1 <= numbers.min() < -0.999
    assert 0.999 < numbers.max() < 1
    assert len(np.unique(numbers)) > 9_900
    assert not np.array_equal(numbers, values(10_000, name="y"))
    assert positive(10_000).min() >= 0.125


def test_whole_numbers_have_ties() -> None:
    numbers = integers(5003, below=50)

    assert sorted(np.unique(numbers)) == list(range(50))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_symmetric_matrix_is_positive_definite(dtype: str) -> None:
    matrix = symmetric(43, dtype=dtype)

    assert np.array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0.5


def test_a_digest_tells_type_shape_bytes_and_order_apart() -> None:
    one, other = np.zeros(4, "f4"), np.ones(4, "f4")
    results = [
        one,
        -one,  # zeros of the other sign
        one.astype("f8"),
        one.reshape(2, 2),
        other,
        [one, other],
        [other, one],
    ]

    assert len({digest(result) for result in results}) == len(results)
    assert digest((one, [other])) == digest([one, other])
    assert digest(np.arange(6.0).reshape(2, 3).T) == digest(np.arange(6.0).reshape(2, 3).T.copy())


def test_an_operation_that_raises_is_an_error_of_its_own() -> None:
    def fail() -> None:
        raise ValueError("two\nlines")

    found = _result(Operation("products", "none", fail))

    assert found["error"] == "ValueError: two lines"
    assert "digest" not in found


@pytest.mark.parametrize(
    ("parts", "imported"),
    [
        pytest.param(["numpy dot"], False, id="named with its library"),
        pytest.param(["numpy dot", "torch dot"], True, id="and with another"),
        pytest.param(["dot"], True, id="of any library"),
        pytest.param([], True, id="all"),
    ],
)
def test_a_library_that_nothing_is_asked_of_is_not_imported(
    parts: list[str], imported: bool
) -> None:
    names, modules = listed(["numpy", "torch"], parts)

    assert "numpy dot float32" in names
    assert ("torch" in modules) is imported


def listed(libraries: list[str], parts: list[str]) -> tuple[list[str], list[str]]:
    told = subprocess.run(
        [sys.executable, "-c", LIST, json.dumps([libraries, parts])],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    names, modules = json.loads(told.stdout)
    return names, modules


@pytest.mark.parametrize("library", INSTALLED)
def test_each_operation_has_a_name_of_its_own(library: str) -> None:
    names, _ = listed([library], [])

    assert len(set(names)) == len(names) > 150
    if "tensorflow" in INSTALLED:  # the stack that the known ones are of
        known = {
            f"{library} {name} {kind}"
            for each in UNPORTABLE
            if each.library == library
            for name in each.operations
            for kind in each.types
        }
        assert known <= set(names)


@pytest.mark.skipif("tensorflow" not in INSTALLED, reason="this stack has no TensorFlow")
@pytest.mark.parametrize(
    ("program", "variable"),
    [
        pytest.param(PORTABILITY, CACHE_SIZES, id="portability"),
        pytest.param(BENCHMARK, "tensorflow.eigen.cache_sizes", id="benchmark"),
    ],
)
def test_eigen_goes_by_the_profiles_cache_sizes_where_a_variable_asks_for_that(
    program: str, variable: str
) -> None:
    def sizes(**variables: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program + READ],
            env={**os.environ, "PYTHONPATH": str(PROJECT / "scripts"), **variables},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    portable = knob("tensorflow.eigen.cache_sizes").portable
    assert sizes(**{variable: "1"}) == portable
    assert sizes() != portable
