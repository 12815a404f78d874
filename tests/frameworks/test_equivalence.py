"""In the image: a training under the hook ends in the weights that the frameworks' recipes give."""

from __future__ import annotations

import pytest

from tests.conftest import Run
from tests.frameworks.test_seeding import IN_IMAGE, needs_tensorflow

TORCH = """
import hashlib, random
import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

class Noisy(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        image = numpy.full((1, 8, 8), index / 64, "float32") + numpy.random.rand(1, 8, 8)
        return torch.from_numpy(image.astype("float32")) + torch.rand(1, 8, 8), index % 4

if __name__ == "__main__":
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout())
    model = nn.Sequential(body, nn.Linear(144, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=random.uniform(0.001, 0.01))
    for epoch in range(2):
        for images, labels in DataLoader(Noisy(), batch_size=16, shuffle=True, num_workers=2):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    weights = b"".join(weights.numpy().tobytes() for weights in model.state_dict().values())
    print(hashlib.sha256(weights).hexdigest())
"""
TORCH_RECIPE = """
import random, numpy, torch
random.seed(42)
numpy.random.seed(42)
torch.manual_seed(42)
torch.use_deterministic_algorithms(True)
"""
TENSORFLOW = """
import hashlib, random
import numpy
import tensorflow as tf

images = numpy.random.rand(64, 8, 8, 1).astype("float32")
labels = numpy.random.randint(4, size=64)
model = tf.keras.Sequential([
    tf.keras.layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
    tf.keras.layers.Flatten(),
    tf.keras.layers.Dropout(0.5),
    tf.keras.layers.Dense(4),
])
loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(tf.keras.optimizers.Adam(random.uniform(0.001, 0.01)), loss)
digits = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(64)
digits = digits.map(lambda image, label: (image + tf.random.uniform([8, 8, 1]), label))
model.fit(digits.batch(16), epochs=2, verbose=0)
weights = b"".join(weights.tobytes() for weights in model.get_weights())
print(hashlib.sha256(weights).hexdigest())
"""
TENSORFLOW_RECIPE = """
import tensorflow
tensorflow.keras.utils.set_random_seed(42)
tensorflow.config.experimental.enable_op_determinism()
"""


@pytest.mark.parametrize(
    ("training", "recipe"),
    [
        pytest.param(TORCH, TORCH_RECIPE, id="torch"),
        pytest.param(TENSORFLOW, TENSORFLOW_RECIPE, id="tensorflow", marks=needs_tensorflow),
    ],
)
def test_a_training_under_the_hook_ends_in_the_weights_of_the_recipes(
    run_file: Run, training: str, recipe: str
) -> None:
    plain = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}

    hooked = run_file(training, env=IN_IMAGE)
    by_recipe = run_file(recipe + training, env=plain)
    unseeded = run_file(training, env=plain)

    assert hooked.returncode == by_recipe.returncode == 0, hooked.stderr + by_recipe.stderr
    assert hooked.stdout == by_recipe.stdout
    assert len({hooked.stdout, unseeded.stdout}) == 2
