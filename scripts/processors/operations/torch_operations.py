"""PyTorch's functions, each with the gradients of all that it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  # what PyTorch's users call it

from processors.operations import inputs
from processors.operations.forms import MANY, Forms
from processors.operations.table import in_each_type, of_no_type


def tensor(*shape: int, dtype: str = "float32", name: str = "x") -> Any:
    """Return numbers in [-1, 1)."""
    return torch.from_numpy(inputs.values(*shape, dtype=dtype, name=name))


def differentiated(function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
    """Return what a function gives, and the gradient of each tensor of floats it is given.

    The gradient that comes from outside is a number of its own for each result.
    """
    leaves = [
        each.detach().clone().requires_grad_() if torch.is_floating_point(each) else each
        for each in arguments
    ]
    results = function(*leaves)
    flat = list(results) if isinstance(results, (tuple, list)) else [results]
    wanted = [each for each in flat if each is not None and each.requires_grad]
    incoming = [
        torch.from_numpy(
            inputs.values(*each.shape, dtype=str(each.dtype).removeprefix("torch."), name="g")
        )
        for each in wanted
    ]
    sources = [each for each in leaves if each.requires_grad]
    return [*flat, *torch.autograd.grad(wanted, sources, incoming, allow_unused=True)]


FORMS = Forms(torch.from_numpy, differentiated)
of, of_signed, of_positive, of_square = (
    FORMS.of,
    FORMS.of_signed,
    FORMS.of_positive,
    FORMS.of_square,
)

PRODUCTS = {
    "matmul": of(torch.matmul, (67, 129), (129, 83)),
    "matmul of long sums": of(torch.matmul, (5, 5003), (5003, 7)),
    "matmul of large matrices": of(torch.matmul, (257, 385), (385, 131)),
    "matmul of K 1031": of(torch.matmul, (67, 1031), (1031, 83)),
    "matmul of K 4096": of(torch.matmul, (33, 4096), (4096, 65)),
    "matmul batched": of(torch.bmm, (5, 33, 47), (5, 47, 29)),
    "matmul broadcast": of(torch.matmul, (3, 1, 17, 23), (4, 23, 9)),
    "matrix by vector": of(torch.mv, (301, 517), (517,)),
    "dot": of(torch.dot, (MANY,), (MANY,)),
    "linear": of(F.linear, (31, 213), (77, 213), (77,)),
    "bilinear": of(F.bilinear, (9, 13), (9, 17), (5, 13, 17), (5,)),
    "einsum": of(lambda x, y: torch.einsum("bij,bkj->bik", x, y), (3, 17, 45), (3, 19, 45)),
    "tensordot": of(torch.tensordot, (7, 11, 13), (11, 13, 5)),
    "addmm": of(
        lambda a, x, y: torch.addmm(a, x, y, beta=0.3, alpha=1.7), (7, 9), (7, 33), (33, 9)
    ),
    "cdist": of(torch.cdist, (41, 19), (37, 19)),
}
CONVOLUTIONS = {
    "conv1d": of(F.conv1d, (3, 7, 101), (11, 7, 5), (11,)),
    "conv2d": of(F.conv2d, (3, 5, 29, 31), (13, 5, 3, 5), (13,)),
    "conv2d with strides": of(
        lambda x, w: F.conv2d(x, w, stride=2, padding=1, dilation=2), (2, 6, 33, 27), (10, 6, 3, 3)
    ),
    "conv2d of one point": of(F.conv2d, (2, 33, 17, 19), (21, 33, 1, 1)),
    "conv2d of full blocks": of(F.conv2d, (2, 16, 20, 20), (32, 16, 3, 3), (32,)),
    "conv2d of 64 channels": of(F.conv2d, (2, 64, 13, 13), (48, 64, 3, 3)),
    "conv2d in groups": of(lambda x, w: F.conv2d(x, w, groups=3), (2, 9, 19, 17), (12, 3, 3, 3)),
    "conv2d depthwise": of(
        lambda x, w: F.conv2d(x, w, groups=24, padding=1), (2, 24, 19, 17), (24, 1, 3, 3)
    ),
    "conv3d": of(F.conv3d, (2, 3, 7, 11, 13), (5, 3, 3, 3, 3), (5,)),
    "conv_transpose1d": of(lambda x, w: F.conv_transpose1d(x, w, stride=2), (2, 7, 41), (7, 5, 4)),
    "conv_transpose2d": of(
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1), (2, 7, 13, 11), (7, 5, 4, 4)
    ),
    "conv_transpose3d": of(F.conv_transpose3d, (1, 3, 5, 7, 6), (3, 4, 3, 3, 3)),
    "unfold": of(lambda x: F.unfold(x, 3, stride=2), (2, 5, 17, 19)),
    "max_pool2d": of(lambda x: F.max_pool2d(x, 3, 2, 1), (2, 5, 31, 29)),
    "avg_pool2d": of(lambda x: F.avg_pool2d(x, 3, 2, 1), (2, 5, 31, 29)),
    "adaptive_avg_pool2d": of(lambda x: F.adaptive_avg_pool2d(x, (5, 7)), (2, 5, 31, 29)),
    "lp_pool2d": of(lambda x: F.lp_pool2d(x, 2.0, 3), (2, 5, 31, 29)),
    "avg_pool3d": of(lambda x: F.avg_pool3d(x, 2), (2, 3, 9, 11, 13)),
    "interpolate bilinear": of(
        lambda x: F.interpolate(x, (23, 37), mode="bilinear"), (2, 5, 15, 13)
    ),
    "interpolate bicubic": of(lambda x: F.interpolate(x, (23, 37), mode="bicubic"), (2, 3, 15, 13)),
    "interpolate antialiased": of(
        lambda x: F.interpolate(x, (9, 7), mode="bilinear", antialias=True), (2, 3, 25, 23)
    ),
    "interpolate linear": of(lambda x: F.interpolate(x, 77, mode="linear"), (2, 3, 25)),
    "grid_sample": of(
        lambda x, grid: F.grid_sample(x, grid, align_corners=False), (2, 3, 15, 13), (2, 9, 11, 2)
    ),
}
REDUCTIONS = {
    "sum": of(lambda x: [x.sum(), x.sum(0), x.sum(1)], (523, 301)),
    "sum with strides": of(lambda x: [x[::3, 1::2].sum(), x.t().sum(0)], (523, 301)),
    "mean": of(lambda x: [x.mean(), x.mean(0), x.mean(1)], (523, 301)),
    "var": of(lambda x: [x.var(), x.var(0), x.std(1)], (523, 301)),
    "prod": of(lambda x: [(x + 1.5).prod(0), (x + 1.5).prod(1)], (53, 71)),
    "logsumexp": of(lambda x: [x.logsumexp(0), x.logsumexp(1)], (523, 301)),
    "cumsum": of(lambda x: [x.cumsum(0), x.cumsum(1)], (523, 301)),
    "cumprod": of(lambda x: (x + 1.5).cumprod(1), (53, 71)),
    "logcumsumexp": of(lambda x: x.logcumsumexp(1), (53, 71)),
    "norm": of(lambda x: [x.norm(), x.norm(dim=0), x.norm(p=3, dim=1)], (523, 301)),
    "max": of(lambda x: [x.max(), x.amax(0), x.max(1).values], (523, 301)),
    "index_add": of(
        lambda x, y: x.index_add(0, torch.from_numpy(inputs.integers(503, below=31)), y),
        (31, 67),
        (503, 67),
    ),
    "scatter_add": of(
        lambda x, y: x.scatter_add(0, torch.from_numpy(inputs.integers(503, 67, below=31)), y),
        (31, 67),
        (503, 67),
    ),
}
SIGNED = (
    *("exp", "exp2", "expm1", "sin", "cos", "tan", "atan", "tanh", "sinh", "cosh", "asinh"),
    *("erf", "erfc", "sigmoid", "sinc", "i0"),
)
POSITIVE = ("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal", "lgamma", "digamma")
ACTIVATIONS = (
    *("gelu", "silu", "mish", "softplus", "elu", "selu", "celu", "hardswish", "logsigmoid"),
    *("softsign", "relu6"),
)
FUNCTIONS = {
    **{name: of_signed(getattr(torch, name)) for name in SIGNED},
    **{name: of_positive(getattr(torch, name)) for name in POSITIVE},
    **{name: of_signed(getattr(F, name)) for name in ACTIVATIONS},
    "erfcx": of_positive(torch.special.erfcx),
    "polygamma": of_positive(lambda x: torch.polygamma(1, x)),
    "gelu of tanh": of_signed(lambda x: F.gelu(x, approximate="tanh")),
    "asin": of(lambda x: torch.asin(x * 0.875), (MANY,)),
    "acos": of(lambda x: torch.acos(x * 0.875), (MANY,)),
    "atanh": of(lambda x: torch.atanh(x * 0.875), (MANY,)),
    "erfinv": of(lambda x: torch.erfinv(x * 0.875), (MANY,)),
    "pow": of(lambda x, y: (x + 1.125) ** y, (MANY,), (MANY,)),
    "pow of 2.5": of(lambda x: (x + 1.125) ** 2.5, (MANY,)),
    "divide": of(lambda x, y: x / (y + 1.125), (MANY,), (MANY,)),
    "addcdiv": of(lambda x, y, z: torch.addcdiv(x, y, z + 1.125, value=0.3), *[(MANY,)] * 3),
    "lerp": of(torch.lerp, (MANY,), (MANY,), (MANY,)),
    "atan2": of(lambda x, y: torch.atan2(x, y + 1.125), (MANY,), (MANY,)),
    "hypot": of(torch.hypot, (MANY,), (MANY,)),
    "logaddexp": of(torch.logaddexp, (MANY,), (MANY,)),
    "complex exp": of(
        lambda x, y: torch.view_as_real(torch.exp(torch.complex(x, y))), *[(9001,)] * 2
    ),
    "softmax": of(lambda x: F.softmax(x, 1), (211, 303)),
    "softmax of columns": of(lambda x: F.softmax(x, 0), (211, 303)),
    "log_softmax": of(lambda x: F.log_softmax(x, 1), (211, 303)),
    "log_softmax of columns": of(lambda x: F.log_softmax(x, 0), (211, 303)),
    "cross_entropy": of(
        lambda x: F.cross_entropy(
            x, torch.from_numpy(inputs.integers(211, below=103)), label_smoothing=0.1
        ),
        (211, 103),
    ),
    "binary_cross_entropy": of(
        lambda x: F.binary_cross_entropy_with_logits(x, torch.sigmoid(x.detach())), (211, 103)
    ),
    "mse_loss": of(F.mse_loss, (523, 301), (523, 301)),
    "smooth_l1_loss": of(F.smooth_l1_loss, (523, 301), (523, 301)),
    "kl_div": of(
        lambda x, y: F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean"),
        *[(53, 31)] * 2,
    ),
    "cosine_similarity": of(F.cosine_similarity, (211, 103), (211, 103)),
}
ORDERS = {
    "sort": lambda t: torch.sort(tensor(523, 301, dtype=t), 0),
    "topk": lambda t: torch.topk(tensor(523, 301, dtype=t), 7),
    "argsort": lambda t: torch.argsort(tensor(5003, dtype=t)),
    "kthvalue": lambda t: torch.kthvalue(tensor(523, 301, dtype=t), 17).values,
    "median": lambda t: torch.median(tensor(523, 301, dtype=t), 1).values,
    "quantile": lambda t: torch.quantile(tensor(523, 31, dtype=t), 0.3, 0),
    "unique": lambda t: torch.unique(torch.round(tensor(5003, dtype=t) * 50), return_counts=True),
    "histc": lambda t: torch.histc(tensor(5003, dtype=t), 31),
}
TIES = {
    "argsort with ties": lambda: torch.argsort(torch.from_numpy(inputs.integers(5003, below=50))),
    "topk with ties": lambda: torch.topk(torch.from_numpy(inputs.integers(5003, below=50)), 77),
    "bincount": lambda: torch.bincount(
        torch.from_numpy(inputs.integers(5003, below=50)), tensor(5003)
    ),
}
TRANSFORMS = {
    "rfft": of(lambda x: torch.view_as_real(torch.fft.rfft(x)), (5, 1021)),
    "fft": of(lambda x: torch.view_as_real(torch.fft.fft(x)), (7, 360)),
    "fft2": of(lambda x: torch.view_as_real(torch.fft.fft2(x)), (31, 45)),
    "irfft": of(lambda x: torch.fft.irfft(torch.complex(x, x)), (3, 101)),
    "stft": of(
        lambda x: torch.view_as_real(
            torch.stft(x, 64, 16, window=torch.hann_window(64, dtype=x.dtype), return_complex=True)
        ),
        (2, 1000),
    ),
}
ALGEBRA = {
    "solve": lambda t: differentiated(
        torch.linalg.solve, [torch.from_numpy(inputs.spread(61, dtype=t)), tensor(61, 5, dtype=t)]
    ),
    "inv": of_square(torch.linalg.inv),
    "inv batched": lambda t: torch.linalg.inv(torch.from_numpy(inputs.spread(17, 9, dtype=t))),
    "slogdet": of_square(lambda x: torch.linalg.slogdet(x)[1]),
    "svd": lambda t: torch.linalg.svd(tensor(47, 31, dtype=t)),
    "svdvals": of(torch.linalg.svdvals, (29, 17)),
    "eigh": of_square(lambda x: list(torch.linalg.eigh(x)), inputs.symmetric),
    "eig": lambda t: torch.linalg.eig(torch.from_numpy(inputs.spread(23, dtype=t))),
    "cholesky": of_square(torch.linalg.cholesky, inputs.symmetric),
    "qr": of(lambda x: list(torch.linalg.qr(x)), (67, 41)),
    "lstsq": lambda t: torch.linalg.lstsq(tensor(67, 9, dtype=t), tensor(67, 3, dtype=t))[0],
    "lstsq by QR": lambda t: torch.linalg.lstsq(
        tensor(67, 9, dtype=t), tensor(67, 3, dtype=t), driver="gels"
    )[0],
    "pinv": of(torch.linalg.pinv, (37, 21)),
    "matrix_exp": of_square(torch.linalg.matrix_exp),
}
OPERATIONS = (
    *in_each_type("products", PRODUCTS),
    *in_each_type("convolutions, pooling", CONVOLUTIONS),
    *in_each_type("reductions", REDUCTIONS),
    *in_each_type("functions", FUNCTIONS),
    *in_each_type("orders", ORDERS),
    *of_no_type("orders", TIES),
    *in_each_type("transforms", TRANSFORMS),
    *in_each_type("linear algebra", ALGEBRA),
)
