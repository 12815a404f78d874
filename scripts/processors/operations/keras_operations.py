"""Keras's layers and optimisers, with weights that no generator drew, and TensorFlow's draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from processors.operations import inputs
from processors.operations.table import in_each_type, of_no_type
from processors.operations.tensorflow_operations import differentiated, tensor

STEPS = 3


def layered(
    make: Callable[[str], Any], *shapes: Sequence[int], training: bool = True
) -> Callable[[str], Any]:
    """Return a Keras layer's results for inputs of these shapes, and the gradients of all."""

    def run(dtype: str) -> Any:
        layer = make(dtype)
        given = [tensor(*shape, dtype=dtype, name=f"x{n}") for n, shape in enumerate(shapes)]
        layer(*given)
        fill(layer, dtype)
        call = lambda *leaves: layer(*leaves, training=training)  # noqa: E731
        return [differentiated(call, given, lambda: layer.trainable_variables), layer.weights]

    return run


def fill(layer: Any, dtype: str) -> None:
    """Give a layer weights in [-1/4, 1/4) that depend on nothing but their shapes."""
    for number, weight in enumerate(layer.trainable_variables):
        weight.assign(tensor(*weight.shape, dtype=dtype, name=f"w{number}") * 0.25)


def looked_up(dtype: str) -> Any:
    """Return what a table of vectors gives, and the gradient of the table."""
    places = tf.constant(inputs.integers(53, 37, below=91))
    return differentiated(lambda table: tf.gather(table, places), [tensor(91, 33, dtype=dtype)])


def drawn(draw: Callable[[], Any]) -> Callable[[], Any]:
    """Return what the generator draws, begun afresh."""

    def run() -> Any:
        tf.random.set_seed(7)
        return draw()

    return run


def trained(make: Callable[[], Any]) -> Callable[[str], Any]:
    """Return the weights of a small network after some steps of an optimiser, as one graph."""

    def run(dtype: str) -> Any:
        layers = tf.keras.layers
        network = tf.keras.Sequential(
            [
                layers.Conv2D(8, 3, activation="relu", dtype=dtype),
                layers.MaxPool2D(dtype=dtype),
                layers.Flatten(dtype=dtype),
                layers.Dense(10, dtype=dtype),
            ]
        )
        network.build((None, 16, 16, 1))
        fill(network, dtype)
        optimizer = make()
        labels = tf.constant(inputs.integers(31, below=10))

        def take_step(images: Any) -> Any:
            with tf.GradientTape() as tape:
                outputs = network(images, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables))
            return loss

        step = tf.function(take_step)
        losses = [step(tensor(31, 16, 16, 1, dtype=dtype, name=f"step {n}")) for n in range(STEPS)]
        return [losses, network.trainable_variables]

    return run


LAYERS = {
    "BatchNormalization": layered(
        lambda t: tf.keras.layers.BatchNormalization(dtype=t), (5, 13, 11, 7)
    ),
    "LayerNormalization": layered(
        lambda t: tf.keras.layers.LayerNormalization(dtype=t), (13, 17, 77)
    ),
    "Dense": layered(lambda t: tf.keras.layers.Dense(77, dtype=t), (31, 213)),
    "LSTM": layered(lambda t: tf.keras.layers.LSTM(35, dtype=t), (3, 13, 21)),
    "GRU": layered(lambda t: tf.keras.layers.GRU(35, dtype=t), (3, 13, 21)),
    "SeparableConv2D": layered(
        lambda t: tf.keras.layers.SeparableConv2D(11, 3, dtype=t), (2, 15, 17, 7)
    ),
    "embedding": looked_up,
}
OF_FLOAT32 = {  # Keras 2.9 can't make it of another type
    "MultiHeadAttention": layered(
        lambda t: tf.keras.layers.MultiHeadAttention(3, 8, dtype=t), *[(3, 17, 24)] * 2
    ),
}
DRAWS = {
    "normal": drawn(lambda: [tf.random.normal((5003,)), tf.random.normal((503,), dtype="float64")]),
    "truncated_normal": drawn(lambda: tf.random.truncated_normal((5003,))),
    "uniform": drawn(
        lambda: [tf.random.uniform((5003,)), tf.random.uniform((503,), dtype="float64")]
    ),
    "integers": drawn(lambda: tf.random.uniform((5003,), maxval=1000, dtype="int32")),
    "gamma": drawn(lambda: tf.random.gamma((2003,), [0.3, 4.5])),
    "poisson": drawn(lambda: tf.random.poisson((2003,), [3.0, 40.0])),
    "categorical": drawn(lambda: tf.random.categorical(tensor(5, 31), 401)),
    "shuffle": drawn(lambda: tf.random.shuffle(tf.range(1009))),
    "stateless normal": lambda: tf.random.stateless_normal((5003,), (7, 9)),
    "stateless binomial": lambda: tf.random.stateless_binomial((1003,), (7, 9), 40.0, 0.3),
    "stateless gamma": lambda: tf.random.stateless_gamma((1003,), (7, 9), 0.7),
    "generator": lambda: tf.random.Generator.from_seed(7).normal((5003,)),
    "dropout": drawn(lambda: tf.nn.dropout(tensor(150, 401), 0.3)),
    "glorot": drawn(lambda: tf.keras.initializers.GlorotUniform(7)((31, 23))),
    "orthogonal": drawn(lambda: tf.keras.initializers.Orthogonal(seed=7)((31, 23))),
}
TRAININGS = {
    "SGD": trained(lambda: tf.keras.optimizers.SGD(0.1, momentum=0.9)),
    "Adam": trained(lambda: tf.keras.optimizers.Adam()),
    "RMSprop": trained(lambda: tf.keras.optimizers.RMSprop()),
}

OPERATIONS = (
    *in_each_type("layers", LAYERS),
    *in_each_type("layers", OF_FLOAT32, dtypes=("float32",)),
    *of_no_type("draws", DRAWS),
    *in_each_type("training steps", TRAININGS),
)
