"""The catalogue of knobs, as data; adding one is one row. `sources` has what no knob removes.

The image's `ENV`, `repro_env/legal.py` (what every start checks) and `docs/knobs.md` are rendered
from it by `scripts/knobs`, and a test compares. `repro doctor` judges processes by it. The doors
need no list of their own: SSH sessions and notebook kernels take the container's environment whole.
"""

from __future__ import annotations

from repro_env.cpu_knobs import CPU_KNOBS
from repro_env.knob import (
    ANY_TIME,
    BEFORE_CUDA,
    BEFORE_IMPORT,
    BEFORE_INTERPRETER,
    FRAMEWORKS,
    NOT_SET,
    NUMPY,
    PYTHON,
    TENSORFLOW,
    TORCH,
    Knob,
)
from repro_env.settings import SEEDS

UNSEEDED = ("derive", "warn", "off")

KNOBS = (
    # ---- Python
    Knob(
        name="REPRO_SEED",
        modules=PYTHON,
        repeatable="42",
        portable="42",
        when=BEFORE_INTERPRETER,
        why="the seed of Python, NumPy, TensorFlow and PyTorch in every process",
        source="https://docs.python.org/3/library/random.html#random.seed",
        legal=SEEDS,
        good=SEEDS,
        read="repro_env.readings.seed_in_effect()",
    ),
    Knob(
        name="REPRO_DISABLE",
        modules=PYTHON,
        repeatable=NOT_SET,
        portable=NOT_SET,
        when=BEFORE_INTERPRETER,
        why="with it nothing is seeded: it is for servers, which draw tokens",
        source="https://docs.python.org/3/library/secrets.html",
        good=("0",),
    ),
    Knob(
        name="PYTHONHASHSEED",
        modules=PYTHON,
        repeatable="0",
        portable="0",
        when=BEFORE_INTERPRETER,
        why="hashes of str and bytes, and so the order of sets, change with each process",
        source="https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED",
        legal=SEEDS,
        good=SEEDS,
        required=True,
    ),
    Knob(
        name="LC_ALL",
        modules=PYTHON,
        repeatable="C.UTF-8",
        portable="C.UTF-8",
        when=BEFORE_INTERPRETER,
        why="sorting, number formats and default encodings follow the locale",
        source="https://docs.python.org/3/library/locale.html",
        read="repro_env.libraries.python.locale_in_effect()",
    ),
    Knob(
        name="TZ",
        modules=PYTHON,
        repeatable="UTC",
        portable="UTC",
        when=BEFORE_INTERPRETER,
        good=("Etc/UTC", "UTC0"),
        why="local times, and data split or named by them, follow the time zone",
        source="https://docs.python.org/3/library/time.html#time.tzset",
        read="repro_env.libraries.python.time_zone_in_effect()",
    ),
    # ---- NumPy
    Knob(
        name="REPRO_UNSEEDED",
        modules=NUMPY,
        repeatable="derive",
        portable="derive",
        when=BEFORE_IMPORT,
        why=(
            "NumPy's generators without a seed, as of `default_rng()`, ask the operating system; "
            "derive gives each a seed of its own, warn says where they are made, off leaves them "
            "alone"
        ),
        source="https://numpy.org/doc/stable/reference/random/bit_generators/generated/numpy.random.SeedSequence.html",
        legal=UNSEEDED,
        read="repro_env.libraries.numpy.unseeded_in_effect()",
    ),
    # ---- TensorFlow
    Knob(
        name="TF_DETERMINISTIC_OPS",
        modules=TENSORFLOW,
        repeatable="1",
        portable="1",
        when=BEFORE_IMPORT,
        why="TensorFlow picks faster kernels whose sums depend on timing",
        source="https://github.com/NVIDIA/framework-reproducibility/blob/master/doc/d9m/tensorflow.md",
        legal=("1", "true", "0", "false"),
        good=("true",),
    ),
    Knob(
        name="tf.config.experimental.enable_op_determinism",
        modules=TENSORFLOW,
        repeatable="True",
        portable="True",
        when=ANY_TIME,
        why="what TF_DETERMINISTIC_OPS asks for, since TensorFlow 2.8",
        source="https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism",
        since=(2, 8),
        # `tf.config.experimental.is_op_determinism_enabled` doesn't exist in 2.9.
        read="tensorflow.python.framework.config.is_op_determinism_enabled()",
    ),
    Knob(
        name="TF_USE_CUDNN_AUTOTUNE",
        modules=TENSORFLOW,
        repeatable=NOT_SET,
        portable=NOT_SET,
        when=BEFORE_IMPORT,
        why="under determinism TensorFlow turns autotuning off itself; the variable contradicts it",
        source="https://github.com/NVIDIA/framework-reproducibility/blob/master/doc/d9m/tensorflow.md",
        gpu=True,
    ),
    Knob(
        name="TF_ENABLE_ONEDNN_OPTS",
        modules=TENSORFLOW,
        repeatable=None,
        portable="0",
        when=BEFORE_IMPORT,
        why="oneDNN's kernels sum in another order than TensorFlow's own, which takes them by "
        "itself, since 2.9, on CPUs with AVX512_VNNI and the like",
        source="https://github.com/tensorflow/tensorflow/releases/tag/v2.9.0",
    ),
    Knob(
        name="tensorflow.eigen.cache_sizes",
        modules=TENSORFLOW,
        repeatable=None,
        portable="32768 262144 2097152",
        when=BEFORE_IMPORT,
        why="Eigen, which computes TensorFlow's products, cuts its sums to the size of the caches",
        source="https://gitlab.com/libeigen/eigen/-/blob/master/Eigen/src/Core/products/GeneralBlockPanelKernel.h",
        read="repro_env.libraries.eigen.cache_sizes()",
    ),
    # ---- PyTorch
    Knob(
        name="torch.use_deterministic_algorithms",
        modules=TORCH,
        repeatable="True",
        portable="True",
        when=ANY_TIME,
        why="some kernels add up in the order in which threads arrive",
        source="https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html",
        read="torch.are_deterministic_algorithms_enabled()",
    ),
    Knob(
        name="torch.use_deterministic_algorithms.warn_only",
        modules=TORCH,
        repeatable="False",
        portable="False",
        when=ANY_TIME,
        why="with it an operation that has no deterministic kernel runs all the same",
        source="https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html",
        read="torch.is_deterministic_algorithms_warn_only_enabled()",
    ),
    Knob(
        name="torch.backends.cudnn.benchmark",
        modules=TORCH,
        repeatable="False",
        portable="False",
        when=ANY_TIME,
        why="cuDNN times its convolutions and keeps the fastest of the day (autotuning)",
        source="https://docs.pytorch.org/docs/stable/notes/randomness.html",
        read="torch.backends.cudnn.benchmark",
    ),
    Knob(
        name="torch.backends.cudnn.deterministic",
        modules=TORCH,
        repeatable="True",
        portable="True",
        when=ANY_TIME,
        why="cuDNN may take convolutions whose sums depend on timing",
        source="https://docs.pytorch.org/docs/stable/notes/randomness.html",
        read="torch.backends.cudnn.deterministic",
    ),
    Knob(
        name="TORCHINDUCTOR_DETERMINISTIC",
        modules=TORCH,
        repeatable="1",
        portable="1",
        when=BEFORE_IMPORT,
        why="torch.compile times its candidate kernels and keeps the fastest of the day",
        source="https://github.com/pytorch/pytorch/blob/main/torch/_inductor/config.py",
        legal=("1", "0"),
        since=(2, 10),
    ),
    Knob(
        name="torch.utils.deterministic.fill_uninitialized_memory",
        modules=TORCH,
        repeatable=None,
        portable=None,
        when=ANY_TIME,
        why=(
            "memory from `torch.empty` that is read before it is written holds anything; "
            "filling it costs up to 15 %"
        ),
        source="https://docs.pytorch.org/docs/stable/deterministic.html",
        since=(2, 2),
        read="torch.utils.deterministic.fill_uninitialized_memory",
    ),
    Knob(
        name="torch.backends.cuda.matmul.allow_tf32",
        modules=TORCH,
        repeatable=None,
        portable=None,
        when=ANY_TIME,
        why="TF32 repeats, and differs between generations of GPUs",
        source="https://docs.pytorch.org/docs/stable/notes/cuda.html",
        read="torch.backends.cuda.matmul.allow_tf32",
        gpu=True,
    ),
    Knob(
        name="torch.backends.cudnn.allow_tf32",
        modules=TORCH,
        repeatable=None,
        portable=None,
        when=ANY_TIME,
        why="TF32 repeats, and differs between generations of GPUs",
        source="https://docs.pytorch.org/docs/stable/notes/cuda.html",
        read="torch.backends.cudnn.allow_tf32",
        gpu=True,
    ),
    # ---- CUDA
    Knob(
        name="CUBLAS_WORKSPACE_CONFIG",
        modules=FRAMEWORKS,
        repeatable=":4096:8",
        portable=":4096:8",
        when=BEFORE_CUDA,
        why="cuBLAS picks split-K kernels freely when it runs on several streams",
        source="https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility",
        legal=(":4096:8", ":16:8"),
        good=(":16:8",),
        gpu=True,
    ),
    Knob(
        name="NCCL_ALGO",
        modules=FRAMEWORKS,
        repeatable=None,
        portable=None,
        when=BEFORE_CUDA,
        why="NCCL picks ring, tree or NVLS by the size of a message; NVLS does not repeat",
        source="https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html#nccl-algo",
        gpu=True,
    ),
    *CPU_KNOBS,
)


def knob(name: str) -> Knob:
    """Return the knob of that name."""
    return next(knob for knob in KNOBS if knob.name == name)


def variables() -> tuple[Knob, ...]:
    """Return the knobs that are environment variables."""
    return tuple(knob for knob in KNOBS if knob.is_variable)


def image_variables() -> dict[str, str]:
    """Return what the image sets: the variables of the profile `repeatable`."""
    return {one.name: one.repeatable for one in variables() if one.repeatable}


def portable_variables() -> dict[str, str]:
    """Return what `portable` sets besides; `knob.THREADS` stands for `REPRO_THREADS`."""
    return {
        one.name: one.portable
        for one in variables()
        if one.portable and not one.repeatable and one.name != "REPRO_THREADS"
    }
