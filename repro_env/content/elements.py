"""What the bits of one element say: its value, and how far it is from another one.

The distance of two floats in units in the last place (ulps) is the number of steps from one to
the other through all floats of their kind. The two zeros are one place, so they differ in their
bits and their distance is 0. An infinity is the step after the largest finite number. A NaN has
no place.

NumPy is imported when there is something to look at.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

LONGEST_TEXT = 256  # bytes
LETTERS = {"str": "U", "bytes": "S"}


class Kind(NamedTuple):
    """How the elements of a dtype are written.

    Args:
        parts: Numbers in one element: two in a complex one.
        part_bytes: Of each of these.
        letter: f for floats; i and u for whole numbers with and without a sign; b for truth; U and
            S for texts; V for what is not looked into.
        largest: Of floats: the bits of the largest magnitude that is no NaN.
        wide: Of floats: the float of NumPy that holds its values ...
        shift: ... with the magnitude's bits that far to the left ...
        scale: ... and multiplied by that, where the exponents count from elsewhere.
    """

    parts: int
    part_bytes: int
    letter: str
    largest: int = 0
    wide: str = ""
    shift: int = 0
    scale: int = 1


def _float(size: int, largest: int, *wide: Any, parts: int = 1) -> Kind:
    return Kind(parts, size, "f", largest, *(wide or [f"f{size}"]))


KINDS = {
    "bool": Kind(1, 1, "b"),
    **{f"int{8 * size}": Kind(1, size, "i") for size in (1, 2, 4, 8)},
    **{f"uint{8 * size}": Kind(1, size, "u") for size in (1, 2, 4, 8)},
    "float8_e4m3fn": _float(1, 0x7E, "f2", 7, 2**8),
    "float8_e5m2": _float(1, 0x7C, "f2", 8),
    "float16": _float(2, 0x7C00),
    "bfloat16": _float(2, 0x7F80, "f4", 16),
    "float32": _float(4, 0x7F80_0000),
    "float64": _float(8, 0x7FF0_0000_0000_0000),
    "float": _float(8, 0x7FF0_0000_0000_0000),  # Python's, as `formats` calls it
    "complex32": _float(2, 0x7C00, parts=2),
    "complex64": _float(4, 0x7F80_0000, parts=2),
    "complex128": _float(8, 0x7FF0_0000_0000_0000, parts=2),
}


OTHERS = re.compile(r"(str|bytes|void|float|complex)(\d+)")  # and their bits


def kind_of(dtype: str) -> Kind | None:
    """Return how the elements of a type are written; None of what has no elements.

    Args:
        dtype: As `formats.Part` has it. What is not known but by its size is bare bytes.
    """
    if dtype.startswith(("datetime64[", "timedelta64[")):
        return KINDS["int64"]
    if dtype.startswith("float8_"):
        return KINDS.get(dtype, Kind(1, 1, "V"))
    other = OTHERS.fullmatch(dtype)
    if dtype in KINDS or not other:
        return KINDS.get(dtype)
    return Kind(max(1, int(other[2]) // 8), 1, LETTERS.get(other[1], "V"))


def bits_of(block: bytes | bytearray, kind: Kind) -> Any:
    """Return the block's bits as whole numbers without a sign, one row an element."""
    import numpy

    return numpy.frombuffer(block, f"<u{kind.part_bytes}").reshape(-1, kind.parts)


def _sign_bit(kind: Kind) -> int:
    return 1 << (8 * kind.part_bytes - 1)


def is_nan(bits: Any, kind: Kind) -> Any:
    """Say of each float whether it is a NaN."""
    return (bits & bits.dtype.type(_sign_bit(kind) - 1)) > kind.largest


def ulps(mine: Any, theirs: Any, kind: Kind) -> Any:
    """Return the distances of floats in steps: below 2^64, whatever the floats."""
    import numpy

    sign = numpy.uint64(_sign_bit(kind))
    mine, theirs = mine.astype("u8"), theirs.astype("u8")
    one, other = mine & (sign - numpy.uint64(1)), theirs & (sign - numpy.uint64(1))
    between = numpy.maximum(one, other) - numpy.minimum(one, other)
    return numpy.where((mine ^ theirs) & sign, one + other, between)


def apart(mine: Any, theirs: Any, kind: Kind) -> float:
    """Return the largest difference of two floats, none of them a NaN."""
    import numpy

    with numpy.errstate(over="ignore"):
        one, other = (_floats(bits, kind).astype("f8") for bits in (mine, theirs))
        return float(abs(one - other).max())


def _floats(bits: Any, kind: Kind) -> Any:
    """Return the values, in a float of NumPy's that holds them all."""
    sign = bits.dtype.type(_sign_bit(kind))
    wide_bytes = int(kind.wide[1:])
    unsigned = f"u{wide_bytes}"
    magnitude = (bits & (sign - bits.dtype.type(1))).astype(unsigned) << kind.shift
    top = (bits & sign).astype(unsigned) << 8 * (wide_bytes - kind.part_bytes)
    values = (magnitude | top).view(kind.wide)
    return values if kind.scale == 1 else values * kind.scale  # what is no number can't be scaled


def whole_distance(mine: Any, theirs: Any, kind: Kind) -> int:
    """Return the largest difference of two whole numbers, exactly."""
    import numpy

    wide = f"{kind.letter}8"
    typed = f"{kind.letter}{kind.part_bytes}"
    mine, theirs = mine.view(typed).astype(wide), theirs.view(typed).astype(wide)
    low, high = numpy.minimum(mine, theirs), numpy.maximum(mine, theirs)
    return int((high.view("u8") - low.view("u8")).max())  # modulo 2^64, which it is below


def value(element: bytes, other: bytes, kind: Kind) -> str:
    """Return an element as text; with its bits where the other one has the same text."""
    if kind.letter == "V" or (kind.letter in "US" and len(element) > LONGEST_TEXT):
        return _start(element, other)
    text = _text(element, kind)
    return f"{text} (0x{element[::-1].hex()})" if text == _text(other, kind) else text


def _start(element: bytes, other: bytes) -> str:
    """Return up to 16 bytes, from the first that differs on."""
    at = next(at for at, (mine, theirs) in enumerate(zip(element, other)) if mine != theirs)
    before, after = "..." * (at > 0), "..." * (len(element) > at + 16)
    return f"0x{before}{element[at : at + 16].hex()}{after}"


def _text(element: bytes, kind: Kind) -> str:
    if kind.letter == "U":
        return repr(element.decode("utf-32-le", "backslashreplace").rstrip("\0"))
    if kind.letter == "S":
        return repr(element.rstrip(b"\0"))
    bits = bits_of(element, kind)[0]
    if kind.letter == "f":
        nan = is_nan(bits, kind)
        words = ["nan" if no else str(one) for no, one in zip(nan, _floats(bits, kind))]
    elif kind.letter == "b":
        words = [str(bool(bits[0]))]
    else:
        words = [str(bits.view(f"{kind.letter}{kind.part_bytes}")[0])]
    if kind.parts == 1:
        return words[0]
    return f"({words[0]}{'' if words[1].startswith('-') else '+'}{words[1]}j)"
