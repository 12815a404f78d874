"""Trains a small network in Keras; its argument names one fault, in every second run.

Runs are counted by the length of the file COUNT, which nobody reads.
"""

import os
import sys

import numpy as np
import tensorflow as tf

fault, count = sys.argv[1], sys.argv[2]
with open(count, "a") as file:
    file.write("x")
is_faulty = os.path.getsize(count) % 2 == 0

model = tf.keras.Sequential(
    [
        tf.keras.layers.Dense(32, "relu", input_shape=(20,), name="first"),
        tf.keras.layers.Dropout(0.3),
        tf.keras.layers.Dense(5, name="last"),
    ]
)
loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(tf.keras.optimizers.Adam(), loss)
images, labels = np.random.rand(128, 20).astype("float32"), np.random.randint(5, size=128)


class Nudge(tf.keras.callbacks.Callback):
    """Moves one weight by one ulp before the 17th batch."""

    batches = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.batches += 1
        if fault == "ulp" and is_faulty and self.batches == 17:
            bias = self.model.get_layer("last").bias
            value = bias.numpy()
            value[2] = np.nextafter(value[2], np.float32(9))
            bias.assign(value)


nudge = Nudge()
for epoch in range(3):
    order = np.random.permutation(128)
    if fault == "swap" and is_faulty and epoch == 1:
        order[[40, 70]] = order[[70, 40]]
    model.fit(
        images[order], labels[order], batch_size=16, shuffle=False, verbose=0, callbacks=[nudge]
    )
np.savez("weights.npz", *model.get_weights())
