"""TensorFlow's functions, each with the gradients of all that it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from processors.operations import inputs
from processors.operations.forms import MANY, Forms
from processors.operations.table import in_each_type


def tensor(*shape: int, dtype: str = "float32", name: str = "x") -> Any:
    """Return numbers in [-1, 1)."""
    return tf.constant(inputs.values(*shape, dtype=dtype, name=name))


def differentiated(function: Callable[..., Any], given: Sequence[Any], also: Any = ()) -> list[Any]:
    """Return what a function gives, and the gradients of what it is given, and of weights also."""
    with tf.GradientTape() as tape:
        tape.watch(given)
        results = function(*given)
        sources = [*given, *(also() if callable(also) else also)]
    flat = list(results) if isinstance(results, (tuple, list)) else [results]
    incoming = [tensor(*each.shape, dtype=each.dtype.name, name="g") for each in flat]
    gradients = tape.gradient(flat, sources, incoming)
    return [*flat, *(None if each is None else tf.convert_to_tensor(each) for each in gradients)]


FORMS = Forms(tf.constant, differentiated)
of, of_signed, of_positive, of_square = (
    FORMS.of,
    FORMS.of_signed,
    FORMS.of_positive,
    FORMS.of_square,
)

PRODUCTS = {
    "matmul": of(tf.matmul, (67, 129), (129, 83)),
    "matmul of long sums": of(tf.matmul, (5, 5003), (5003, 7)),
    "matmul of large matrices": of(tf.matmul, (257, 385), (385, 131)),
    "matmul of K 1031": of(tf.matmul, (67, 1031), (1031, 83)),
    "matmul of K 4096": of(tf.matmul, (33, 4096), (4096, 65)),
    "matmul batched": of(tf.matmul, (5, 33, 47), (5, 47, 29)),
    "matrix by vector": of(tf.linalg.matvec, (301, 517), (517,)),
    "dot": of(lambda x, y: tf.tensordot(x, y, 1), (MANY,), (MANY,)),
    "einsum": of(lambda x, y: tf.einsum("bij,bkj->bik", x, y), (3, 17, 45), (3, 19, 45)),
    "tensordot": of(lambda x, y: tf.tensordot(x, y, 2), (7, 11, 13), (11, 13, 5)),
}
CONVOLUTIONS = {
    "conv1d": of(lambda x, w: tf.nn.conv1d(x, w, 1, "VALID"), (3, 101, 7), (5, 7, 11)),
    "conv2d": of(lambda x, w: tf.nn.conv2d(x, w, 1, "VALID"), (3, 29, 31, 5), (3, 5, 5, 13)),
    "conv2d with strides": of(
        lambda x, w: tf.nn.conv2d(x, w, 2, "SAME"), (2, 33, 27, 6), (3, 3, 6, 10)
    ),
    "conv2d of one point": of(
        lambda x, w: tf.nn.conv2d(x, w, 1, "VALID"), (2, 17, 19, 33), (1, 1, 33, 21)
    ),
    "conv2d of full blocks": of(
        lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), (2, 20, 20, 16), (3, 3, 16, 32)
    ),
    "conv2d of 64 channels": of(
        lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), (2, 13, 13, 64), (3, 3, 64, 48)
    ),
    "conv2d of many channels": of(
        lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), (2, 9, 9, 131), (3, 3, 131, 67)
    ),
    "depthwise_conv2d": of(
        lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME"),
        (2, 19, 17, 24),
        (3, 3, 24, 1),
    ),
    "conv3d": of(
        lambda x, w: tf.nn.conv3d(x, w, [1] * 5, "VALID"), (2, 7, 11, 13, 3), (3, 3, 3, 3, 5)
    ),
    "conv2d_transpose": of(
        lambda x, w: tf.nn.conv2d_transpose(x, w, (2, 26, 22, 5), 2, "SAME"),
        (2, 13, 11, 7),
        (4, 4, 5, 7),
    ),
    "max_pool2d": of(lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"), (2, 31, 29, 5)),
    "avg_pool2d": of(lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"), (2, 31, 29, 5)),
    "resize bilinear": of(lambda x: tf.image.resize(x, (23, 37)), (2, 15, 13, 5)),
    "resize bicubic": of(lambda x: tf.image.resize(x, (23, 37), "bicubic"), (2, 15, 13, 3)),
}
REDUCTIONS = {
    "reduce_sum": of(
        lambda x: [tf.reduce_sum(x), tf.reduce_sum(x, 0), tf.reduce_sum(x, 1)], (523, 301)
    ),
    "reduce_mean": of(
        lambda x: [tf.reduce_mean(x), tf.reduce_mean(x, 0), tf.reduce_mean(x, 1)], (523, 301)
    ),
    "reduce_variance": of(lambda x: tf.math.reduce_variance(x, 1), (523, 301)),
    "reduce_prod": of(lambda x: tf.reduce_prod(x + 1.5, 0), (53, 71)),
    "reduce_logsumexp": of(lambda x: tf.reduce_logsumexp(x, 1), (523, 301)),
    "cumsum": of(lambda x: tf.cumsum(x, 1), (523, 301)),
    "norm": of(lambda x: [tf.norm(x), tf.norm(x, axis=1)], (523, 301)),
    "l2_loss": of(tf.nn.l2_loss, (523, 301)),
    "segment_sum": of(
        lambda x: tf.math.unsorted_segment_sum(x, inputs.integers(503, below=31), 31), (503, 67)
    ),
}
SIGNED = (
    *("exp", "expm1", "sin", "cos", "tan", "atan", "tanh", "sinh", "cosh", "asinh"),
    *("erf", "erfc", "sigmoid", "softplus"),
)
POSITIVE = ["log", "log1p", "sqrt", "rsqrt", "reciprocal", "lgamma", "digamma"]
ACTIVATIONS = ["gelu", "silu", "elu", "selu"]
FUNCTIONS = {
    **{name: of_signed(getattr(tf.math, name)) for name in SIGNED},
    **{name: of_positive(getattr(tf.math, name)) for name in POSITIVE},
    **{name: of_signed(getattr(tf.nn, name)) for name in ACTIVATIONS},
    "asin": of(lambda x: tf.asin(x * 0.875), (MANY,)),
    "acos": of(lambda x: tf.acos(x * 0.875), (MANY,)),
    "atanh": of(lambda x: tf.atanh(x * 0.875), (MANY,)),
    "pow": of(lambda x, y: (x + 1.125) ** y, (MANY,), (MANY,)),
    "divide": of(lambda x, y: x / (y + 1.125), (MANY,), (MANY,)),
    "atan2": of(lambda x, y: tf.atan2(x, y + 1.125), (MANY,), (MANY,)),
    "softmax": of(tf.nn.softmax, (211, 303)),
    "log_softmax": of(tf.nn.log_softmax, (211, 303)),
    "cross_entropy": of(
        lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(
            inputs.integers(211, below=103), x
        ),
        (211, 103),
    ),
    "sigmoid_cross_entropy": of(
        lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(y, x), *[(211, 103)] * 2
    ),
}
ORDERS = {
    "sort": lambda t: tf.sort(tensor(523, 301, dtype=t), 0),
    "argsort": lambda t: tf.argsort(tensor(5003, dtype=t)),
    "top_k": lambda t: tuple(tf.math.top_k(tensor(523, 301, dtype=t), 7)),
    "unique": lambda t: tuple(tf.unique_with_counts(tf.round(tensor(5003, dtype=t) * 50))),
}
TRANSFORMS = {
    "rfft": lambda t: tf.signal.rfft(tensor(5, 1021, dtype=t)),
    "fft": lambda t: tf.signal.fft(
        tf.dtypes.complex(tensor(7, 360, dtype=t), tensor(7, 360, dtype=t))
    ),
    "rfft2d": lambda t: tf.signal.rfft2d(tensor(31, 45, dtype=t)),
    "stft": lambda t: tf.signal.stft(tensor(2, 1000, dtype=t), 64, 16),
}
ALGEBRA = {
    "solve": lambda t: differentiated(
        tf.linalg.solve, [tf.constant(inputs.spread(61, dtype=t)), tensor(61, 5, dtype=t)]
    ),
    "inv": of_square(tf.linalg.inv),
    "slogdet": of_square(lambda x: tf.linalg.slogdet(x)[1]),
    "svd": lambda t: tf.linalg.svd(tensor(47, 31, dtype=t)),
    "eigh": of_square(lambda x: list(tf.linalg.eigh(x)), inputs.symmetric),
    "cholesky": of_square(tf.linalg.cholesky, inputs.symmetric),
    "qr": lambda t: list(tf.linalg.qr(tensor(67, 41, dtype=t))),
    "lstsq": lambda t: tf.linalg.lstsq(tensor(67, 9, dtype=t), tensor(67, 3, dtype=t)),
    "expm": lambda t: tf.linalg.expm(tf.constant(inputs.spread(37, dtype=t))),
}
OPERATIONS = (
    *in_each_type("products", PRODUCTS),
    *in_each_type("convolutions, pooling", CONVOLUTIONS),
    *in_each_type("reductions", REDUCTIONS),
    *in_each_type("functions", FUNCTIONS),
    *in_each_type("orders", ORDERS),
    *in_each_type("transforms", TRANSFORMS),
    *in_each_type("linear algebra", ALGEBRA),
)
