"""The catalogue of knobs and sources of nondeterminism, as data; adding one is one row.

The image's `ENV`, `repro_env/legal.py` (what every start checks) and `docs/knobs.md` are rendered
from it by `scripts/knobs`, and a test compares. `repro doctor` judges processes by it. The doors
need no list of their own: SSH sessions and notebook kernels take the container's environment whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from repro_env.settings import SEEDS, is_one_of

if TYPE_CHECKING:
    from repro_env.settings import Values

UNSEEDED = ("derive", "warn", "off")

BEFORE_INTERPRETER = "before the interpreter starts"
BEFORE_IMPORT = "before the library is imported"
BEFORE_CUDA = "before CUDA is first used"
ANY_TIME = "at any time"

PYTHON = ("sys",)
NUMPY = ("numpy",)
TORCH = ("torch",)
TENSORFLOW = ("tensorflow",)
FRAMEWORKS = ("torch", "tensorflow")
NOT_SET = ""  # a value: the variable must not be there


class Knob(NamedTuple):
    """One variable or switch of a framework that removes one source of nondeterminism.

    Args:
        name: An environment variable; or a switch, as one writes it in Python.
        modules: The knob matters to a process that has loaded one of these.
        repeatable: Its value under the profile `repeatable`; None where that sets none.
        portable: The same under the profile `portable`.
        when: The latest moment at which setting it still works.
        why: What goes wrong without it.
        source: Where that is documented or measured.
        legal: The values that a process may start with: words, or whole numbers in a range; empty
            stands for any.
        good: Values that serve as well as the profile's.
        required: Whether a process with a seed must not start without it.
        since: The oldest version of the library, as (major, minor), that knows it.
        read: What reads it back: an attribute, or a function without arguments, by its full name.
        gpu: Whether only code for GPUs reads it.
    """

    name: str
    modules: tuple[str, ...]
    repeatable: str | None
    portable: str | None
    when: str
    why: str
    source: str
    legal: Values = ()
    good: Values = ()
    required: bool = False
    since: tuple[int, int] = (0, 0)
    read: str = ""
    gpu: bool = False

    @property
    def is_variable(self) -> bool:
        """Whether it is an environment variable; else a switch."""
        return "." not in self.name

    def wanted(self, profile: str) -> str | None:
        """Return its value under a profile: `repeatable` or `portable`."""
        return self.portable if profile == "portable" else self.repeatable

    def serves(self, text: str | None, profile: str) -> bool:
        """Say whether a value keeps the profile's promise; None stands for no value."""
        if self.wanted(profile) == NOT_SET and text is None:
            return True
        return text is not None and (text == self.wanted(profile) or is_one_of(text, self.good))


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
        portable=None,
        when=BEFORE_IMPORT,
        why="oneDNN's kernels sum in another order than TensorFlow's own: on by default since 2.9",
        source="https://github.com/tensorflow/tensorflow/releases/tag/v2.9.0",
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
    # ---- the CPU: the same image gives other bits on another machine
    Knob(
        name="OMP_NUM_THREADS",
        modules=(*NUMPY, *FRAMEWORKS),
        repeatable=None,
        portable="1",
        when=BEFORE_IMPORT,
        why="how many threads share a sum decides its order, and so its bits",
        source="https://www.openmp.org/spec-html/5.0/openmpse50.html",
    ),
    Knob(
        name="OMP_DYNAMIC",
        modules=(*NUMPY, *FRAMEWORKS),
        repeatable=None,
        portable="FALSE",
        when=BEFORE_IMPORT,
        why="OpenMP may take fewer threads when the machine is busy",
        source="https://www.openmp.org/spec-html/5.0/openmpse52.html",
    ),
    Knob(
        name="OPENBLAS_NUM_THREADS",
        modules=NUMPY,
        repeatable=None,
        portable="1",
        when=BEFORE_IMPORT,
        why="OpenBLAS divides products among its threads",
        source="https://github.com/OpenMathLib/OpenBLAS#setting-the-number-of-threads-using-environment-variables",
    ),
    Knob(
        name="OPENBLAS_CORETYPE",
        modules=NUMPY,
        repeatable=None,
        portable="Haswell",
        when=BEFORE_IMPORT,
        why="OpenBLAS picks its kernels by the CPU's model",
        source="https://github.com/OpenMathLib/OpenBLAS#support-for-multiple-targets-in-a-single-library",
    ),
    Knob(
        name="NPY_DISABLE_CPU_FEATURES",
        modules=NUMPY,
        repeatable=None,
        portable="AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
        when=BEFORE_IMPORT,
        why="NumPy picks its loops by the CPU's vector instructions",
        source="https://numpy.org/doc/stable/reference/simd/build-options.html",
    ),
    Knob(
        name="MKL_NUM_THREADS",
        modules=TORCH,
        repeatable=None,
        portable="1",
        when=BEFORE_IMPORT,
        why="MKL divides products among its threads",
        source="https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/2024-2/mkl-num-threads.html",
    ),
    Knob(
        name="MKL_DYNAMIC",
        modules=TORCH,
        repeatable=None,
        portable="FALSE",
        when=BEFORE_IMPORT,
        why="MKL may take fewer threads than it was given",
        source="https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/2024-2/mkl-dynamic.html",
    ),
    Knob(
        name="MKL_CBWR",
        modules=TORCH,
        repeatable=None,
        portable="COMPATIBLE",
        when=BEFORE_IMPORT,
        why="MKL picks its kernels by the CPU's maker and model; AVX2 is not enough between makers",
        source="https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/2024-2/specifying-code-branches.html",
    ),
    Knob(
        name="ATEN_CPU_CAPABILITY",
        modules=TORCH,
        repeatable=None,
        portable="avx2",
        when=BEFORE_IMPORT,
        why="PyTorch picks its vector width by the CPU",
        source="https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/DispatchStub.cpp",
        read="repro_env.libraries.torch.cpu_capability()",
    ),
    Knob(
        name="ONEDNN_MAX_CPU_ISA",
        modules=FRAMEWORKS,
        repeatable=None,
        portable="AVX2",
        when=BEFORE_IMPORT,
        why="oneDNN picks its kernels by the CPU's vector instructions",
        source="https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html",
    ),
    Knob(
        name="TF_NUM_INTRAOP_THREADS",
        modules=TENSORFLOW,
        repeatable=None,
        portable="1",
        when=BEFORE_IMPORT,
        why="TensorFlow divides an operation among its threads",
        source="https://www.tensorflow.org/api_docs/python/tf/config/threading",
    ),
    Knob(
        name="TF_NUM_INTEROP_THREADS",
        modules=TENSORFLOW,
        repeatable=None,
        portable="1",
        when=BEFORE_IMPORT,
        why="TensorFlow runs independent operations side by side",
        source="https://www.tensorflow.org/api_docs/python/tf/config/threading",
    ),
)


