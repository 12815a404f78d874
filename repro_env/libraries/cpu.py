"""Read back what libraries have made of the knobs of the profile `portable`.

Each function returns what is in effect in the words of the knob's values, or raises
`UnreadableError` with the reason; then the variable alone tells. Where several libraries heed a
knob and one of them is wrong, it returns that one's.

They are called as a process ends, not before: what a library has not read yet from its variable,
it would read then. They import nothing, and cost a few milliseconds; those that look for what a
library keeps for itself 10 to 20 ms for each library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from repro_env import loaded, profile
from repro_env.loaded import UnreadableError

AVX2 = ("AVX2", "FMA3", "X86_V3")  # what NumPy's loops of that width need, by its versions' names
OPENMP = ("libgomp", "libiomp", "libomp")
OPENBLAS = ("libopenblas", "libscipy_openblas", "libblas.")
# PyTorch's wheels have MKL in themselves; a distribution's PyTorch may load it.
MKL = ("libtorch_cpu.", "libmkl_rt.")
ONEDNN = ("libtorch_cpu.", "libdnnl.", "_pywrap_tensorflow_internal.", "libtensorflow_cc.")
TENSORFLOW = ("_pywrap_tensorflow_internal.", "libtensorflow_cc.", "libtensorflow_framework.")

# What `mkl_cbwr_get` returns. Source: MKL's header mkl_types.h
BRANCHES = {
    0: "OFF",
    1: "OFF",
    2: "AUTO",
    3: "COMPATIBLE",
    4: "SSE2",
    6: "SSSE3",
    7: "SSE4_1",
    8: "SSE4_2",
    9: "AVX",
    10: "AVX2",
    11: "AVX512_MIC",
    12: "AVX512",
    13: "AVX512_MIC_E1",
    14: "AVX512_E1",
}
BRANCH = 1  # which of its settings is asked for

# Where MKL keeps which code its vector functions take, in several versions; below 0 until they do.
FUNCTIONS = ("mkl_vml_serv_cpu_detect.vml_cpu_type", "vml_cpu_type.369.0.2")

# oneDNN's `cpu_isa_t`: a bit for each set of instructions, and more of them since 3.x.
# Source: https://github.com/uxlfoundation/oneDNN/blob/main/src/cpu/x64/cpu_isa_traits.hpp
INSTRUCTIONS = {
    0x1: "SSE41",
    0x3: "AVX",
    0x7: "AVX2",
    0x47: "AVX512_CORE",
    0x10: "SSE41",
    0x30: "AVX",
    0x230: "AVX2",
    0x370: "AVX512_CORE",
    0x7FFFFFFF: "DEFAULT",
}
ISA = "_ZZN4dnnl4impl3cpu3x6412_GLOBAL__N_111max_cpu_isaEvE19max_cpu_isa_setting"
BEGUN = 2  # oneDNN has asked for it, so that it stays

# Where TensorFlow keeps what it took from its variables when its pools began, and whether it did.
POOLS = {
    "TF_NUM_INTRAOP_THREADS": "ZN10tensorflow11LocalDevice19EigenThreadPoolInfoC4ERKNS_14Session"
    "OptionsEiPNS_9AllocatorEE15env_num_threads",
    "TF_NUM_INTEROP_THREADS": "ZN10tensorflow12_GLOBAL__N_123GetEnvNumInterOpThreadsEvE15env_num_"
    "threads",
}


def openmp_threads() -> str:
    """Return how many threads OpenMP shares a loop among."""
    return _called("OMP_NUM_THREADS", OPENMP, "omp_get_max_threads")


def openmp_dynamic() -> str:
    """Return whether OpenMP may take fewer threads."""
    return _called("OMP_DYNAMIC", OPENMP, "omp_get_dynamic", words=("FALSE", "TRUE"))


def openblas_threads() -> str:
    """Return how many threads OpenBLAS shares a product among."""
    return _called("OPENBLAS_NUM_THREADS", OPENBLAS, *_in_openblas("get_num_threads"))


def openblas_kernels() -> str:
    """Return the CPU that OpenBLAS has its kernels for."""
    import ctypes

    found = []
    for file in loaded.files(*OPENBLAS):
        ask = loaded.function(file, *_in_openblas("get_corename"))
        if ask is not None:
            ask.restype = ctypes.c_char_p
            found.append(ask().decode())
    return _worst("OPENBLAS_CORETYPE", found, "no OpenBLAS that says its kernels is loaded")


def _in_openblas(name: str) -> list[str]:
    """Return the names that a function of OpenBLAS may have: SciPy's and NumPy's have others."""
    return [f"{a}openblas_{name}{z}" for a in ("", "scipy_") for z in ("", "64_", "_64_")]


def numpy_features() -> str:
    """Return the profile's own text where NumPy has none of its features; else which it has.

    Only what NumPy has loops for counts: 1.23 and 2.4 have other names for them.
    """
    names = ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath")
    module: Any = next((sys.modules[name] for name in names if name in sys.modules), None)
    if module is None:
        raise UnreadableError("this NumPy says nothing of its features")
    text = _wanted("NPY_DISABLE_CPU_FEATURES")
    has = {name: module.__cpu_features__.get(name) for name in module.__cpu_dispatch__}
    enabled = [name for name in text.split() if has.get(name)]
    missing = [name for name in AVX2 if not has.get(name, True)]  # a CPU, or an emulator, without
    if enabled or missing:
        return f"{' '.join(enabled) or 'none'} enabled, {' '.join(missing) or 'none'} missing"
    return text


def mkl_threads() -> str:
    """Return how many threads MKL shares a product among."""
    return _called("MKL_NUM_THREADS", MKL, "mkl_serv_get_max_threads", "MKL_Get_Max_Threads")


def mkl_dynamic() -> str:
    """Return whether MKL may take fewer threads."""
    names = "mkl_serv_get_dynamic", "MKL_Get_Dynamic"
    return _called("MKL_DYNAMIC", MKL, *names, words=("FALSE", "TRUE"))


def mkl_branch() -> str:
    """Return the branch of MKL's code: AUTO and OFF go by the CPU."""
    names = "mkl_serv_cbwr_get", "MKL_CBWR_Get"
    numbers = _call(MKL, names, BRANCH)
    found = [BRANCHES.get(number, f"branch {number}") for number in numbers]
    return _worst("MKL_CBWR", found, "no MKL that says its branch is loaded")


