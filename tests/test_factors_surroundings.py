"""What a traced process changes for itself: the order of listings, and what Python's clock says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run

NAMES = [f"file {number}" for number in range(9)]
SHUFFLED = "sorted(names, key=lambda name: (binascii.crc32(os.fsencode(name)), name))"
LATER_S = 100_000

# Each way in which Python lists a folder, as names; of what is listed by `os` in any way.
WAYS = {
    "listdir": "os.listdir(folder)",
    "listdir by keyword": "os.listdir(path=folder)",
    "listdir of here": "os.listdir()",
    "listdir of bytes": "map(os.fsdecode, os.listdir(os.fsencode(folder)))",
    "listdir of a descriptor": "os.listdir(os.open(folder, os.O_RDONLY))",
    "listdir of a path": "os.listdir(pathlib.Path(folder))",
    "scandir": "(entry.name for entry in os.scandir(folder))",
    "scandir of here": "(entry.name for entry in os.scandir())",
    "scandir of bytes": "(os.fsdecode(entry.name) for entry in os.scandir(os.fsencode(folder)))",
    "scandir of a descriptor": "(e.name for e in os.scandir(os.open(folder, os.O_RDONLY)))",
    "walk": "next(os.walk(folder))[2]",
    "fwalk": "next(os.fwalk(folder))[2]",
    "glob": "map(os.path.basename, glob.glob(folder + '/*'))",
    "iglob": "map(os.path.basename, glob.iglob(folder + '/f*'))",
    "iterdir": "(path.name for path in pathlib.Path(folder).iterdir())",
    "Path.glob": "(path.name for path in pathlib.Path(folder).glob('*'))",
    "Path.rglob": "(path.name for path in pathlib.Path(folder).rglob('f*'))",
}
CLOCKS = {
    "time": "time.time()",
    "time_ns": "time.time_ns() / 1e9",
    "localtime": "time.mktime(time.localtime())",
    "localtime of None": "time.mktime(time.localtime(None))",
    "gmtime": "calendar.timegm(time.gmtime())",
    "ctime": "time.mktime(time.strptime(time.ctime()))",
    "asctime": "time.mktime(time.strptime(time.asctime()))",
    "strftime": "float(time.strftime('%s'))",
    "clock_gettime": "time.clock_gettime(time.CLOCK_REALTIME)",
    "clock_gettime_ns": "time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9",
    "date": "datetime.datetime.today().timestamp()",
    "name imported": "imported()",
}
UNMOVED = {
    "monotonic": "time.monotonic() - monotonic",
    "perf_counter": "time.perf_counter() - perf_counter",
    "another clock": "time.clock_gettime(time.CLOCK_MONOTONIC) - monotonic",
    "a time that is given": "calendar.timegm(time.gmtime(7)) - 7",
    "a time that is written": "float(time.strftime('%s', time.localtime(7))) - 7",
    "now": "datetime.datetime.now().timestamp() - real",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).touch()
    return tmp_path


def surrounded(run: Run, plan: dict[str, Any], code: str, before: str = "") -> Any:
    """Return what code prints as JSON where a plan is applied."""
    start = f"{before}\nfrom repro_env.trace import surroundings\nsurroundings.apply({plan!r})\n"
    done = run(start + code, "-W", "error")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def listed(run: Run, folder: Path, order: str, before: str = "") -> tuple[list[str], Any]:
    """Return the expected names, and those that each way lists."""
    ways = ", ".join(f"{way!r}: list({code})" for way, code in WAYS.items())
    code = (
        "import binascii, glob, json, os, pathlib, warnings\n"
        f"folder = {str(folder)!r}; os.chdir(folder); names = {NAMES!r}\n"
        "warnings.simplefilter('ignore')\n"
        f"print(json.dumps([{SHUFFLED}, {{{ways}}}]))"
    )
    shuffled, found = surrounded(run, {"listing": order}, code, before)
    return {"reversed": NAMES[::-1], "shuffled": shuffled}[order], found


@pytest.mark.parametrize("before", ["", "import glob, pathlib, shutil"])
@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_each_way_of_listing_a_folder_follows(
    run: Run, folder: Path, order: str, before: str
) -> None:
    expected, found = listed(run, folder, order, before)

    assert expected != NAMES
    assert {way: names for way, names in found.items() if names != expected} == {}


def test_without_an_order_pythons_own_functions_stay(run: Run) -> None:
    code = (
        "import json, os, time\n"
        "print(json.dumps([repr(one) for one in (os.listdir, os.scandir, time.time)]))"
    )

    for plan in ({}, {"listing": "", "clock_shift_s": 0, "workers": None}):
        assert all("built-in" in one for one in surrounded(run, plan, code))


USES = {
    "a context manager": "with os.scandir(folder) as found: assert len(list(found)) == 9",
    "closed": "found = os.scandir(folder); next(found); found.close(); assert not list(found)",
    "closed twice": "found = os.scandir(folder); found.close(); found.close()",
    "entries": "assert all(entry.is_file() and entry.stat() for entry in os.scandir(folder))",
    "a missing folder": "try: os.listdir(folder + '/no')\nexcept FileNotFoundError: pass",
    "a missing folder scanned": "try: os.scandir(folder + '/no')\nexcept FileNotFoundError: pass",
    "a tree is removed safely": "import shutil; assert shutil.rmtree.avoids_symlink_attacks\n"
    "shutil.rmtree(folder); assert not os.path.exists(folder)",
    "a class's attribute": "class A: names = os.listdir\nassert len(A().names(folder)) == 9",
    "a pickle": "import pickle; assert pickle.loads(pickle.dumps(os.listdir)) is os.listdir",
    "a package is imported": "import wave, importlib.metadata as m; list(m.distributions())",
    "a descriptor stays open": "n = os.open(folder, os.O_RDONLY); list(os.scandir(n)); os.fstat(n)",
}


@pytest.mark.parametrize("use", USES)
def test_listings_can_be_used_as_before(run: Run, folder: Path, use: str) -> None:
    code = f"import json, os; folder = {str(folder)!r}\n{USES[use]}\nprint(json.dumps('ran'))"

    assert surrounded(run, {"listing": "reversed"}, code) == "ran"


def clocks(run: Run, shift_s: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return how much later each clock is, in seconds."""
    before = "import time; was, begun = time.time(), time.monotonic()"
    asked, unmoved = (
        ", ".join(f"{name!r}: {code}" for name, code in group.items())
        for group in (CLOCKS, UNMOVED)
    )
    code = (
        "import calendar, datetime, json\nfrom time import time as imported\n"
        "monotonic, perf_counter = begun, time.perf_counter()\n"
        f"found, others = {{{asked}}}, 0\nreal = was\nothers = {{{unmoved}}}\n"
        "print(json.dumps([{name: value - was for name, value in found.items()}, others]))"
    )
    found, others = surrounded(run, {"clock_shift_s": shift_s}, code, before)
    return found, others