class Source(NamedTuple):
    """A source of nondeterminism that no variable and no switch removes.

    Args:
        name: What it is.
        remedy: What is done about it, and by whom.
        source: Where it is documented or measured.
    """

    name: str
    remedy: str
    source: str


SOURCES = (
    Source(
        "The global generators of `random`, NumPy, PyTorch, TensorFlow and Keras",
        "The start-up hook seeds each right after its import, and again in every child.",
        "https://docs.python.org/3/library/random.html",
    ),
    Source(
        "NumPy's generators that are made without a seed",
        "`REPRO_UNSEEDED`; better: `repro_env.stream('a name')`.",
        "https://numpy.org/doc/stable/reference/random/generator.html",
    ),
    Source(
        "Which worker of a pool takes which task",
        "A stream for each task, never for each worker: `repro_env.stream('task', number)`.",
        "https://docs.python.org/3/library/multiprocessing.html#multiprocessing.pool.Pool.map",
    ),
    Source(
        "Hashes from addresses: of types, functions, and `None` before Python 3.12",
        "Sort before iterating over a set of them; `PYTHONHASHSEED` does not help.",
        "https://docs.python.org/3/reference/datamodel.html#object.__hash__",
    ),
    Source(
        "The order of `os.listdir`, `scandir`, `glob`, `iterdir` and `walk`",
        "Sort: it differs between file systems.",
        "https://docs.python.org/3/library/os.html#os.listdir",
    ),
    Source(
        "`os.urandom`, `secrets`, `uuid4`, `SystemRandom`, names of temporary files",
        "Left alone: they must stay random.",
        "https://docs.python.org/3/library/secrets.html",
    ),
    Source(
        "What a notebook's kernel draws while it starts",
        "The generators are seeded again just before the first cell.",
        "https://ipython.readthedocs.io/en/stable/config/callbacks.html",
    ),
    Source(
        "Parallel maps of `tf.data` with random operations",
        "Op determinism puts them in order, slowly; stateless operations stay fast.",
        "https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism",
    ),
    Source(
        "How many workers a DataLoader has",
        "Keep `num_workers`: with another number the same seed gives other samples.",
        "https://docs.pytorch.org/docs/stable/notes/randomness.html#dataloader",
    ),
    Source(
        "The multiprocessor count of a GPU, in large CUDA draws",
        "Compare runs of the same model of GPU only.",
        "https://github.com/pytorch/pytorch/issues/196613",
    ),
    Source(
        "The number of threads, and of CPUs that a container may use",
        "`repeatable` keeps what is there; `portable` fixes it.",
        "https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html",
    ),
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
