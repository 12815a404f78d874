"""What this package raises on purpose."""

from __future__ import annotations

from benchmark.errors import BenchmarkError


class PortabilityError(BenchmarkError):
    """A question that can't be asked: the message says why, the hint names one action."""
