"""TensorFlow's global seed and deterministic operations."""

import os


def seed(value: int) -> None:
    """Set the global seed; this starts no device and no thread pool."""
    import tensorflow

    tensorflow.random.set_seed(value)


def make_deterministic() -> None:
    """Take deterministic kernels, unless the user's `TF_DETERMINISTIC_OPS` says no.

    Source:
        https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism
    """
    import tensorflow

    if os.environ.get("TF_DETERMINISTIC_OPS") not in ("0", "false"):
        tensorflow.config.experimental.enable_op_determinism()
