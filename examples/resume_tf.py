"""Stop a TensorFlow training in the middle of an epoch, and go on in another process, bit for bit.

    python examples/resume_tf.py                      # trains in one go and prints a digest
    python examples/resume_tf.py --stop-after 100
    python examples/resume_tf.py --resume             # the same digest

What comes next depends on the weights, the optimizer's averages, the step, and what dropout is
about to draw from TensorFlow's global generator: a checkpoint holds these four. Shuffling and
augmentation draw from streams that are named by epoch and image, so there is nothing to keep.
"""

import argparse
import math
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads it when imported

import numpy as np
import tensorflow as tf
from digits_tf import accuracy, load, save

import repro_env

BATCH_SIZE = 32


class Dropout(tf.keras.layers.Layer):
    """Dropout from TensorFlow's global generator, whose state can be saved.

    Keras's own counts its draws inside the compiled training step, where nobody can read them.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop a share of the inputs in training; (B, ...) to (B, ...)."""
        if not training:
            return inputs
        seed = tf.random.get_global_generator().make_seeds()[:, 0]
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed)


def build_model() -> tf.keras.Model:
    """Return an untrained network: (B, 8, 8, 1) to (B, 10)."""
    model = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 1)),
            tf.keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            tf.keras.layers.MaxPool2D(),
            tf.keras.layers.Flatten(),
            Dropout(0.3),
            tf.keras.layers.Dense(10),
        ]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(), loss, metrics=["accuracy"])
    return model


def augment(image: np.ndarray, epoch: int, index: int) -> np.ndarray:
    """Add noise that depends on epoch and image alone, in whichever thread this runs."""
    stream = repro_env.stream("augment", epoch, index)
    return image + stream.normal(scale=0.05, size=image.shape).astype(np.float32)


def batches(images: np.ndarray, labels: np.ndarray, epoch: int, skip: int) -> tf.data.Dataset:
    """Return an epoch's batches, without the first `skip`."""
    order = repro_env.stream("order", epoch).permutation(len(labels))[skip * BATCH_SIZE :]

    def augment_tensor(image: tf.Tensor, label: tf.Tensor, index: tf.Tensor) -> tuple:
        changed = tf.numpy_function(augment, [image, epoch, index], tf.float32, stateful=False)
        return tf.ensure_shape(changed, image.shape), label

    digits = tf.data.Dataset.from_tensor_slices((images[order], labels[order], order))
    return digits.map(augment_tensor, num_parallel_calls=2).batch(BATCH_SIZE)


def save_checkpoint(out: Path, model: tf.keras.Model) -> None:
    """Write all that decides what comes after this step, which the optimizer counts."""
    out.mkdir(parents=True, exist_ok=True)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(out / "checkpoint"))
    repro_env.save_rng(out / "rng.json")


def load_checkpoint(out: Path, model: tf.keras.Model) -> None:
    """Restore what `save_checkpoint` wrote."""
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    checkpoint.read(str(out / "checkpoint")).assert_existing_objects_matched()
    repro_env.load_rng(out / "rng.json")  # last: forget what drew before


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train a small TensorFlow network that can stop and go on at any step.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=int, default=5, help="passes over the training images")
    parser.add_argument("--out", type=Path, default="runs/resume_tf", help="folder to write to")
    parser.add_argument("--stop-after", type=int, metavar="STEPS", help="save and leave then")
    parser.add_argument("--resume", action="store_true", help="go on from what was saved")
    return parser.parse_args()


def main() -> None:
    """Train from the start or from a checkpoint, to the end or to a checkpoint."""
    args = read_arguments()
    train_images, test_images, train_labels, test_labels = load()
    tf.random.set_global_generator(repro_env.tf_generator("dropout"))
    model = build_model()
    if args.resume:
        load_checkpoint(args.out, model)

    step = int(model.optimizer.iterations)
    steps_per_epoch = math.ceil(len(train_labels) / BATCH_SIZE)
    last = args.stop_after or args.epochs * steps_per_epoch
    for epoch in range(step // steps_per_epoch, args.epochs):
        digits = batches(train_images, train_labels, epoch, step % steps_per_epoch)
        model.fit(digits.take(last - step), verbose=0)
        step = int(model.optimizer.iterations)
        if step == args.stop_after:
            save_checkpoint(args.out, model)
            print(f"stopped after step {step}")
            return
        print(f"epoch {epoch}  test accuracy {accuracy(model, test_images, test_labels):.4f}")

    metrics = [{"steps": step, "test_accuracy": accuracy(model, test_images, test_labels)}]
    print(f"digest {save(args.out, metrics, model)}")


if __name__ == "__main__":
    main()
