"""Images: what is seen of each frame, to the bit; neither how it is packed, nor what is said of it.

Besides the pixels: palette, transparency, colour profile, gamma, orientation, and how long a frame
is shown. Left out: all other metadata, such as times, software, comments, place and resolution.

Kinds of files that Pillow reads with a loss, or by other programs, are refused: only PNG, JPEG,
GIF, BMP and WebP are read, and no PNG with 16 bits a colour.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from repro_env.formats import Part, UnreadableError, library
from repro_env.formats.limits import Budget

KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
DTYPES = {"I": "int32", "F": "float32", "I;16": "uint16"}  # else a byte for each band
SEEN = (
    "background", "chromaticity", "duration", "gamma", "icc_profile", "loop", "srgb",
    "transparency",
)  # fmt: skip
ORIENTATION = 0x0112  # in EXIF

T = TypeVar("T")


def read(path: Path) -> Iterator[Part]:
    """Yield the frames."""
    with path.open("rb") as file:
        image, frames = _strictly(partial(_open, file, Budget(path)))
        for number in range(frames):
            yield from _strictly(partial(_frame, image, number))


def _pillow() -> Any:
    try:
        return library("PIL.Image")
    except (UnreadableError, ModuleNotFoundError):
        raise UnreadableError("Pillow is not installed here") from None


def _strictly(look: Callable[[], T]) -> T:
    """Raise what Pillow only warns of: bombs, damaged metadata."""
    pillow = _pillow()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return look()
        except (pillow.DecompressionBombWarning, pillow.DecompressionBombError) as error:
            raise UnreadableError(str(error)) from None
        except pillow.UnidentifiedImageError:
            raise UnreadableError(f"it is none of {', '.join(KINDS)}, or is damaged") from None


def _open(file: BinaryIO, budget: Budget) -> tuple[Any, int]:
    image = _pillow().open(file, formats=KINDS)
    frames = getattr(image, "n_frames", 1)
    budget.spend(4 * image.width * image.height * frames)
    return image, frames


def _frame(image: Any, number: int) -> list[Part]:
    image.seek(number)
    if ";16" in str(image.tile) and not image.mode.startswith("I"):
        raise UnreadableError("it has 16 bits a colour, and Pillow reads 8 of them")
    image.load()
    bands = len(image.getbands())
    shape = (image.height, image.width, bands)[: 2 + (bands > 1)]
    plain = image.convert("L") if image.mode == "1" else image  # a byte for each pixel
    parts = [
        Part(f"{number}/mode", "text", (), [image.mode.encode()]),
        Part(f"{number}/pixels", DTYPES.get(image.mode, "uint8"), shape, [plain.tobytes()]),
    ]
    seen = {name: image.info[name] for name in SEEN if name in image.info}
    if image.mode in ("P", "PA"):
        seen["palette"] = bytes(image.getpalette("RGBA"))
    if ORIENTATION in image.getexif():
        seen["orientation"] = image.getexif()[ORIENTATION]
    for name, value in seen.items():
        is_bytes = isinstance(value, bytes)
        data = value if is_bytes else repr(value).encode()
        parts.append(Part(f"{number}/{name}", "bytes" if is_bytes else "text", (), [data]))
    return parts
