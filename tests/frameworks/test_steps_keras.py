"""In the image: what Keras trains is followed batch by batch, and stays what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_env import knobs
from tests.conftest import SEEDED, Run
from tests.frameworks.test_seeding import needs_tensorflow
from tests.steps_cases import Traced

pytestmark = needs_tensorflow
TRAIN = """
import hashlib, os, random
import numpy as np
import tensorflow as tf

layers = tf.keras.layers
x, y = np.random.rand(64, 20).astype("float32"), np.random.randint(0, 4, 64)
model = tf.keras.Sequential([
    layers.Dense(16, activation="relu", input_shape=(20,), name="first"),
    layers.BatchNormalization(name="norm"),
    layers.Dropout(0.3),
    layers.Dense(4, name="last"),
])
loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss, metrics=["accuracy"], run_eagerly={eagerly})

class Fault(tf.keras.callbacks.Callback):
    step = 0
    def on_train_batch_begin(self, batch, logs=None):
        self.step += 1
        {before}

{order}
{train}
weights = b"".join(one.tobytes() for one in model.get_weights())
print(hashlib.sha256(weights).hexdigest())
print(tf.random.uniform([]).numpy(), np.random.rand(), random.random())
print(layers.Dense(2)(tf.ones([1, 2])).numpy().tolist())
"""
FIT = "model.fit(x, y, epochs=3, batch_size=8, verbose=0, callbacks=[Fault()])"
ON_BATCH = """
for epoch in range(3):
    for start in range(0, 64, 8):
        model.train_on_batch(x[start:start + 8], y[start:start + 8])
"""
NUDGE = """if self.step == 17:
            kernel = model.get_layer("first").kernel
            value = kernel.numpy()
            value[2, 3] = np.nextafter(value[2, 3], np.float32(9))
            kernel.assign(value)"""


def train(train: str = FIT, before: str = "pass", order: str = "", eagerly: bool = False) -> str:
    return TRAIN.format(train=train, before=before, order=order, eagerly=eagerly)


PLAIN = train()


@pytest.fixture
def traced(run_file: Run, tmp_path: Path) -> Traced:
    return Traced(run_file, tmp_path, {**SEEDED, **knobs.image_variables()})


@pytest.mark.parametrize(
    ("code", "source"),
    [
        pytest.param(PLAIN, "fit", id="fit"),
        pytest.param(train(eagerly=True), "fit", id="fit, eagerly"),
        pytest.param(train(ON_BATCH), "train_on_batch", id="train_on_batch"),
    ],
)
def test_being_followed_changes_no_bit(traced: Traced, code: str, source: str) -> None:
    close = {"place": "", "source": source, "step": 5, "number": 0}

    plain = traced.plain(code)

    assert traced.printed(code, "steps") == plain
    assert traced.printed(code, "close", deep=close) == plain


def test_being_followed_changes_nothing_that_is_printed_or_kept(traced: Traced) -> None:
    code = train("history = model.fit(x, y, epochs=2, verbose=2)\nprint(history.history)")
    code += "\nprint([type(one).__name__ for one in tf.keras.callbacks.CallbackList()])"

    def without_times(text: str) -> list[str]:
        return [line for line in text.splitlines() if "step" not in line]

    assert without_times(traced.printed(code)) == without_times(traced.plain(code))


def test_the_stream_holds_each_batch_in_causal_order(traced: Traced) -> None:
    found = traced.main(PLAIN)

    assert [(one.source, one.step) for one in found.entries] == [("fit", k + 1) for k in range(24)]
    kinds = [name.partition(" ")[0] for name, _ in found.entries[0].columns]
    assert list(dict.fromkeys(kinds)) == ["generator", "buffer", "loss", "optimizer", "parameter"]
    names = dict(found.entries[0].columns)
    assert names["parameter first/kernel"] == "float32 [20, 16]"
    assert "loss (mean of the epoch so far)" in names
    assert "optimizer Adam/first/kernel/m" in names
    assert found.entries[0].loss is not None
    assert found.entries[0].values.keys() == {"accuracy"}


def test_two_equal_programs_leave_equal_streams(traced: Traced) -> None:
    assert traced.first(PLAIN, PLAIN) is None


def test_train_on_batch_is_followed_with_the_loss_of_each_batch(traced: Traced) -> None:
    found = traced.main(train(ON_BATCH))

    assert [one.source for one in found.entries] == ["train_on_batch"] * 24
    assert ("loss", "float") in found.entries[0].columns


def test_two_models_are_told_apart(traced: Traced) -> None:
    code = train(f"{FIT}\nother = tf.keras.models.clone_model(model)\n")
    code += 'other.compile("sgd", loss)\nother.fit(x, y, verbose=0)\n'

    found = traced.main(code)

    assert list(dict.fromkeys(one.source for one in found.entries)) == ["fit", "fit 2"]


def test_one_ulp_in_one_weight_is_found_at_its_step_and_tensor(traced: Traced) -> None:
    other = train(before=NUDGE)

    where = traced.first(PLAIN, other)

    assert where is not None
    assert where.step == 17
    found = traced.cause(PLAIN, other, where)
    assert "parameter first/kernel" in found.text
    assert "between step 16 and step 17" in found.text
    assert "1 of 320 elements differ, by up to 1 ulp" in found.details[0]


def test_a_swapped_pair_of_samples_in_epoch_2_is_found_at_its_step(traced: Traced) -> None:
    epochs = """
for epoch in (1, 2, 3):
    order = np.arange(64)
    {swap}
    model.fit(x[order], y[order], batch_size=8, shuffle=False, verbose=0)
"""
    plain = train(epochs.format(swap="pass"))
    other = train(epochs.format(swap="if epoch == 2: order[[3, 8]] = order[[8, 3]]"))

    where = traced.first(plain, other)

    assert where is not None
    assert where.step == 9
    assert "the batch, or what was drawn in it" in traced.cause(plain, other, where).text


def test_an_unseeded_dropout_is_found_at_its_step(traced: Traced) -> None:
    code = train().replace(
        "layers.Dropout(0.3)", "layers.Dropout(0.3, seed=int.from_bytes(os.urandom(3), 'big'))"
    )

    where = traced.first(code, code)

    assert where is not None
    assert where.step == 1
    assert traced.cause(code, code, where).text.startswith("the loss of step 1 differs")
