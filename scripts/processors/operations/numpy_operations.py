"""NumPy's part of the operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from processors.operations.inputs import integers, positive, spread, symmetric, values
from processors.operations.table import in_each_type, of_no_type

MANY = 70_001  # more than a vector register, a page, and a thread's share hold


def product(first: tuple[int, ...], second: tuple[int, ...]) -> Callable[[str], Any]:
    """Return the product of matrices or vectors of these shapes."""
    return lambda t: np.matmul(values(*first, dtype=t), values(*second, dtype=t, name="y"))


def of_matrix(function: Callable[[Any], Any]) -> Callable[[str], Any]:
    """Return a function of numbers of either sign, whole and with strides."""

    def run(dtype: str) -> Any:
        numbers = values(263, 173, dtype=dtype)
        return [function(numbers), function(numbers[::3, 1::2])]

    return run


def of_positive(function: Callable[[Any], Any]) -> Callable[[str], Any]:
    """Return a function of positive numbers, small and large."""

    def run(dtype: str) -> Any:
        numbers = positive(MANY, dtype=dtype)
        return [function(numbers), function(numbers[1::3] * 64)]

    return run


def of_signed(function: Callable[[Any], Any]) -> Callable[[str], Any]:
    """Return a function of numbers of either sign, small and large."""

    def run(dtype: str) -> Any:
        numbers = values(MANY, dtype=dtype)
        return [function(numbers), function(numbers[1::3] * 16)]

    return run


def drawn(draw: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return what a fresh generator of the old kind draws."""
    return lambda: draw(np.random.RandomState(7))


def drawn_anew(draw: Callable[[Any], Any]) -> Callable[[], Any]:
    """Return what a fresh generator of the new kind draws."""
    return lambda: draw(np.random.default_rng(7))


