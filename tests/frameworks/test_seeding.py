"""In the image: user code draws what the frameworks' own recipes give."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from repro_env import knobs
from tests.conftest import SEEDED, Run

IN_IMAGE = {**SEEDED, **knobs.image_variables()}
IMPORTS = ["random", "numpy", "torch"]
HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(not HAS_TENSORFLOW, reason="this stack has no TensorFlow")
needs_compiler = pytest.mark.skipif(
    HAS_TENSORFLOW,
    reason="torch 2.0's compiler has no such mode; the image no C++ compiler",
)

RECIPE = """
import random, numpy, torch
random.seed({seed})
numpy.random.seed({seed})
torch.manual_seed({seed})
torch.use_deterministic_algorithms(True)
"""
DRAW = """
import json
def draw():
    return {
        "random": [random.random() for _ in range(3)],
        "numpy": numpy.random.rand(3).tolist(),
        "torch": torch.rand(3).tolist(),
        "torch layer": torch.nn.Linear(3, 2).weight.tolist(),
        "torch order": [n.item() for n in torch.utils.data.DataLoader(range(9), shuffle=True)],
    }
"""
if HAS_TENSORFLOW:
    IMPORTS.append("tensorflow")
    RECIPE += """
import tensorflow
tensorflow.keras.utils.set_random_seed({seed})  # random, NumPy, TensorFlow and Keras's own
tensorflow.config.experimental.enable_op_determinism()
"""
    DRAW += """
draw_others = draw
def draw():
    model = tensorflow.keras.Sequential([
        tensorflow.keras.layers.Dense(3, input_shape=(4,)),
        tensorflow.keras.layers.Dropout(0.5),
        tensorflow.keras.layers.Dense(2),
    ])
    return {
        **draw_others(),
        "tensorflow": tensorflow.random.uniform([3]).numpy().tolist(),
        "keras weights": [weights.tolist() for weights in model.get_weights()],
        "keras dropout": model(tensorflow.ones([2, 4]), training=True).numpy().tolist(),
    }
"""
DRAW += "print(json.dumps(draw()))\n"
ORDERS = [[*IMPORTS[turn:], *IMPORTS[:turn]] for turn in range(len(IMPORTS))] + [IMPORTS[::-1]]


def drawn(run: Run, code: str, env: dict[str, str]) -> dict[str, Any]:
    result = run(code, env=env)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.fixture(scope="module")
def recipes() -> dict[int, dict[str, Any]]:
    return {}


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_each_order_of_imports_draws_what_the_recipe_draws(
    run: Run, recipes: dict[int, dict[str, Any]], order: list[str]
) -> None:
    if 42 not in recipes:
        recipes[42] = drawn(run, RECIPE.format(seed=42) + DRAW, env={})

    assert drawn(run, f"import {', '.join(order)}\n" + DRAW, IN_IMAGE) == recipes[42]


def test_another_seed_draws_what_its_recipe_draws_and_nothing_the_same(run: Run) -> None:
    imports = f"import {', '.join(IMPORTS)}\n"

    seven = drawn(run, imports + DRAW, {**IN_IMAGE, "REPRO_SEED": "7"})

    assert seven == drawn(run, RECIPE.format(seed=7) + DRAW, env={})
    other = drawn(run, imports + DRAW, IN_IMAGE)
    assert [name for name in seven if seven[name] == other[name]] == []


def test_disabled_nothing_repeats_and_tensorflow_still_works(run: Run) -> None:
    env = {**IN_IMAGE, "REPRO_DISABLE": "1"}
    imports = f"import {', '.join(IMPORTS)}\n"

    first, second = drawn(run, imports + DRAW, env), drawn(run, imports + DRAW, env)

    assert [name for name in first if first[name] == second[name]] == []


@pytest.mark.parametrize("library", ["torch", pytest.param("tensorflow", marks=needs_tensorflow)])
def test_importing_a_framework_late_does_not_rewind_what_is_seeded_already(
    run: Run, library: str
) -> None:
    code = f"""
import json, random, numpy
random.random(), numpy.random.rand()
import {library}
print(json.dumps([random.random(), numpy.random.rand()]))
"""
    alone = """
import json, random, numpy
random.seed(42), numpy.random.seed(42)
random.random(), numpy.random.rand()
print(json.dumps([random.random(), numpy.random.rand()]))
"""

    assert run(code, env=IN_IMAGE).stdout == run(alone, env={}).stdout


def test_torch_is_in_its_deterministic_mode(run: Run) -> None:
    code = """
import torch
print(torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic,
      torch.backends.cudnn.benchmark)
"""

    assert run(code, env=IN_IMAGE).stdout == "True True False\n"
    assert run(code, env=SEEDED).stdout == "True True False\n"
    assert run(code, env={}).stdout == "False False False\n"


@needs_compiler
@pytest.mark.parametrize("env", [IN_IMAGE, SEEDED], ids=["with its variable", "without"])
def test_the_compiler_of_torch_is_in_its_deterministic_mode(run: Run, env: dict[str, str]) -> None:
    code = "import torch; from torch._inductor import config; print(config.deterministic)"

    assert run(code, env=env).stdout == "True\n"
    assert run(code, env={}).stdout == "False\n"


@needs_compiler
def test_importing_torch_does_not_import_its_compiler(run: Run) -> None:
    code = "import sys, torch; print('torch._inductor.config' in sys.modules)"

    assert run(code, env=IN_IMAGE).stdout == "False\n"


@needs_compiler
def test_a_compiled_function_gives_the_same_bits_in_two_processes(run: Run) -> None:
    code = """
import torch
@torch.compile
def f(x): return torch.nn.functional.gelu(x @ x.T).sum(0)
print(f(torch.randn(64, 64)).numpy().tobytes().hex())
"""

    first, second = run(code, env=IN_IMAGE), run(code, env=IN_IMAGE)

    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout != ""


@needs_tensorflow
def test_tensorflow_is_in_its_deterministic_mode(run: Run) -> None:
    code = """
import tensorflow
from tensorflow.python.framework import config
print(config.is_op_determinism_enabled())
"""

    assert run(code, env=IN_IMAGE).stdout == "True\n"
    assert run(code, env=SEEDED).stdout == "True\n"
    assert run(code, env={}).stdout == "False\n"


@needs_tensorflow
def test_a_users_no_to_tensorflows_determinism_is_kept(run: Run) -> None:
    code = """
import tensorflow
from tensorflow.python.framework import config
print(config.is_op_determinism_enabled())
"""

    assert run(code, env={**IN_IMAGE, "TF_DETERMINISTIC_OPS": "0"}).stdout == "False\n"


@needs_tensorflow
def test_seeding_starts_no_device_and_no_thread_pool(run: Run) -> None:
    code = """
import tensorflow
tensorflow.config.threading.set_intra_op_parallelism_threads(1)  # raises once the context has begun
from tensorflow.python.eager import context
print(context.context()._initialized)
"""

    assert run(code, env=IN_IMAGE).stdout == "False\n"


def test_numpy_alone_imports_no_framework(run: Run) -> None:
    code = "import sys, numpy; print(sys.modules.keys() & {'torch', 'tensorflow', 'keras'})"

    assert run(code, env=IN_IMAGE).stdout == "set()\n"


@needs_tensorflow
def test_an_illegal_word_stops_before_tensorflow_could_abort(run: Run) -> None:
    result = run("import tensorflow", env={**IN_IMAGE, "TF_DETERMINISTIC_OPS": "yes"})

    assert result.returncode == 2
    assert "TF_DETERMINISTIC_OPS='yes' is not one of 1, true, 0, false" in result.stderr
