"""The sources of nondeterminism that no variable and no switch removes, as data."""

from __future__ import annotations

from typing import NamedTuple


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
        "`torch.linalg.lstsq` in PyTorch 2.0, which reads memory that was never set",
        "Give it a driver: `driver='gels'` repeats.",
        "https://github.com/pytorch/pytorch/pull/187436",
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
