"""Eigen, inside of TensorFlow: it cuts its sums to the size of the CPU's caches.

It asks the CPU when it first computes, and keeps the answer in a variable of its own that nothing
sets from outside. Under the profile `portable` it gets the sizes that Eigen itself takes where a
CPU does not say them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from repro_env import loaded
from repro_env.errors import SettingError
from repro_env.loaded import UnreadableError

# Level 1, 2 and 3, in bytes. Source: https://gitlab.com/libeigen/eigen/-/blob/master/Eigen/src/Core/products/GeneralBlockPanelKernel.h
SIZES = (32 * 1024, 256 * 1024, 2 * 1024 * 1024)
LAYOUT = struct.Struct("<3q")
KERNELS = ("_pywrap_tensorflow_internal.", "libtensorflow_cc.")
OTHERS = ("libtensorflow_framework.",)
VARIABLE = "_ZZN5Eigen8internal20manage_caching_sizesENS_6ActionEPlS2_S2_E12m_cacheSizes"
IS_SET = VARIABLE.replace("_ZZ", "_ZGVZ", 1)  # C++ asks by it whether the variable has its value


def set_cache_sizes() -> None:
    """Give Eigen the profile's sizes instead of this CPU's, before it computes anything.

    Raises:
        SettingError: This TensorFlow does not say where it keeps them.
    """
    import ctypes

    for file in loaded.files(*OTHERS, *KERNELS):
        try:
            sizes = loaded.place(file, VARIABLE, LAYOUT.size)
            is_set = loaded.place(file, IS_SET, 1)
        except UnreadableError:
            continue
        ctypes.memmove(sizes, LAYOUT.pack(*SIZES), LAYOUT.size)
        ctypes.memmove(is_set, b"\1", 1)
    if set(_found(*KERNELS)) != {" ".join(map(str, SIZES))}:  # none, or one that was not reached
        raise SettingError(
            "this TensorFlow does not say where it keeps the sizes of caches by which it cuts its "
            "sums, so the profile portable can't be kept",
            hint="take TensorFlow 2.9.3, as the tf stack has it, or REPRO_PROFILE=repeatable",
        )


def cache_sizes() -> str:
    """Return the sizes that Eigen goes by, in bytes; where a library has others, those."""
    wanted = " ".join(map(str, SIZES))
    found = list(_found(*KERNELS, *OTHERS))
    if not found:
        raise UnreadableError("no library says what sizes its Eigen goes by")
    return next((text for text in found if text != wanted), wanted)


def _found(*kinds: str) -> Iterator[str]:
    for file in loaded.files(*kinds):
        try:
            yield " ".join(map(str, LAYOUT.unpack(loaded.static(file, VARIABLE, LAYOUT.size))))
        except UnreadableError:
            continue
