"""The factors of `--vary`, as data: what each is, how it is varied, and whether it can be here.

Most must not matter: results that follow one of them don't repeat elsewhere. Three do matter, and
are varied on request only.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from repro_env import knobs, settings
from repro_env.errors import CommandError
from repro_env.verification import kernel, variations
from repro_env.verification.variations import Variation

ALL = "all"
CHUNK = bytes(8 * 2**20)  # some ms of work, in which the threads need nothing of Python


class Factor(NamedTuple):
    """One thing that can be other in another attempt.

    Args:
        name: As `--vary` takes it.
        what: What it is.
        how: How it is varied.
        limits: What that doesn't reach; empty where it reaches all.
        must_not_matter: Whether `all` stands for it, too.
        vary: What it is instead, of the attempt's number and the environment.
        refusal: Why it can't be varied in this environment; empty if it can.
    """

    name: str
    what: str
    how: str
    limits: str
    must_not_matter: bool
    vary: Callable[[int, Mapping[str, str]], Variation]
    refusal: Callable[[Mapping[str, str]], str] = lambda _: ""


def _of_host_name(environ: Mapping[str, str]) -> str:
    prepare = variations.host_name(0, environ).prepare
    return kernel.refusal(prepare) if prepare else ""


def _of_locale(environ: Mapping[str, str]) -> str:
    return "" if variations.locales(environ) else "no other locale is installed"


def _of_addresses(_: Mapping[str, str]) -> str:
    if not variations.has_random_layout():
        return "the kernel lays out all programs alike: kernel.randomize_va_space is 0"
    return kernel.refusal(kernel.turn_layout)


def _of_threads(environ: Mapping[str, str]) -> str:
    is_portable = settings.read_profile(environ)[0] == "portable"
    return "the profile portable fixes it" if is_portable else ""


def _of_processor(environ: Mapping[str, str]) -> str:
    if _of_threads(environ):
        return _of_threads(environ)
    known = " or ".join(flag for flag, _ in variations.LEVELS)
    found = variations.levels(environ)
    return "" if found else f"the CPU has no {known} that is still in use"


FACTORS = (
    Factor(
        name="hash-seed",
        what="the order of sets",
        how="another PYTHONHASHSEED",
        limits="Pythons that are started with -I or -E",
        must_not_matter=True,
        vary=variations.hash_seed,
    ),
    Factor(
        name="folder",
        what="the folder in which the project lies",
        how="a copy of the files in a folder whose name has another length, a space and an umlaut",
        limits="absolute paths in the command, and to files outside of the project",
        must_not_matter=True,
        vary=variations.folder,
    ),
    Factor(
        name="host-name",
        what="the name of the machine",
        how="a host name of its own (unshare, sethostname), and HOSTNAME",
        limits="",
        must_not_matter=True,
        vary=variations.host_name,
        refusal=_of_host_name,
    ),
    Factor(
        name="time-zone",
        what="the time zone",
        how="another TZ",
        limits="",
        must_not_matter=True,
        vary=variations.time_zone,
    ),
    Factor(
        name="locale",
        what="sorting, number formats and encodings",
        how="LC_ALL is another locale that is installed, or C where there is none",
        limits="programs that never ask for the environment's locale, as Python's floats",
        must_not_matter=True,
        vary=variations.locale,
        refusal=_of_locale,
    ),
    Factor(
        name="listing-order",
        what="the order in which a folder lists its files",
        how="os.listdir and os.scandir answer backwards, or shuffled",
        limits="libraries that list folders in C, as TensorFlow's tf.io.gfile, and other programs",
        must_not_matter=True,
        vary=variations.listing_order,
    ),
    Factor(
        name="addresses",
        what="where objects lie in memory, and so hashes of types and functions",
        how="a fixed layout of the address space (personality), which is random otherwise",
        limits="",
        must_not_matter=True,
        vary=variations.addresses,
        refusal=_of_addresses,
    ),
    Factor(
        name="load",
        what="how busy the machine is",
        how="one or two busy threads for each CPU",
        limits="GPUs, disks and networks",
        must_not_matter=True,
        vary=variations.load,
    ),
    Factor(
        name="start-time",
        what="when it starts",
        how="Python's time.time() and what is built on it say a month later, or some",
        limits="datetime.now() (not date.today()), the times of files, clocks in C and other "
        "programs: there only the seconds pass that really do",
        must_not_matter=True,
        vary=variations.start_time,
    ),
    Factor(
        name="threads",
        what="how many threads share a sum",
        how=f"another number in {', '.join(variations.THREADS)}",
        limits="programs that set the number themselves",
        must_not_matter=False,
        vary=variations.threads,
        refusal=_of_threads,
    ),
    Factor(
        name="cpu",
        what="the instructions of the CPU",
        how=f"a lesser CPU in {', '.join(variations.PROCESSOR)}",
        limits="TensorFlow's own kernels",
        must_not_matter=False,
        vary=variations.processor,
        refusal=_of_processor,
    ),
    Factor(
        name="workers",
        what="how many workers a DataLoader has",
        how="one more for each torch.utils.data.DataLoader",
        limits="loaders of other libraries",
        must_not_matter=False,
        vary=variations.workers,
    ),
)
_BY_NAME = {factor.name: factor for factor in FACTORS}


def names(text: str) -> list[str]:
    """Return the factors that `--vary` asks for.

    Args:
        text: Names with commas between them; `all` stands for those that must not matter.

    Raises:
        CommandError: One is unknown, empty or named twice.
    """
    harmless = [factor.name for factor in FACTORS if factor.must_not_matter]
    asked: list[str] = []
    for word in text.split(","):
        if word not in (*_BY_NAME, ALL):
            raise CommandError(
                f"--vary {text!r}: {word!r} is no factor",
                hint=f"give one or more of {', '.join((ALL, *_BY_NAME))}",
            )
        asked += harmless if word == ALL else [word]
    twice = [name for number, name in enumerate(asked) if name in asked[:number]]
    if twice:
        raise CommandError(
            f"--vary {text!r} names {twice[0]} twice",
            hint=f"name it once; all stands for {', '.join(harmless)}",
        )
    return asked


def unavailable(name: str, environ: Mapping[str, str] | None = None) -> str:
    """Return why a factor can't be varied here, by trying it; empty if it can.

    Args:
        name: The factor's.
        environ: The environment that the command would have; what a run has from here if None.
    """
    return _BY_NAME[name].refusal(_environ() if environ is None else environ)


def variation(
    names: Sequence[str], number: int, environ: Mapping[str, str] | None = None
) -> Variation:
    """Return what an attempt gets in which these factors are varied; without any, nothing.

    Args:
        names: The factors'.
        number: The attempt's, from 0: another one gives other values.
        environ: The environment that the command would have; what a run has from here if None.
    """
    now = _environ() if environ is None else environ
    parts = [_BY_NAME[name].vary(number, now) for name in names]
    prepares = [part.prepare for part in parts if part.prepare]

    def prepare() -> None:
        for one in prepares:
            one()

    return Variation(
        variables={name: value for part in parts for name, value in part.variables.items()},
        plan={key: value for part in parts for key, value in part.plan.items()},
        prepare=prepare if prepares else None,
        load=max((part.load for part in parts), default=0),
        copy=next((part.copy for part in parts if part.copy), ""),
    )


def _environ() -> dict[str, str]:
    return {**knobs.image_variables(), **os.environ}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep CPUs busy meanwhile.

    By threads of ours, in C code that leaves Python to others: however we end, none is left, and
    they are no children that a run would wait for.

    Args:
        count: How many.
    """
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            hashlib.sha256(CHUNK)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        is_over.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
