"""What the kernel is asked for one process and those below it: another host name, another layout.

The changes are made in a forked child, just before it executes the command: nothing is imported
there any more. The constants are those of linux/sched.h and linux/personality.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
ADDR_NO_RANDOMIZE = 0x0040000
UNCHANGED = 0xFFFFFFFF  # asks for the personality, and leaves it
DONE = "done"
_LIBC = ctypes.CDLL(None, use_errno=True)
# Looked up beforehand: a forked child must not wait for the linker's locks.
_CALLS = {name: getattr(_LIBC, name, None) for name in ("unshare", "personality")}


def rename_host(name: str) -> None:
    """Give this process a host name of its own, which nobody else sees.

    An ordinary user may do so in a user namespace of its own, where it stays who it is.

    Raises:
        OSError: The kernel refuses; `filename` names the call.

    Source:
        https://man7.org/linux/man-pages/man7/user_namespaces.7.html
    """
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", CLONE_NEWUTS)
    except OSError:
        _call("unshare", CLONE_NEWUSER | CLONE_NEWUTS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    socket.sethostname(name)
    if os.uname().nodename != name:
        raise OSError(0, "it has no effect", "sethostname")


def turn_layout() -> None:
    """Have programs be laid out alike each time; where they are so now, at random.

    Raises:
        OSError: The kernel refuses; `filename` names the call.

    Source:
        https://man7.org/linux/man-pages/man2/personality.2.html
    """
    now = _call("personality", UNCHANGED)
    _call("personality", now ^ ADDR_NO_RANDOMIZE)
    if _call("personality", UNCHANGED) == now:
        raise OSError(0, "it has no effect", "personality")


def refusal(change: Callable[[], None]) -> str:
    """Return why a change can't be made, by making it in a child; empty if it can."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _try(change, writer)
    os.close(writer)
    with open(reader) as file:  # noqa: PTH123  # a descriptor
        said = file.read()
    os.waitpid(pid, 0)
    return "" if said == DONE else said or "the process that tried it was ended"


def _try(change: Callable[[], None], writer: int) -> NoReturn:
    said = DONE
    try:
        change()
    except OSError as error:
        said = f"the kernel refuses {error.filename or 'sethostname'}: {error.strerror}"
    finally:
        os.write(writer, said.encode())
        os._exit(0)


def _call(name: str, argument: int) -> int:
    call = _CALLS[name]
    if call is None:
        raise OSError(errno.ENOSYS, "this system has none", name)
    done: int = call(ctypes.c_ulong(argument))
    if done == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return done
