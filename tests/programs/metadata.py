"""Saves weights with metadata, whose order is chance."""

import numpy
from safetensors.numpy import save_file

weights = {"weight": numpy.arange(6, dtype=numpy.float32)}
save_file(weights, "weights.safetensors", {f"key {n}": str(n) for n in range(12)})
