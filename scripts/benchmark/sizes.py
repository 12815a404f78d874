"""How large the images are, unpacked and compressed, beside what others publish of theirs."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.build import time_build
from benchmark.engine import output, unpacked_bytes
from benchmark.markdown import Report, table
from benchmark.published import PUBLISHED, Published
from benchmark.registry import serving
from benchmark.stack import Stack
from benchmark.steps import EXPORT, seconds_of

PYTHON_STAGE = "environment"
UNKNOWN = "not found"


def measure_sizes(stacks: Sequence[Stack]) -> Report:
    """Weigh each stack's image and time its build without cached layers."""
    head = ["image", "unpacked", "compressed", "build", "Python's packages", "export"]
    ours = table(head, *map(_row, stacks))
    others = table(["image", "unpacked", "compressed", "as of"], *map(_published_row, PUBLISHED))
    return Report(f"{ours.text}\n{others.text}", missed=False)


def compressed_bytes(image: str) -> int:
    """Return the size of an image's layers in a registry."""
    with serving() as registry:
        pushed = f"{registry.host}/{image}"
        output("docker", "tag", image, pushed)
        try:
            output("docker", "push", "--quiet", pushed)
        finally:
            output("docker", "image", "rm", pushed)
        return registry.layer_bytes()


def _row(stack: Stack) -> list[str]:
    took_s, steps = time_build(stack)
    seconds = (took_s, seconds_of(steps, PYTHON_STAGE), seconds_of(steps, EXPORT))
    sizes_bytes = (unpacked_bytes(stack.image), compressed_bytes(stack.image))
    return [
        f"`{stack.image}`",
        *(_gigabytes(size / 1e9) for size in sizes_bytes),
        *(f"{one:.0f} s" for one in seconds),
    ]


def _published_row(image: Published) -> list[str]:
    as_of = f"[{image.as_of}]({image.source})" if image.source else UNKNOWN
    return [
        f"`{image.name}`" + f" ({image.about})" * bool(image.about),
        _gigabytes(image.unpacked_gb),
        _gigabytes(image.compressed_gb),
        as_of,
    ]


def _gigabytes(size_gb: float | None) -> str:
    return UNKNOWN if size_gb is None else f"{size_gb:#.3g} GB"
