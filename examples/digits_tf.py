"""Train a small TensorFlow network on handwritten digits, bit for bit the same each time.

All that usually makes two runs differ is here: a random split, random weights, dropout, shuffling,
and augmentation in parallel threads. No seed is written here: the environment sets it before the
first line runs. Run it twice and compare the digests.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow reads it when imported

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def load() -> list[np.ndarray]:
    """Return training images, test images, training labels and test labels."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype(np.float32) / 16  # grey levels 0..16
    return train_test_split(images, labels, test_size=0.2, stratify=labels)


def augment(image: np.ndarray, stream: int) -> np.ndarray:
    """Shift an image by up to one pixel and add noise, both decided by `stream` alone."""
    generator = np.random.default_rng(stream)
    top, left = generator.integers(3, size=2)
    shifted = np.pad(image, ((1, 1), (1, 1), (0, 0)))[top : top + 8, left : left + 8]
    return shifted + generator.normal(scale=0.05, size=shifted.shape).astype(np.float32)


def augment_tensor(image: tf.Tensor, label: tf.Tensor, stream: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Call `augment` from TensorFlow, which forgets the shape on the way."""
    # Stateless lets calls overlap: in deterministic mode TensorFlow runs stateful ones in turn.
    changed = tf.numpy_function(augment, [image, stream], tf.float32, stateful=False)
    return tf.ensure_shape(changed, image.shape), label


def batches(images: np.ndarray, labels: np.ndarray) -> tf.data.Dataset:
    """Return one epoch of shuffled, augmented batches.

    Threads that share a generator draw from it in the order they happen to arrive. So the main
    thread draws one number for each image here, and each image gets a generator of its own.
    """
    streams = np.random.randint(2**32, size=len(labels))
    digits = tf.data.Dataset.from_tensor_slices((images, labels, streams))
    return digits.shuffle(len(labels)).map(augment_tensor, num_parallel_calls=2).batch(32)


def build_model() -> tf.keras.Model:
    """Return an untrained network: (B, 8, 8, 1) to (B, 10)."""
    model = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 1)),
            tf.keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            tf.keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            tf.keras.layers.MaxPool2D(),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dropout(0.3),
            tf.keras.layers.Dense(10),
        ]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(), loss, metrics=["accuracy"])
    return model


def train(model: tf.keras.Model, digits: tf.data.Dataset) -> float:
    """Train for one epoch and return the mean loss."""
    return model.fit(digits, verbose=0).history["loss"][0]


def accuracy(model: tf.keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images that the model gets right."""
    return model.evaluate(images, labels, verbose=0)[1]


def save(out: Path, metrics: list[dict], model: tf.keras.Model) -> str:
    """Write metrics and weights; return what `cat metrics.json weights.npz | sha256sum` shows."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    np.savez(out / "weights.npz", **{w.name: w.numpy() for w in model.weights})
    written = [(out / name).read_bytes() for name in ("metrics.json", "weights.npz")]
    return hashlib.sha256(b"".join(written)).hexdigest()


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train a small TensorFlow network on handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=int, default=20, help="passes over the training images")
    parser.add_argument("--out", type=Path, default="runs/digits_tf", help="folder to write to")
    return parser.parse_args()


def main() -> None:
    """Train, report each epoch, and print the digest of what was written."""
    args = read_arguments()
    train_images, test_images, train_labels, test_labels = load()
    model = build_model()

    metrics = []
    for epoch in range(1, args.epochs + 1):
        loss = train(model, batches(train_images, train_labels))
        score = accuracy(model, test_images, test_labels)
        metrics.append({"epoch": epoch, "loss": loss, "test_accuracy": score})
        print(f"epoch {epoch:2}  loss {loss:.4f}  test accuracy {score:.4f}")
    print(f"test accuracy {accuracy(model, test_images, test_labels):.4f}")
    print(f"digest {save(args.out, metrics, model)}")


if __name__ == "__main__":
    main()
