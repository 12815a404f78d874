"""What two files, folders or runs are to each other."""

from __future__ import annotations

from typing import Final, Literal

IDENTICAL_BYTES: Final = "identical bytes"
IDENTICAL_CONTENT: Final = "identical content"
DIFFERENT: Final = "different"

Verdict = Literal["identical bytes", "identical content", "different"]