def mkl_functions() -> str:
    """Return which code MKL's vector functions take."""
    found, unreadable = [], UnreadableError("MKL has computed no vector function")
    for file in loaded.files(*MKL):
        for name in FUNCTIONS:
            try:
                number = int.from_bytes(loaded.static(file, name, 4), "little", signed=True)
            except UnreadableError as error:
                unreadable = error
                continue
            if number < 0:
                raise UnreadableError("MKL has computed no vector function")
            found.append(str(number))
    return _worst("MKL_VML_DEBUG_CPU_TYPE", found, str(unreadable))


def onednn_instructions() -> str:
    """Return the most that oneDNN takes of the CPU's instructions: PyTorch's and TensorFlow's.

    No function says it: PyTorch and TensorFlow keep those of oneDNN to themselves.
    """
    found, unreadable = [], UnreadableError("oneDNN has not computed anything")
    for file in loaded.files(*ONEDNN):
        try:
            setting = loaded.static(file, ISA, 8)
        except UnreadableError as error:
            unreadable = error
            continue
        value, state = (int.from_bytes(setting[at : at + 4], "little") for at in (0, 4))
        if state == BEGUN:
            found.append(INSTRUCTIONS.get(value, f"instructions {value:#x}"))
    return _worst("ONEDNN_MAX_CPU_ISA", found, str(unreadable))


def tensorflow_intraop_threads() -> str:
    """Return how many threads TensorFlow shares an operation among."""
    return _pool("TF_NUM_INTRAOP_THREADS", "_intra_op_parallelism_threads")


def tensorflow_interop_threads() -> str:
    """Return how many operations TensorFlow runs side by side."""
    return _pool("TF_NUM_INTEROP_THREADS", "_inter_op_parallelism_threads")


def _pool(variable: str, attribute: str) -> str:
    """Return the size of one of TensorFlow's pools: a call's number, or its variable's."""
    module = sys.modules.get("tensorflow.python.eager.context")
    called: int | None = getattr(getattr(module, "_context", None), attribute, None)
    if called:
        return str(called)
    unreadable = UnreadableError("TensorFlow has not computed anything")
    for file in loaded.files(*TENSORFLOW):
        try:
            has_begun = loaded.static(file, f"_ZGV{POOLS[variable]}", 1) != b"\0"
            number = int.from_bytes(loaded.static(file, f"_Z{POOLS[variable]}", 4), "little")
        except UnreadableError as error:
            unreadable = error
            continue
        if has_begun:
            return str(number or len(os.sched_getaffinity(0)))
    raise unreadable


def _called(variable: str, kinds: tuple[str, ...], *names: str, words: tuple[str, ...] = ()) -> str:
    """Return what a function of the loaded libraries of these kinds says."""
    numbers = _call(kinds, names)
    found = [words[bool(number)] if words else str(number) for number in numbers]
    return _worst(variable, found, f"no library is loaded that has {names[0]}")


def _call(kinds: tuple[str, ...], names: Iterable[str], *arguments: int) -> list[int]:
    asked = (loaded.function(file, *names) for file in loaded.files(*kinds))
    return [ask(*arguments) for ask in asked if ask is not None]


def _worst(variable: str, found: list[str], reason: str) -> str:
    """Return what is not as the profile wants it; where all is, what all have."""
    if not found:
        raise UnreadableError(reason)
    wanted = _wanted(variable)
    return next((one for one in found if one != wanted), wanted)


def _wanted(variable: str) -> str:
    return profile.variables(profile.threads)[variable]
