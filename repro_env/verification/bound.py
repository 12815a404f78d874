"""What a number of attempts that agree says, and does not say, about those never made. Pure."""

from __future__ import annotations

import math

CONFIDENCE = 0.95


def shown_rate(attempts: int) -> float:
    """Return the share of differing runs above which one would have shown, at `CONFIDENCE`.

    With a share of p, n attempts all agree with a probability of (1 - p)^n at most.

    Args:
        attempts: How many agree, 1 or more.

    Source:
        Clopper and Pearson (1934), one-sided, for no differing run among n
    """
    return 1.0 - math.pow(1.0 - CONFIDENCE, 1.0 / attempts)


def attempts_for(rate: float) -> int:
    """Return the smallest number of attempts whose `shown_rate` is no more than that.

    Args:
        rate: A share, above 0 and below 1.
    """
    count = math.ceil(math.log(1.0 - CONFIDENCE) / math.log1p(-rate))
    return count if shown_rate(count) <= rate else count + 1


def in_words(agreeing: int, attempts: int, rate: float | None) -> str:
    """Return the sentence that stands under a verdict.

    Args:
        agreeing: How many attempts agree with the reference.
        attempts: How many there were.
        rate: What `shown_rate` says; None where they don't all agree.
    """
    said = f"{agreeing} of {attempts} agree"
    if rate is None:
        return said
    share = rate * 100
    digits = 0 if share >= 10 else 1 if share >= 1 else 2
    return (
        f"{said}: a divergence in more than {share:.{digits}f} % of runs would have shown, "
        f"at {CONFIDENCE * 100:.0f} %"
    )
