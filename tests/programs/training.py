"""Trains a small network in PyTorch; its argument names one fault, in every second run.

Runs are counted by the length of the file COUNT, which nobody reads.
"""

import os
import sys

import numpy as np
import torch
from torch import nn

fault, count = sys.argv[1], sys.argv[2]
with open(count, "a") as file:
    file.write("x")
is_faulty = os.path.getsize(count) % 2 == 0


class Unseeded(nn.Module):
    """Dropout that draws from a generator of its own, which the system seeds."""

    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()
        self.generator.seed()

    def forward(self, x):
        return x * (torch.rand(x.shape, generator=self.generator) > 0.3)


def nudge(parameter):
    with torch.no_grad():
        first = parameter.view(-1)[:1]
        first.copy_(torch.nextafter(first, torch.tensor(9.0)))


dropout = Unseeded() if fault == "dropout" else nn.Dropout(0.3)
net = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), dropout, nn.Linear(32, 5))
optimizer = torch.optim.Adam(net.parameters())
images, labels = torch.randn(128, 20), torch.randint(5, (128,))
step = 0
for epoch in range(3):
    order = torch.randperm(128)
    if fault == "swap" and is_faulty and epoch == 1:
        order[[40, 70]] = order[[70, 40]]
    for batch in order.split(16):
        step += 1
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images[batch]), labels[batch])
        loss.backward()
        if fault == "ulp" and is_faulty and step == 17:
            nudge(net[3].bias)
        optimizer.step()
        if fault == "ulp between" and is_faulty and step == 17:
            nudge(net[0].weight)
np.savez("weights.npz", **{name: one.numpy() for name, one in net.state_dict().items()})