@pytest.mark.parametrize("shift_s", [0, LATER_S])
def test_pythons_clock_says_what_is_later_and_no_other_clock_does(run: Run, shift_s: int) -> None:
    found, others = clocks(run, shift_s)

    assert {name: late for name, late in found.items() if abs(late - shift_s) > 30} == {}
    assert {name: late for name, late in others.items() if abs(late) > 30} == {}


def test_the_clock_can_be_a_class_s_attribute_and_be_pickled(run: Run) -> None:
    code = (
        "import json, pickle, time\nclass A: clock = time.time\n"
        "assert pickle.loads(pickle.dumps(time.time)) is time.time\n"
        "print(json.dumps([A().clock() - A.clock(), time.time.__name__]))"
    )

    passed_s, name = surrounded(run, {"clock_shift_s": LATER_S}, code)

    assert abs(passed_s) < 30
    assert name == "time"


def test_forks_and_their_children_keep_the_surroundings(run: Run, folder: Path) -> None:
    code = (
        "import json, os, time; from multiprocessing import get_context\n"
        f"with get_context('fork').Pool(1) as pool:\n    "
        f"print(json.dumps([pool.apply(os.listdir, [{str(folder)!r}]), pool.apply(time.time)]))"
    )
    plan = {"listing": "reversed", "clock_shift_s": LATER_S}

    names, later = surrounded(run, plan, code)

    assert names == NAMES[::-1]
    assert later > surrounded(run, {}, "import time; print(time.time())") + LATER_S / 2
