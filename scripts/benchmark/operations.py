"""Operations of NumPy, PyTorch and TensorFlow, in processes of several settings that take turns.

As a program it is one such process: for each operation that it reads it prints the seconds that
one call took. The inputs are the same in all of them: NumPy's whole numbers, scaled.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from benchmark.inside import Loop, process_seconds
from benchmark.turns import in_turns

OPERATIONS: Mapping[str, Sequence[str]] = {
    "numpy": ("product", "exp"),
    "torch": ("product", "convolution", "softmax", "exp", "step"),
    "tensorflow": ("product", "convolution", "softmax", "exp"),
}
SIDE = 1024
BATCH, CHANNELS, KERNELS, PIXELS = 32, 32, 64, 28
ROWS, COLUMNS = 512, 4096
EXPONENTS = 2**20

CACHE_SIZES = "tensorflow.eigen.cache_sizes"  # a knob that is no variable but here

BLOCK_S = 0.05
PAUSE_S = 0.05  # OpenMP's and OpenBLAS's threads spin for some 20 ms after their last work

Calls = Mapping[str, Callable[[], object]]


def time_operations(
    library: str, sides: Sequence[Mapping[str, str]], processes: int, blocks: int
) -> None:
    """Print, as JSON, the seconds of one call: by operation, by side, by process.

    The sides' processes live side by side and take turns: the others wait while one works.
    Where its memory lies makes a process faster or slower for all of its life, so that many count.

    Args:
        library: whose operations.
        sides: the variables that each side sets.
        processes: of each side, one generation after the other.
        blocks: of each operation in a process, whose median counts; one more before is to warm up.
    """
    told: dict[str, list[list[float]]]
    told = {operation: [[] for _ in sides] for operation in OPERATIONS[library]}
    for _ in range(processes):
        with ExitStack() as living:
            loops = [
                living.enter_context(Loop(["benchmark.operations", library], side))
                for side in sides
            ]
            for operation, medians in told.items():
                turns = [partial(loop.seconds, operation) for loop in loops]
                for side, seconds in zip(medians, in_turns(turns, blocks, warm_up=1)):
                    side.append(statistics.median(seconds))
    print(json.dumps(told))


def time_program(words: Sequence[str], sides: Sequence[Mapping[str, str]], runs: int) -> None:
    """Print, as JSON, the seconds of a whole Python program, by side and run.

    Args:
        words: the program's file and its arguments.
        sides: the variables that each side sets.
        runs: how many times each side is counted; one more before is to warm up.
    """
    os.chdir(tempfile.mkdtemp())  # where the program writes
    turns = [partial(process_seconds, [sys.executable, *words], side) for side in sides]
    print(json.dumps(in_turns(turns, runs, warm_up=1)))


def main(library: str) -> None:
    """Time the operations of a library as they are asked for."""
    if os.environ.get("REPRO_PROFILE") == "portable":
        from repro_env import profile

        if not profile.threads:
            sys.exit("the profile portable is not in effect: nothing would be measured")
    prepare = {"numpy": of_numpy, "torch": of_torch, "tensorflow": of_tensorflow}
    calls = prepare[library]()
    for line in sys.stdin:
        print(block_seconds(calls[line.strip()]), flush=True)


def block_seconds(call: Callable[[], object]) -> float:
    """Return how long one call took, in the mean over a block; one more before is to warm up."""
    time.sleep(PAUSE_S)
    call()
    calls, spent_s = 0, 0.0
    began = time.perf_counter()
    while spent_s < BLOCK_S:
        call()
        calls += 1
        spent_s = time.perf_counter() - began
    return spent_s / calls


def of_numpy() -> Calls:
    """Return the operations in NumPy."""
    import numpy

    left, right, exponents = drawn(SIDE, SIDE), drawn(SIDE, SIDE), drawn(EXPONENTS)
    return {"product": lambda: left @ right, "exp": lambda: numpy.exp(exponents)}


def of_torch() -> Calls:
    """Return the operations in PyTorch; a step is one of the training that is followed elsewhere.

    A convolution is there and back: its outputs, and the gradients of its inputs and weights.
    """
    import torch
    from torch.nn.functional import conv2d

    from benchmark.training import Training

    def tensor(*shape: int) -> Any:
        return torch.from_numpy(drawn(*shape))

    left, right, exponents = tensor(SIDE, SIDE), tensor(SIDE, SIDE), tensor(EXPONENTS)
    images = tensor(BATCH, CHANNELS, PIXELS, PIXELS).requires_grad_()
    weights = tensor(KERNELS, CHANNELS, 3, 3).requires_grad_()
    rows = tensor(ROWS, COLUMNS)

    def convolution() -> object:
        return torch.autograd.grad(conv2d(images, weights, padding=1).sum(), [images, weights])

    return {
        "product": lambda: left @ right,
        "convolution": convolution,
        "softmax": lambda: torch.softmax(rows, dim=1),
        "exp": lambda: torch.exp(exponents),
        "step": Training().step,
    }


def of_tensorflow() -> Calls:
    """Return the operations in TensorFlow, called eagerly; a convolution is there and back."""
    import tensorflow as tf

    if CACHE_SIZES in os.environ:  # as the hook does under the profile
        from repro_env.libraries import eigen

        eigen.set_cache_sizes()
    left, right, exponents, rows = (
        tf.constant(drawn(*shape))
        for shape in ((SIDE, SIDE), (SIDE, SIDE), (EXPONENTS,), (ROWS, COLUMNS))
    )
    images = tf.Variable(drawn(BATCH, PIXELS, PIXELS, CHANNELS))
    weights = tf.Variable(drawn(3, 3, CHANNELS, KERNELS))

    def convolution() -> object:
        with tf.GradientTape() as tape:
            outputs = tf.reduce_sum(tf.nn.conv2d(images, weights, strides=1, padding="SAME"))
        return tape.gradient(outputs, [images, weights])

    return {
        "product": lambda: tf.matmul(left, right),
        "convolution": convolution,
        "softmax": lambda: tf.nn.softmax(rows),
        "exp": lambda: tf.exp(exponents),
    }


def drawn(*shape: int) -> Any:
    """Return an array of float32 in 0..1, the same bits whatever the CPU and the settings."""
    import numpy

    numbers = numpy.random.default_rng(0).integers(2**24, size=shape)
    return numbers.astype("float32") / numpy.float32(2**24)


if __name__ == "__main__":
    main(sys.argv[1])