PRODUCTS = {
    "matmul": product((67, 129), (129, 83)),
    "matmul of long sums": product((5, 5003), (5003, 7)),
    "matmul of large matrices": product((257, 385), (385, 131)),
    "matmul of K 1031": product((67, 1031), (1031, 83)),
    "matmul of K 4096": product((33, 4096), (4096, 65)),
    "matmul batched": product((3, 33, 47), (3, 47, 29)),
    "matrix by vector": product((301, 517), (517,)),
    "vector by matrix": product((517,), (517, 301)),
    "dot": product((MANY,), (MANY,)),
    "transposed": lambda t: values(129, 67, dtype=t).T @ values(83, 129, dtype=t, name="y").T,
    "with itself": lambda t: values(67, 129, dtype=t) @ values(67, 129, dtype=t).T,
    "einsum": lambda t: np.einsum(
        "bij,bkj->bik", values(3, 17, 45, dtype=t), values(3, 19, 45, dtype=t, name="y")
    ),
    "tensordot": lambda t: np.tensordot(
        values(7, 11, 13, dtype=t), values(11, 13, 5, dtype=t, name="y")
    ),
    "convolve": lambda t: np.convolve(values(1027, dtype=t), values(61, dtype=t, name="y")),
}
REDUCTIONS = {
    "sum": of_matrix(lambda x: [x.sum(), x.sum(0), x.sum(1)]),
    "mean": of_matrix(lambda x: [x.mean(), x.mean(0), x.mean(1)]),
    "var": of_matrix(lambda x: [x.var(), x.var(0), x.std(1)]),
    "prod": of_matrix(lambda x: [(x + 1.5).prod(0), (x + 1.5).prod(1)]),
    "cumsum": of_matrix(lambda x: [x.cumsum(), x.cumsum(0)]),
    "norm": of_matrix(lambda x: [np.linalg.norm(x), np.linalg.norm(x, axis=1)]),
    "logaddexp": of_matrix(lambda x: np.logaddexp.reduce(x, 1)),
    "max": of_matrix(lambda x: [x.max(), x.argmax(0), x.min(1)]),
    "median": of_matrix(lambda x: [np.median(x), np.quantile(x, 0.3, axis=1)]),
    "corrcoef": of_matrix(lambda x: np.corrcoef(x[:20])),
}
SIGNED = (
    *("exp", "exp2", "expm1", "sin", "cos", "tan", "arctan", "tanh", "sinh", "cosh", "arcsinh"),
    "cbrt",
)
POSITIVE = ("log", "log2", "log10", "log1p", "sqrt", "reciprocal")
FUNCTIONS = {
    **{name: of_signed(getattr(np, name)) for name in SIGNED},
    **{name: of_positive(getattr(np, name)) for name in POSITIVE},
    "arcsin": lambda t: np.arcsin(values(MANY, dtype=t)),
    "arccos": lambda t: np.arccos(values(MANY, dtype=t)),
    "arctanh": lambda t: np.arctanh(values(MANY, dtype=t) / 2),
    "power": lambda t: positive(MANY, dtype=t) ** values(MANY, dtype=t, name="y"),
    "divide": lambda t: values(MANY, dtype=t) / positive(MANY, dtype=t, name="y"),
    "arctan2": lambda t: np.arctan2(values(MANY, dtype=t), values(MANY, dtype=t, name="y")),
    "hypot": lambda t: np.hypot(values(MANY, dtype=t), values(MANY, dtype=t, name="y")),
    "fmod": lambda t: np.fmod(values(MANY, dtype=t) * 9, positive(MANY, dtype=t, name="y")),
    "complex": lambda t: np.exp(1j * values(MANY, dtype=t)) * values(MANY, dtype=t, name="y"),
    "interp": lambda t: np.interp(values(501, dtype=t), np.linspace(-1, 1, 37), values(37)),
}
ORDERS = {
    "sort": of_matrix(lambda x: [np.sort(x.ravel()), np.sort(x, 0)]),
    "argsort": of_matrix(lambda x: np.argsort(x.ravel())),
    "partition": of_matrix(lambda x: np.sort(np.partition(x.ravel(), 99)[:99])),
    "unique": of_matrix(lambda x: np.unique(np.round(x, 2), return_counts=True)),
}
TIES = {
    "argsort with ties": lambda: np.argsort(integers(5003, below=50)),
    "argsort stable": lambda: np.argsort(integers(5003, below=50), kind="stable"),
    "argpartition with ties": lambda: np.argpartition(integers(5003, below=50), 77),
    "partition as it comes": lambda: np.partition(values(5003), 77),
    "argsort of 32 bits with ties": lambda: np.argsort(integers(5003, below=50).astype("int32")),
    "bincount": lambda: np.bincount(integers(5003, below=50), values(5003)),
}
TRANSFORMS = {
    "rfft": lambda t: np.fft.rfft(values(5, 1021, dtype=t)),
    "fft": lambda t: np.fft.fft(values(7, 360, dtype=t)),
    "fft2": lambda t: np.fft.fft2(values(31, 45, dtype=t)),
    "irfft": lambda t: np.fft.irfft(values(3, 101, dtype=t)),
}
ALGEBRA = {
    "solve": lambda t: np.linalg.solve(spread(61, dtype=t), values(61, 5, dtype=t)),
    "inv": lambda t: np.linalg.inv(spread(61, dtype=t)),
    "det": lambda t: np.linalg.slogdet(spread(61, dtype=t)),
    "svd": lambda t: np.linalg.svd(values(47, 31, dtype=t)),
    "eigh": lambda t: np.linalg.eigh(symmetric(43, dtype=t)),
    "eig": lambda t: np.linalg.eig(spread(23, dtype=t)),
    "cholesky": lambda t: np.linalg.cholesky(symmetric(61, dtype=t)),
    "qr": lambda t: np.linalg.qr(values(67, 41, dtype=t)),
    "lstsq": lambda t: np.linalg.lstsq(values(67, 9, dtype=t), values(67, dtype=t), rcond=None)[0],
    "pinv": lambda t: np.linalg.pinv(values(37, 21, dtype=t)),
}
DRAWS = {
    "old normal": drawn(lambda r: r.normal(size=5003)),
    "old uniform": drawn(lambda r: r.uniform(-1, 3, 5003)),
    "old exponential": drawn(lambda r: r.exponential(size=5003)),
    "old gamma": drawn(lambda r: r.gamma([[0.3], [4.5]], size=(2, 2003))),
    "old integers": drawn(lambda r: r.randint(1000, size=5003)),
    "old permutation": drawn(lambda r: r.permutation(1009)),
    "old poisson": drawn(lambda r: r.poisson([[3], [40]], (2, 1001))),
    "old multinomial": drawn(lambda r: r.multinomial(1000, [0.2, 0.3, 0.5], 101)),
    "old choice": drawn(lambda r: r.choice(100, 503, p=np.arange(100) / 4950)),
    "new normal": drawn_anew(lambda r: [r.normal(size=5003), r.normal(size=501).astype("f4")]),
    "new normal float32": drawn_anew(lambda r: r.standard_normal(5003, "float32")),
    "new uniform": drawn_anew(lambda r: r.uniform(-1, 3, 5003)),
    "new exponential": drawn_anew(lambda r: r.exponential(size=5003)),
    "new gamma": drawn_anew(lambda r: r.gamma([[0.3], [4.5]], size=(2, 2003))),
    "new integers": drawn_anew(lambda r: r.integers(1000, size=5003)),
    "new permutation": drawn_anew(lambda r: r.permutation(1009)),
    "new binomial": drawn_anew(lambda r: r.binomial(100, [[0.1], [0.6]], (2, 501))),
    "new dirichlet": drawn_anew(lambda r: r.dirichlet([0.5, 2, 3], 301)),
    "new multivariate normal": drawn_anew(
        lambda r: r.multivariate_normal(np.zeros(7), symmetric(7, dtype="float64"), 101)
    ),
}

OPERATIONS = (
    *in_each_type("products", PRODUCTS),
    *in_each_type("reductions", REDUCTIONS),
    *in_each_type("functions", FUNCTIONS),
    *in_each_type("orders", ORDERS),
    *of_no_type("orders", TIES),
    *in_each_type("transforms", TRANSFORMS),
    *in_each_type("linear algebra", ALGEBRA),
    *of_no_type("draws", DRAWS),
)
