"""A training on the CPU, in PyTorch, of some 0.8 M parameters: what it costs to be followed.

With a number it takes that many steps, as a program of a user's would, and saves the weights.
Without one it takes steps on demand: for each number that it reads it prints the seconds they took.
"""

from __future__ import annotations

import sys
import time

import torch
from torch import nn

BATCH = 26
SAMPLES = 2000


class Training:
    """A network of convolutions with dropout, trained by Adam on what it has drawn."""

    def __init__(self) -> None:
        self.images = torch.randn(SAMPLES, 1, 28, 28)
        self.labels = torch.randint(10, (SAMPLES,))
        self.network = nn.Sequential(
            nn.Conv2d(1, 16, 3),  # (B, 16, 26, 26)
            nn.ReLU(),
            nn.Conv2d(16, 32, 3),  # (B, 32, 24, 24)
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Flatten(),
            nn.Linear(32 * 12 * 12, 170),
            nn.ReLU(),
            nn.Linear(170, 10),
        )
        self.optimizer = torch.optim.Adam(self.network.parameters())

    def step(self) -> None:
        """Train on one batch."""
        batch = torch.randint(SAMPLES, (BATCH,))
        self.optimizer.zero_grad()
        outputs = self.network(self.images[batch])
        loss = nn.functional.cross_entropy(outputs, self.labels[batch])
        loss.backward()
        self.optimizer.step()

    def seconds(self, steps: int) -> float:
        """Return how long one step took, in the mean over this many."""
        began = time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - began) / steps


def main(arguments: list[str]) -> None:
    """Train as long as asked, or whenever asked."""
    training = Training()
    if arguments:
        training.seconds(int(arguments[0]))
        torch.save(training.network.state_dict(), "weights.pt")
        return
    for line in sys.stdin:
        print(training.seconds(int(line)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
