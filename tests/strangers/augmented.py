"""What a user's script does with albumentations, for fresh processes to import."""

from __future__ import annotations

import hashlib
from typing import Any

import albumentations  # type: ignore[import-not-found]  # only the image for these tests has it
import numpy

PICTURE = numpy.arange(32 * 32 * 3, dtype=numpy.uint8).reshape(32, 32, 3)


def pipeline(seed: int | None = None) -> Any:
    """Return transforms that draw whether, where, and by how much."""
    return albumentations.Compose(
        [
            albumentations.RandomCrop(16, 16),
            albumentations.RandomBrightnessContrast(p=0.7),
            albumentations.GaussNoise(p=1),
        ],
        seed=seed,
    )


def pictures(transform: Any, count: int = 8) -> list[str]:
    """Return augmented pictures, each as a digest."""
    made = (transform(image=PICTURE)["image"] for _ in range(count))
    return [hashlib.sha256(numpy.ascontiguousarray(picture)).hexdigest() for picture in made]


class Augmented:
    """A data set of one picture, augmented."""

    def __init__(self) -> None:
        self.transform = pipeline()

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> str:
        return pictures(self.transform, 1)[0]


def epochs(start: str) -> list[list[str]]:
    """Return the pictures of two epochs, made by two workers that are started in this way."""
    from torch.utils.data import DataLoader

    loader = DataLoader(Augmented(), batch_size=None, num_workers=2, multiprocessing_context=start)
    return [list(loader) for _ in range(2)]
