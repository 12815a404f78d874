"""Change what must not matter from within this process, before any of the user's code runs.

The order in which folders list their files, and what Python's `time` says; and the number of a
DataLoader's workers, which does matter. What a program computes from other things stays as it is.
"""

from __future__ import annotations

import binascii
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from repro_env import seeding

NS_PER_S = 10**9
LOADER = "torch.utils.data.dataloader"
HOLDERS = ("glob", "pathlib", "pathlib._abc", "pathlib._local", "shutil")  # of functions of `os`

Name = Any  # str or bytes, as the caller has asked
Order = Callable[[Iterable[Any], Callable[[Any], Name]], "list[Any]"]


def apply(plan: dict[str, Any]) -> None:
    """Change what a plan asks for.

    Args:
        plan: Of its keys `listing`, `clock_shift_s` and `workers`; without them nothing changes.
    """
    order = ORDERS.get(plan.get("listing") or "")
    if order is not None:
        _order_listings(order)
    if plan.get("clock_shift_s"):
        _shift_clock(plan["clock_shift_s"])
    if plan.get("workers"):
        _add_workers(plan["workers"])


class Instead:
    """Stands in the place of a function that is written in C.

    As an attribute of a class it isn't bound, and it is pickled by its name, as that one.

    Args:
        was: The function.
        module: Where it is found.
        call: What is called now.
    """

    def __init__(self, was: Callable[..., Any], module: str, call: Callable[..., Any]) -> None:
        self.__name__ = self.__qualname__ = was.__name__
        self.__module__ = module
        self.__doc__ = was.__doc__
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do what is done now."""
        return self._call(*args, **kwargs)

    def __reduce__(self) -> str:
        return self.__name__


class Listing:
    """The entries of a folder, as `os.scandir` returns them: to iterate over, and to close."""

    def __init__(self, entries: list[os.DirEntry[Any]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Have no more entries."""
        self._entries = iter(())


def _backwards(found: Iterable[Any], name_of: Callable[[Any], Name]) -> list[Any]:
    return sorted(found, key=name_of, reverse=True)


def _shuffled(found: Iterable[Any], name_of: Callable[[Any], Name]) -> list[Any]:
    """Order by what looks like chance, and is the same in each process."""

    def place(one: Any) -> tuple[int, Name]:
        name = name_of(one)
        return binascii.crc32(os.fsencode(name)), name

    return sorted(found, key=place)


ORDERS: dict[str, Order] = {"reversed": _backwards, "shuffled": _shuffled}


def _order_listings(order: Order) -> None:
    listdir, scandir = os.listdir, os.scandir

    def list_names(*args: Any, **kwargs: Any) -> list[Name]:
        return order(listdir(*args, **kwargs), lambda name: name)

    def scan(*args: Any, **kwargs: Any) -> Listing:
        with scandir(*args, **kwargs) as entries:
            return Listing(order(entries, lambda entry: entry.name))

    _replace_in_os(listdir, list_names)
    _replace_in_os(scandir, scan)


def _replace_in_os(was: Callable[..., Any], call: Callable[..., Any]) -> None:
    """Replace a function, wherever Python's own modules hold it already.

    The import of modules doesn't: it has its own, of the module `posix`.
    """
    now = Instead(was, "os", call)
    if was in os.supports_fd:  # `shutil` looks there
        os.supports_fd.add(now)
    for module in [os, *(sys.modules[name] for name in HOLDERS if name in sys.modules)]:
        classes = [one for one in vars(module).values() if isinstance(one, type)]
        for holder in [module, *classes]:
            for name, held in list(vars(holder).items()):
                if held is was or getattr(held, "__func__", None) is was:  # a static method
                    setattr(holder, name, now)


def _shift_clock(shift_s: int) -> None:
    """Have Python's `time` say what is later; clocks that count from elsewhere stay."""
    was = {name: getattr(time, name) for name in ("time", "time_ns", "localtime", "asctime")}

    def now() -> float:
        return float(was["time"]()) + shift_s

    def of_now(convert: Callable[..., Any]) -> Callable[..., Any]:
        return lambda seconds=None: convert(now() if seconds is None else seconds)

    def of_clock(read: Callable[[int], Any], shift: int) -> Callable[[int], Any]:
        return lambda clock: read(clock) + (shift if clock == time.CLOCK_REALTIME else 0)

    def local(fields: tuple[Any, ...]) -> tuple[Any, ...]:
        return fields or (was["localtime"](now()),)

    strftime = time.strftime
    calls: dict[str, Callable[..., Any]] = {
        "time": now,
        "time_ns": lambda: was["time_ns"]() + shift_s * NS_PER_S,
        "localtime": of_now(time.localtime),
        "gmtime": of_now(time.gmtime),
        "ctime": of_now(time.ctime),
        "asctime": lambda *fields: was["asctime"](*local(fields)),
        "strftime": lambda form, *fields: strftime(form, *local(fields)),
        "clock_gettime": of_clock(time.clock_gettime, shift_s),
        "clock_gettime_ns": of_clock(time.clock_gettime_ns, shift_s * NS_PER_S),
    }
    for name, call in calls.items():
        setattr(time, name, Instead(getattr(time, name), "time", call))


def _add_workers(count: int) -> None:
    """Have each DataLoader be made with more workers, once torch was imported."""

    def follow(name: str) -> None:
        if name == LOADER:
            _have_more_workers(sys.modules[LOADER].DataLoader, count)

    seeding.watchers.append(follow)


def _have_more_workers(loader: Any, count: int) -> None:
    import functools
    import inspect

    begin = loader.__init__
    signature = inspect.signature(begin)

    @functools.wraps(begin)
    def begin_with_more(*args: Any, **kwargs: Any) -> None:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        if isinstance(given.arguments["num_workers"], int):
            given.arguments["num_workers"] += count
        begin(*given.args, **given.kwargs)

    loader.__init__ = begin_with_more
