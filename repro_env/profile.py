"""Set the knobs of the profile `portable` in this process, before any library can read them.

On the path of a start only where somebody asked for that profile.
"""

import os
import sys

from repro_env.errors import SettingError
from repro_env.imports import Follower
from repro_env.portable import VALUES

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.machinery import ModuleSpec
    from types import ModuleType

READERS = ("numpy", "torch", "tensorflow")
# Bits of `__cpu_model`'s features. Source: GCC's gcc/common/config/i386/i386-cpuinfo.h
AVX2, FMA = 10, 14
FEATURES_AT = 12  # bytes, after three whole numbers

threads = 0  # as many as computations are split among; 0 where the profile is not in effect
applied: "dict[str, str]" = {}  # the variables that were set here, and to what


def apply(count: int, refuse: "Callable[[Exception], object]") -> None:
    """Set what the profile sets, and see that it can be kept here.

    Args:
        count: `REPRO_THREADS`.
        refuse: Called with the exception where a library that is imported later can't keep it.

    Called again, it does nothing: in a virtual environment `site` runs every `.pth` file twice.

    Raises:
        SettingError: The CPU has no AVX2, a library is loaded, or a variable says otherwise; or
            another number of threads is in effect already.
    """
    global threads
    if threads not in (0, count):
        raise SettingError(
            f"REPRO_THREADS={count} comes too late: this process began with {threads}",
            hint=f"start the command with REPRO_THREADS={count}",
        )
    if threads:
        return
    check_cpu()
    loaded = [name for name in READERS if name in sys.modules]
    if loaded:
        raise SettingError(
            f"{loaded[0]} was imported before the profile portable could be set",
            hint="import it after the start-up hook has run, or after seed_everything()",
        )
    wanted = variables(count)
    check(os.environ, count)
    applied.update({name: text for name, text in wanted.items() if name not in os.environ})
    os.environ.update(applied)
    sys.meta_path.insert(0, _Hush())
    Follower({"tensorflow": lambda: _set_cache_sizes(refuse)}, refuse).start()
    threads = count


def _set_cache_sizes(refuse: "Callable[[Exception], object]") -> None:
    """Set what no variable sets; whatever fails there, user code must not go on without it."""
    try:
        from repro_env.libraries import eigen

        eigen.set_cache_sizes()
    except Exception as error:
        refuse(error)


def variables(count: int) -> "dict[str, str]":
    """Return the variables of the profile.

    Args:
        count: `REPRO_THREADS`.
    """
    return {name: text.format(threads=count) for name, text in VALUES}


def check(environ: "Mapping[str, str]", count: int) -> None:
    """Refuse variables that say otherwise than the profile.

    Raises:
        SettingError: One does.
    """
    for name, value in VALUES:
        text = value.format(threads=count)
        found = environ.get(name, text)
        if found != text:
            hint = f"unset {name}"
            if value != text and found.isascii() and found.isdigit():
                hint += f", or set REPRO_THREADS={found}"
            raise SettingError(
                f"{name}={found!r} contradicts the profile portable, which sets {text!r}", hint=hint
            )


def check_cpu() -> None:
    """Refuse a CPU that can't compute what others compute.

    Raises:
        SettingError: It has no AVX2, or that can't be told.
    """
    found = has_avx2()
    if not found:
        raise SettingError(
            "this CPU has no AVX2, and the profile portable computes with it"
            if found is not None
            else "whether this CPU has AVX2 can't be told, and the profile portable needs it",
            hint="take a machine with AVX2 (Intel's since 2013, AMD's since 2015), "
            "or run it with REPRO_PROFILE=repeatable",
        )


def has_avx2() -> "bool | None":
    """Say whether the CPU has AVX2 and FMA; None where that can't be told.

    By the instruction CPUID as libgcc has read it: right in emulators, too, where the kernel's
    `/proc/cpuinfo` is about another CPU.
    """
    try:
        import ctypes

        libgcc = ctypes.CDLL("libgcc_s.so.1")
        find = ctypes.CDLL(None).dlvsym  # the symbol is there for old programs: by version alone
        find.restype = ctypes.c_void_p
        find.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
        model = find(libgcc._handle, b"__cpu_model", b"GCC_4.8.0")
    except (ImportError, OSError, AttributeError):
        return None
    if not model:
        return None
    features = ctypes.c_uint.from_address(model + FEATURES_AT).value
    return bool(features >> AVX2 & features >> FMA & 1)


class _Hush:
    """A finder that finds nothing: it has NumPy not warn of features that this CPU doesn't have.

    The profile names all that it wants disabled, and NumPy warns of those that are not there.
    """

    def find_spec(
        self, name: str, path: object = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        del path, target
        if name == "numpy":
            import warnings

            # A RuntimeWarning in NumPy 1, an ImportWarning with a colon more in NumPy 2.
            about = "During parsing environment variable:? 'NPY_DISABLE_CPU_FEATURES'"
            warnings.filterwarnings("ignore", about)
        return None
