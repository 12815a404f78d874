"""Stop a PyTorch training in the middle of an epoch, and go on in another process, bit for bit.

    python examples/resume_torch.py                      # trains in one go and prints a digest
    python examples/resume_torch.py --stop-after 100
    python examples/resume_torch.py --resume             # the same digest

What comes next depends on the weights, the optimizer's averages, the step, and what dropout is
about to draw from PyTorch's global generator: a checkpoint holds these four. Shuffling and
augmentation draw from streams that are named by epoch and image, so there is nothing to keep.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from digits_torch import accuracy, build_model, load, save
from torch import nn
from torch.utils.data import DataLoader, Dataset

import repro_env

BATCH_SIZE = 32


class AugmentedDigits(Dataset):
    """Digits that look a little different in each epoch."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, epoch: int) -> None:
        self.images = images  # (N, 1, 8, 8)
        self.labels = labels  # (N,)
        self.epoch = epoch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int64]:
        stream = repro_env.stream("augment", self.epoch, index)  # in whichever worker this runs
        noise = stream.normal(scale=0.05, size=(1, 8, 8)).astype(np.float32)
        return self.images[index] + noise, self.labels[index]


def batches(images: np.ndarray, labels: np.ndarray, epoch: int, skip: int) -> DataLoader:
    """Return an epoch's batches, without the first `skip`."""
    order = repro_env.stream("order", epoch).permutation(len(labels))
    return DataLoader(
        AugmentedDigits(images, labels, epoch),
        batch_size=BATCH_SIZE,
        sampler=order[skip * BATCH_SIZE :],
        num_workers=2,
        # Without it each loader, one more in a resumed run, draws from the generator of dropout.
        generator=repro_env.dataloader_generator(),
    )


def train_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor
) -> None:
    """Train on one batch."""
    model.train()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()


def save_checkpoint(
    out: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Write all that decides what comes after this step."""
    out.mkdir(parents=True, exist_ok=True)
    states = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(states, out / "checkpoint.pt")
    repro_env.save_rng(out / "rng.json")


def load_checkpoint(out: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Restore what `save_checkpoint` wrote, and return the steps done."""
    states = torch.load(out / "checkpoint.pt")
    model.load_state_dict(states["model"])
    optimizer.load_state_dict(states["optimizer"])
    repro_env.load_rng(out / "rng.json")  # last: forget what drew before
    return states["step"]


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train a small PyTorch network that can stop and go on at any step.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=int, default=5, help="passes over the training images")
    parser.add_argument("--out", type=Path, default="runs/resume_torch", help="folder to write to")
    parser.add_argument("--stop-after", type=int, metavar="STEPS", help="save and leave then")
    parser.add_argument("--resume", action="store_true", help="go on from what was saved")
    return parser.parse_args()


def main() -> None:
    """Train from the start or from a checkpoint, to the end or to a checkpoint."""
    args = read_arguments()
    train_images, test_images, train_labels, test_labels = load()
    model = build_model()
    optimizer = torch.optim.Adam(model.parameters())
    step = load_checkpoint(args.out, model, optimizer) if args.resume else 0

    steps_per_epoch = math.ceil(len(train_labels) / BATCH_SIZE)
    for epoch in range(step // steps_per_epoch, args.epochs):
        for images, labels in batches(train_images, train_labels, epoch, step % steps_per_epoch):
            train_step(model, optimizer, images, labels)
            step += 1
            if step == args.stop_after:
                save_checkpoint(args.out, model, optimizer, step)
                print(f"stopped after step {step}")
                return
        print(f"epoch {epoch}  test accuracy {accuracy(model, test_images, test_labels):.4f}")

    metrics = [{"steps": step, "test_accuracy": accuracy(model, test_images, test_labels)}]
    print(f"digest {save(args.out, metrics, model)}")


if __name__ == "__main__":
    main()
