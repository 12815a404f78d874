"""Train a small PyTorch network on handwritten digits, bit for bit the same each time.

All that usually makes two runs differ is here: a random split, random weights, dropout, shuffling,
and augmentation in worker processes. No seed is written here: the environment sets it before the
first line runs. Run it twice and compare the digests.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset


def load() -> list[np.ndarray]:
    """Return training images, test images, training labels and test labels."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 1, 8, 8).astype(np.float32) / 16  # grey levels 0..16
    return train_test_split(images, labels, test_size=0.2, stratify=labels)


def augment(image: np.ndarray) -> np.ndarray:
    """Shift an image by up to one pixel and add noise.

    It runs in the workers: PyTorch gives NumPy in each of them, in each epoch, a seed of its own,
    drawn from the main process's generator.
    """
    top, left = np.random.randint(3, size=2)
    shifted = np.pad(image, ((0, 0), (1, 1), (1, 1)))[:, top : top + 8, left : left + 8]
    return shifted + np.random.normal(scale=0.05, size=shifted.shape).astype(np.float32)


class AugmentedDigits(Dataset):
    """Digits that look a little different each time they are read."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images = images  # (N, 1, 8, 8)
        self.labels = labels  # (N,)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int64]:
        return augment(self.images[index]), self.labels[index]


def build_model() -> nn.Sequential:
    """Return an untrained network: (B, 1, 8, 8) to (B, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * 4 * 4, 10),
    )


def train(model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> float:
    """Train for one epoch and return the mean loss of its batches."""
    model.train()
    losses = []
    for images, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images that the model gets right."""
    model.eval()
    guesses = model(torch.from_numpy(images)).argmax(dim=1)
    return float(np.mean(guesses.numpy() == labels))


def save(out: Path, metrics: list[dict], model: nn.Module) -> str:
    """Write metrics and weights; return what `cat metrics.json weights.npz | sha256sum` shows."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    # torch.save would write the file's own name into the file, and so into the digest.
    np.savez(out / "weights.npz", **{name: w.numpy() for name, w in model.state_dict().items()})
    written = [(out / name).read_bytes() for name in ("metrics.json", "weights.npz")]
    return hashlib.sha256(b"".join(written)).hexdigest()


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train a small PyTorch network on handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training images")
    parser.add_argument("--out", type=Path, default="runs/digits_torch", help="folder to write to")
    return parser.parse_args()


def main() -> None:
    """Train, report each epoch, and print the digest of what was written."""
    args = read_arguments()
    train_images, test_images, train_labels, test_labels = load()
    digits = AugmentedDigits(train_images, train_labels)
    loader = DataLoader(digits, batch_size=32, shuffle=True, num_workers=2)
    model = build_model()
    optimizer = torch.optim.Adam(model.parameters())

    metrics = []
    for epoch in range(1, args.epochs + 1):
        loss = train(model, loader, optimizer)
        score = accuracy(model, test_images, test_labels)
        metrics.append({"epoch": epoch, "loss": loss, "test_accuracy": score})
        print(f"epoch {epoch:2}  loss {loss:.4f}  test accuracy {score:.4f}")
    print(f"test accuracy {accuracy(model, test_images, test_labels):.4f}")
    print(f"digest {save(args.out, metrics, model)}")


if __name__ == "__main__":
    main()
