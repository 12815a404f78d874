"""Digests of the states of all global generators: of Python, NumPy, PyTorch, TensorFlow, Keras.

They are read where they lie, and draw nothing.
"""

from __future__ import annotations

import sys
from array import array
from contextlib import suppress
from typing import Any

from repro_env import seeding
from repro_env.trace.digests import Hash
from repro_env.trace.recorder import Entry


def add(entry: Entry, chosen: Hash) -> None:
    """Append a column for each generator of the libraries that are imported."""
    salt = chosen.salt("")
    for module in seeding.LIBRARIES:
        if module in sys.modules:
            with suppress(Exception):  # half imported, or another thing in its place
                for name, generator in seeding.library(module).generators().items():
                    entry.add(f"generator {name}", "", chosen.of(_state(generator), salt))


def _state(generator: Any) -> bytes:
    if hasattr(generator, "getstate"):  # Python's
        return _of_python(generator)
    if hasattr(generator, "_bit_generator"):  # NumPy's
        return b"".join(_flat(generator.get_state(legacy=False)))
    if hasattr(generator, "get_offset") or hasattr(generator, "initial_seed"):  # PyTorch's
        return _of_torch(generator)
    context = getattr(generator, "_context", None)
    if context is None:  # TensorFlow's global generator
        return repr(generator.state.numpy().tolist()).encode()
    draws = b"" if context._rng is None else _of_python(context._rng)
    return repr(context._seed).encode() + draws


def _of_python(generator: Any) -> bytes:
    version, words, gauss = generator.getstate()
    return array("I", words).tobytes() + repr((version, gauss)).encode()


def _of_torch(generator: Any) -> bytes:
    from ctypes import string_at

    state = generator.get_state()
    return string_at(state.data_ptr(), state.numel())


def _flat(state: Any) -> list[bytes]:
    if isinstance(state, dict):
        return [part for name in sorted(state) for part in _flat(state[name])]
    return [state.tobytes() if hasattr(state, "tobytes") else repr(state).encode()]
