"""What `--vary` changes is what a fresh process sees, and nothing else is changed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from repro_env import knobs, settings
from repro_env.errors import CommandError
from repro_env.verification import factors, kernel, variations
from repro_env.verification.variations import Variation
from tests.conftest import PROJECT

ENVIRON = {**knobs.image_variables(), "PATH": os.environ["PATH"]}
NAMES = [factor.name for factor in factors.FACTORS]
HARMLESS = [factor.name for factor in factors.FACTORS if factor.must_not_matter]
NUMBERS = range(5)
MANY = ["hash-seed", "folder", "time-zone", "listing-order", "load", "start-time"]
NOBODY = 65534
PR_SET_DUMPABLE = 4

# What a container's profile does to a process: two calls are refused. As linux/seccomp.h has it.
REFUSING = """
import ctypes, platform, struct
numbers = {"x86_64": (272, 135), "aarch64": (97, 92)}[platform.machine()]
rules = [
    (0x20, 0, 0, 0),  # load the call's number
    (0x15, 1, 0, numbers[0]),  # is it this one: skip one rule
    (0x15, 0, 1, numbers[1]),  # is it not this one: skip one rule
    (0x06, 0, 0, 0x00050000 | 1),  # EPERM
    (0x06, 0, 0, 0x7FFF0000),  # allow
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
from repro_env.verification import factors
for name in ("host-name", "addresses", "hash-seed"):
    print(factors.unavailable(name, {}))
"""


def seen(
    python: Path, code: str, varied: Sequence[str], number: int = 0, user: int | None = None
) -> str:
    """Return what code prints in a fresh process where these factors are varied."""
    variation = factors.variation(varied, number, ENVIRON)
    return subprocess.run(
        [python, "-c", code],
        env={**ENVIRON, **variation.variables},
        preexec_fn=variation.prepare,
        user=user,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def needs(name: str) -> pytest.MarkDecorator:
    reason = factors.unavailable(name, ENVIRON)
    return pytest.mark.skipif(bool(reason), reason=reason)


def test_all_stands_for_what_must_not_matter() -> None:
    assert factors.names("all") == HARMLESS
    assert {*NAMES} - {*HARMLESS} == {"threads", "cpu", "workers"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("load", ["load"]),
        ("load,hash-seed", ["load", "hash-seed"]),
        ("all,threads", [*HARMLESS, "threads"]),
    ],
)
def test_factors_are_taken_as_they_are_named(text: str, expected: list[str]) -> None:
    assert factors.names(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no factor"),
        ("load,", "'' is no factor"),
        ("lod", "'lod' is no factor"),
        ("load,load", "names load twice"),
        ("all,load", "names load twice"),
        ("all,all", "names hash-seed twice"),
    ],
)
def test_other_names_are_refused(text: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        factors.names(text)
    assert "hash-seed" in refused.value.hint


def test_without_factors_nothing_is_changed() -> None:
    assert factors.variation([], 3, ENVIRON) == Variation()


@pytest.mark.parametrize("name", NAMES)
def test_each_factor_changes_something_for_each_attempt(name: str) -> None:
    if reason := factors.unavailable(name, ENVIRON):
        pytest.skip(reason)
    for number in NUMBERS:
        found = factors.variation([name], number, ENVIRON)

        assert found != Variation()
        assert not found.variables.items() & ENVIRON.items()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_attempt_gets_the_same(name: str) -> None:
    was, now = (factors.variation([name], 1, ENVIRON)._replace(prepare=None) for _ in range(2))

    assert was == now


@pytest.mark.parametrize("name", MANY)
def test_another_attempt_gets_other_values(name: str) -> None:
    first, second = (factors.variation([name], number, ENVIRON) for number in (0, 1))

    assert first != second


@pytest.mark.parametrize("number", NUMBERS)
def test_python_starts_with_all_variables(hooked_python: Path, number: int) -> None:
    names = [name for name in NAMES if not factors.unavailable(name, ENVIRON)]

    settings.check({**ENVIRON, **factors.variation(names, number, ENVIRON).variables})

    assert seen(hooked_python, "print('ran')", names, number) == "ran\n"


def test_what_was_set_before_is_not_set_again() -> None:
    for name in ("hash-seed", "time-zone", "threads", "cpu"):
        before = factors.variation([name], 0, ENVIRON).variables
        again = factors.variation([name], 0, {**ENVIRON, **before}).variables

        assert before != again


def test_several_factors_are_varied_together() -> None:
    found = factors.variation(["hash-seed", "load", "folder", "start-time"], 0, ENVIRON)

    assert found.variables.keys() == {"PYTHONHASHSEED"}
    assert found.plan.keys() == {"clock_shift_s"}
    assert found.load > 0
    assert found.copy


@pytest.mark.parametrize("number", NUMBERS)
def test_the_folder_has_a_space_and_a_letter_beyond_ascii(number: int) -> None:
    name = factors.variation(["folder"], number, ENVIRON).copy

    assert " " in name
    assert not name.isascii()
    assert "/" not in name


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("hash-seed", "print(hash('x'))"),
        ("time-zone", "import time; print(time.tzname, time.localtime(0).tm_hour)"),
        ("locale", "import locale; print(locale.setlocale(locale.LC_ALL, ''))"),
        ("threads", "import os; print(os.environ.get('OMP_NUM_THREADS'))"),
    ],
)
def test_a_child_sees_another(hooked_python: Path, name: str, code: str) -> None:
    plain, again, varied = (seen(hooked_python, code, names) for names in ([], [], [name]))

    assert plain == again != varied


@needs("host-name")
@pytest.mark.parametrize("user", [None, NOBODY])
def test_a_child_has_another_host_name_and_stays_who_it_is(user: int | None) -> None:
    if user is not None and os.getuid() != 0:
        pytest.skip("only root can become another user")
    variation = factors.variation(["host-name"], 0, ENVIRON)

    def prepare() -> None:
        if user is not None:  # a process that was root's isn't its new user's own
            kernel._LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        assert variation.prepare is not None
        variation.prepare()

    done = subprocess.run(
        ["sh", "-c", "uname -n; echo $HOSTNAME; id -u; id -g"],
        env={**ENVIRON, **variation.variables},
        preexec_fn=prepare,
        user=user,
        group=user,
        check=True,
        capture_output=True,
        text=True,
    )

    name = variation.variables["HOSTNAME"]
    ids = [os.getuid(), os.getgid()] if user is None else [user, user]
    assert done.stdout.split() == [name, name, *map(str, ids)]
    assert name != os.uname().nodename


@needs("host-name")
def test_another_host_name_can_be_looked_up(hooked_python: Path) -> None:
    code = "import socket; print(socket.gethostbyname(socket.gethostname()))"

    assert seen(hooked_python, code, ["host-name"]).startswith("127.")


@needs("addresses")
def test_objects_lie_at_the_same_addresses_where_the_layout_is_fixed(hooked_python: Path) -> None:
    code = "print(id(object()), id(print))"

    fixed = {seen(hooked_python, code, ["addresses"]) for _ in range(3)}
    free = {seen(hooked_python, code, []) for _ in range(3)}

    assert (len(fixed), len(free)) == (1, 3)


@needs("addresses")
@needs("host-name")
def test_two_changes_of_the_kernels_come_together(hooked_python: Path) -> None:
    code = "import os; print(os.uname().nodename, open('/proc/self/personality').read())"

    name, personality = seen(hooked_python, code, ["addresses", "host-name"]).split()

    assert name != os.uname().nodename
    assert int(personality, 16) & kernel.ADDR_NO_RANDOMIZE


def test_what_a_container_refuses_is_said_with_the_reason(hooked_python: Path) -> None:
    done = subprocess.run(
        [hooked_python, "-c", REFUSING],
        env=ENVIRON,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "the kernel refuses unshare: Operation not permitted",
        "the kernel refuses personality: Operation not permitted",
        "",
    ]


@pytest.mark.skipif(
    os.getuid() != 0 or "Seccomp:\t0" not in Path("/proc/self/status").read_text(),
    reason="something is refused here, or nobody can tell",
)
@pytest.mark.parametrize("name", NAMES)
def test_root_can_vary_everything_where_nothing_is_refused(name: str) -> None:
    assert factors.unavailable(name, ENVIRON) == ""


def test_trying_a_factor_changes_nothing_here() -> None:
    before = os.uname().nodename, Path("/proc/self/personality").read_text()

    for name in NAMES:
        factors.unavailable(name, ENVIRON)

    assert before == (os.uname().nodename, Path("/proc/self/personality").read_text())


def test_an_installed_locale_is_preferred_whose_letters_and_numbers_are_others(
    hooked_python: Path, tmp_path: Path
) -> None:
    for name in ("tr_TR", "de_DE"):
        made = subprocess.run(
            ["localedef", "-i", name, "-f", "UTF-8", tmp_path / f"{name}.UTF-8"], check=False
        )
        if made.returncode:
            pytest.skip("this system has no sources of locales (Debian: locales)")
    code = (
        "import os, locale; from repro_env.verification import factors\n"
        "for number in range(3):\n"
        "    name = factors.variation(['locale'], number).variables['LC_ALL']\n"
        "    locale.setlocale(locale.LC_ALL, name)\n"
        "    print(name, locale.localeconv()['decimal_point'])"
    )

    done = subprocess.run(
        [hooked_python, "-c", code],
        env={**ENVIRON, "LOCPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == ["tr_TR.UTF-8 ,", "de_DE.UTF-8 ,", "tr_TR.UTF-8 ,"]


def test_cpus_are_busy_meanwhile_and_no_longer() -> None:
    before = _threads()
    began = time.process_time()

    with factors.busy(2):
        time.sleep(0.5)
        used_s = time.process_time() - began
        during = _threads()

    assert during - before == 2
    assert _threads_soon(before)
    assert used_s > 0.1
    assert _seconds_used_in(0.2) < 0.1


def test_cpus_are_busy_no_longer_after_an_exception() -> None:
    before = _threads()

    with pytest.raises(ZeroDivisionError), factors.busy(2):
        raise ZeroDivisionError

    assert _threads_soon(before)


def test_nothing_stays_busy_after_a_kill(hooked_python: Path) -> None:
    code = (
        "import time; from repro_env.verification.factors import busy\n"
        "with busy(2):\n    print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [hooked_python, "-c", code],
        env=ENVIRON,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = list(Path(f"/proc/{process.pid}/task").glob("*/children"))
        started = [file.read_text() for file in children]
        process.send_signal(signal.SIGKILL)

    assert process.returncode == -signal.SIGKILL
    assert started == ["", "", ""]  # three threads without children


def test_what_is_run_beside_busy_cpus_ends(hooked_python: Path) -> None:
    with factors.busy(variations.cpus()):
        assert seen(hooked_python, "print('ran')", []) == "ran\n"


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def _threads_soon(count: int) -> bool:
    """Wait until there are so many: the kernel's list is a moment behind."""
    until = time.monotonic() + 5
    while _threads() != count and time.monotonic() < until:
        time.sleep(0.01)
    return _threads() == count


def _seconds_used_in(duration_s: float) -> float:
    before = time.process_time()
    time.sleep(duration_s)
    return time.process_time() - before
