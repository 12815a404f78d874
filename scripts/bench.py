"""Measure what the image costs, each time against the same thing without it.

Called by `scripts/bench`, which says what there is to measure and chooses base, mirrors and owner;
`docs/benchmarks.md` defines each measure and holds the figures.

The two sides of a comparison take turns, so that whatever else the machine does hits both alike.
A target counts as kept or missed only where the whole interval around a figure says so.
The standard library alone: this runs on the host's python3, and in the container on Debian's.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import time
from typing import Callable, NamedTuple

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "benchmarks.md"
IMAGE = "repro-env:tf"
OS_IMAGE = "repro-env-os:tf"  # the Dockerfile's stage `os`
BENCH = "repro-env-bench"  # the compose project, image and volume that are ours alone

START_RUNS = 300
IMPORT_RUNS = 30
OWN_WORK_RUNS = 10
UP_RUNS = 3
INSTALL_RUNS = 3

UNKNOWN = "can't tell"


class Report(NamedTuple):
    """What one measure found: Markdown, and whether it misses a target for sure."""

    text: str
    missed: bool


class Comparison(NamedTuple):
    """The seconds of two sides that took turns, and what their ratio may be at most."""

    name: str
    ours: list[float]
    plain: list[float]
    target: float

    def interval(self) -> tuple[float, float]:
        """Return where 95 % of the ratios lie when the pairs are drawn anew (bootstrap)."""
        pairs = list(zip(self.ours, self.plain))
        draw = random.Random(42)
        ratios = sorted(ratio_of(*zip(*draw.choices(pairs, k=len(pairs)))) for _ in range(2000))
        return ratios[50], ratios[-51]

    def row(self) -> list[str]:
        """Return the cells that `compare` has heads for."""
        low, high = self.interval()
        return [
            self.name,
            f"2 x {len(self.ours)}",
            f"{in_words(statistics.median(self.plain))} ({in_words(min(self.plain))})",
            f"{in_words(statistics.median(self.ours))} ({in_words(min(self.ours))})",
            f"**{ratio_of(self.ours, self.plain):.3f}**",
            f"{low:.3f} to {high:.3f}",
            f"{self.target:.2f}",
            verdict(low, high, self.target),
        ]


def ratio_of(ours: list[float], plain: list[float]) -> float:
    """Return the ratio of the medians."""
    return statistics.median(ours) / statistics.median(plain)


def verdict(low: float, high: float, target: float) -> str:
    """Say whether a target is kept, as far as an interval tells."""
    if high <= target:
        return "yes"
    return "no" if low > target else UNKNOWN


def in_words(seconds: float) -> str:
    """Return seconds with a unit that fits."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"


def table(*rows: list[str]) -> Report:
    """Return a Markdown table whose first row is its head; a last cell "no" is a miss."""
    head, *body = rows
    lines = [f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *body]]
    return Report("".join(lines), any(row[-1] == "no" for row in body))


def compare(plain: str, ours: str, *comparisons: Comparison) -> Report:
    """Return the table of comparisons; `plain` and `ours` say what the two sides are."""
    sides = [f"{side}: median (least)" for side in (plain, ours)]
    head = ["", "runs", *sides, "ratio", "95 % interval", "target", "kept"]
    return table(head, *(comparison.row() for comparison in comparisons))


def take_turns(
    ours: Callable[[], float], plain: Callable[[], float], runs: int, warm_up: int = 0
) -> tuple[list[float], list[float]]:
    """Return the seconds of both sides; which of them goes first changes each time."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for run in range(-warm_up, runs):
        for side in (0, 1) if run % 2 else (1, 0):
            took = (ours, plain)[side]()
            if run >= 0:
                seconds[side].append(took)
    return seconds


def output(*command: str) -> str:
    """Return what a command prints; what it says on stderr goes to ours."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def in_container(image: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """Return what a command prints in a fresh container, as root and without a network."""
    alone = ("docker", "run", "--rm", "--network", "none", "--user", "0:0", *options)
    return output(*alone, "--entrypoint", command[0], image, *command[1:])


# The next two functions run inside the container, in Debian's own Python, which has no hook.
def time_starts(environment: str, code: str, runs: int) -> None:
    """Print, as JSON, the seconds of Python's starts with the hook and without.

    It is one interpreter, with one set of variables: all that comes and goes is the `.pth` file.
    """
    (hook,) = pathlib.Path(environment).glob("lib/python3*/site-packages/repro_env.pth")
    away = hook.with_suffix(".away")

    def ours() -> float:
        return start_seconds(f"{environment}/bin/python", code)

    def plain() -> float:
        hook.rename(away)
        try:
            return ours()
        finally:
            away.rename(hook)

    print(json.dumps(take_turns(ours, plain, runs, warm_up=2)))


def start_seconds(python: str, code: str) -> float:
    """Return how long one process took, from its spawning to its end."""
    silent = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    began = time.perf_counter()
    process = os.posix_spawn(python, [python, "-c", code], os.environ, file_actions=silent)
    _, status = os.waitpid(process, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"python -c {code!r} ended with wait status {status}")
    return seconds


EMPTY = "/tmp/empty"
MAKE_EMPTY = f"""
python3 -m venv --without-pip {EMPTY}
cp -rp "$VIRTUAL_ENV"/lib/python3*/site-packages/repro_env* {EMPTY}/lib/python3*/site-packages
"""


def compare_starts(name: str, environment: str, code: str, runs: int, target: float) -> Comparison:
    """Time starts in one container; `environment` is a virtual environment's folder in it."""
    script = f'{MAKE_EMPTY} exec /usr/bin/python3 -c "$0"'
    call = f"import bench; bench.time_starts({environment!r}, {code!r}, {runs})"
    folder = ("--volume", f"{PROJECT}/scripts:/bench:ro", "--workdir", "/bench")
    measured = in_container(IMAGE, "sh", "-euc", script, call, options=folder)
    return Comparison(name, *json.loads(measured), target)


def measure_start() -> Report:
    """Compare a bare Python with the hook and without it."""
    return compare(
        "without the hook",
        "with it",
        compare_starts("the image's environment", "/opt/venv", "pass", START_RUNS, 1.15),
        compare_starts("an empty environment", EMPTY, "pass", START_RUNS, 1.15),
    )


# Finding a library is counted with the hook's work where the hook asks the other finders: at most.
OWN_WORK = """
import sys, time
from repro_env.seeding import SeedAfterImport as Hook

spent = 0
def timed(work):
    def run(*arguments):
        global spent
        began = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            spent += time.perf_counter() - began
    return run

Hook.seed, Hook.find_spec = timed(Hook.seed), timed(Hook.find_spec)
began = time.perf_counter()
__import__(sys.argv[1])
print(spent, time.perf_counter() - began)
"""


def own_work(library: str) -> list[str]:
    """Return the row on what the hook itself does while a library is imported."""
    script = f'for i in $(seq {OWN_WORK_RUNS}); do python -c "$0" {library} 2>/dev/null; done'
    measured = in_container(IMAGE, "sh", "-euc", script, OWN_WORK)
    spent, whole = zip(*(map(float, line.split()) for line in measured.splitlines()))
    ratio = max(1 / (1 - part / all_of_it) for part, all_of_it in zip(spent, whole))
    cells = [in_words(statistics.median(seconds)) for seconds in (whole, spent)]
    kept = verdict(ratio, ratio, 1.02)
    return [f"`import {library}`", str(OWN_WORK_RUNS), *cells, f"**{ratio:.4f}**", "1.02", kept]


def measure_import() -> Report:
    """Compare the frameworks' imports, and time the hook's own work in them."""
    codes = ("import torch", "import tensorflow")
    comparisons = (compare_starts(f"`{c}`", "/opt/venv", c, IMPORT_RUNS, 1.02) for c in codes)
    whole = compare("without the hook", "with it", *comparisons)
    head = [
        "",
        "runs",
        "import: median",
        "the hook's work: median",
        "largest ratio",
        "target",
        "kept",
    ]
    own = table(head, own_work("torch"), own_work("tensorflow"))
    return Report(f"{whole.text}\n{own.text}", whole.missed or own.missed)


def measure_up() -> Report:
    """Time `docker compose up` of a project of our own until both services are healthy."""
    os.environ.update(COMPOSE_PROJECT_NAME=BENCH, JUPYTER_PORT="18888", SSH_PORT="12222")
    compose = ("docker", "compose", "--progress", "quiet")
    seconds = []
    for _ in range(UP_RUNS):
        output(*compose, "down", "--volumes")
        try:
            began = time.perf_counter()
            output(*compose, "up", "--detach", "--no-build", "--wait")
            seconds.append(time.perf_counter() - began)
        finally:
            output(*compose, "down", "--volumes")
    figures = (statistics.median(seconds), min(seconds), max(seconds))
    kept = verdict(min(seconds), max(seconds), 10)
    return table(
        ["runs", "median", "least", "most", "target", "kept"],
        [str(UP_RUNS), *map(in_words, figures), "10 s", kept],
    )


def measure_size() -> Report:
    """Compare the image's size with its base and what is installed on it."""
    size = ("docker", "image", "inspect", "--format", "{{.Size}}")
    image, base = int(output(*size, IMAGE)), int(output(*size, OS_IMAGE))
    folder = '"$VIRTUAL_ENV"/lib/python3*/site-packages'
    packages = int(in_container(IMAGE, "sh", "-c", f"du -sb {folder}").split()[0])
    files = in_container(IMAGE, "sh", "-c", f"find {folder} -name '*.pyc' -printf '%s\\n'")
    sizes = (image, base, packages, sum(map(int, files.split())))
    ratio = image / (base + packages)
    return table(
        ["image", "base and Debian's", "Python's", "its bytecode", "ratio", "target", "kept"],
        [
            *(f"{size_bytes / 1e6:,.1f} MB" for size_bytes in sizes),
            f"**{ratio:.3f}**",
            "1.05",
            verdict(ratio, ratio, 1.05),
        ],
    )


DOWNLOAD = """
cmp -s /project/requirements.txt /wheels/lock.txt && exit
[ ! -s /run/ca.crt ] || export PIP_CERT=/run/ca.crt
rm -rf /wheels/*
python3 -m venv --without-pip /tmp/venv
PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) /tmp/venv/bin/python -m pip install -q \
    "$(grep -oE '^pip==[^ ]+' /project/requirements.txt)"
/tmp/venv/bin/pip download --no-deps --only-binary :all: --dest /wheels \
    -r /project/requirements.txt >&2
cp /project/requirements.txt /wheels/lock.txt
"""
READ_AHEAD = """
mkdir /lock
/project/docker/split-lock /project/requirements.txt /lock
cat /wheels/*.whl >/dev/null
sync
"""
INSTALL = """
{{ {before}
}} >/dev/null 2>&1
began=$(date +%s%N)
{{ {timed}
}} >/tmp/log 2>&1 || {{ cat /tmp/log >&2; exit 2; }}
echo $(($(date +%s%N) - began))
"""


def environment_stage() -> tuple[str, list[str]]:
    """Return the Dockerfile's stage `environment` as shell: its settings, and each of its RUNs."""
    stage = (PROJECT / "Dockerfile").read_text().split(" AS environment\n")[1].split("\nFROM ")[0]
    instructions = re.findall(r"^(ENV|COPY|RUN) ((?:.*\\\n)*.*)", stage, re.MULTILINE)
    before = {"ENV": "export ", "COPY": "cp /project/"}
    settings = [before[name] + body for name, body in instructions if name in before]
    runs = [
        re.sub(r"--mount=\S+\s+(\\\n)?", "", body) for name, body in instructions if name == "RUN"
    ]
    return "\n".join(settings), [f"(\n{run}\n)\n" for run in runs]


def install_seconds(before: str, timed: str) -> float:
    """Return how long some shell code takes in a fresh container that has the wheels."""
    options = ["--volume", f"{PROJECT}:/project:ro", "--volume", f"{BENCH}-wheels:/wheels:ro"]
    for setting in ("NO_INDEX=1", "FIND_LINKS=/wheels", "DISABLE_PIP_VERSION_CHECK=1"):
        options += ["--env", f"PIP_{setting}"]
    script = INSTALL.format(before=before, timed=timed)
    return int(in_container(OS_IMAGE, "sh", "-euc", script, options=tuple(options))) / 1e9


def measure_install() -> Report:
    """Compare the image's install step with pip's, from the same wheels and without a network."""
    folders = [f"{PROJECT}:/project:ro", f"{BENCH}-wheels:/wheels"]
    folders += [f"{os.environ['CA_BUNDLE']}:/run/ca.crt:ro"]
    volumes = [f"--volume={folder}" for folder in folders]
    output("docker", "run", "--rm", *volumes, OS_IMAGE, "sh", "-euc", DOWNLOAD)
    settings, runs = environment_stage()
    prepare = settings + READ_AHEAD

    def ours() -> float:
        return install_seconds(prepare, "".join(runs))

    # The first RUN makes the virtual environment and puts the locked pip there: not timed.
    def plain() -> float:
        pip = "pip install --no-deps --no-compile -r /project/requirements.txt"
        return install_seconds(prepare + runs[0], pip)

    sides = take_turns(ours, plain, INSTALL_RUNS)
    return compare("plain pip", "the image's step", Comparison("the whole lock", *sides, 1.3))


def measure_build() -> Report:
    """Time each step of a build without cached layers; there is nothing to compare it with."""
    names = ("BASE_IMAGE", "DEBIAN_MIRROR", "DEBIAN_SECURITY_MIRROR")
    arguments = [f"--build-arg={name}={os.environ[name]}" for name in names]
    arguments += ["--secret", f"id=ca,src={os.environ['CA_BUNDLE']}", "--tag", f"{BENCH}:tf"]
    command = ["docker", "build", "--no-cache", "--progress=plain", *arguments, "."]
    began = time.perf_counter()
    built = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - began
    if built.returncode:
        sys.stderr.write(built.stderr)
        built.check_returncode()
    output("docker", "image", "rm", f"{BENCH}:tf")
    steps = step_seconds(built.stderr)
    rest = seconds - sum(took for _, took in steps)
    rows = [
        *steps,
        ("between them, where Docker keeps each layer", rest),
        ("**the whole**", seconds),
    ]
    return table(["step", "took"], *([name, f"{took:.1f} s"] for name, took in rows))


def step_seconds(log: str) -> list[tuple[str, float]]:
    """Return the steps of a second and more of a build's plain log, in the order they ended."""
    names = dict(re.findall(r"^(#\d+) \[(.+)$", log, re.MULTILINE))
    ends = re.findall(r"^(#\d+) (DONE|exporting layers) ([\d.]+)s", log, re.MULTILINE)
    return [
        (step_name(names[number]) if what == "DONE" else what, float(took))
        for number, what, took in ends
        if float(took) >= 1 and (what != "DONE" or number in names)
    ]


def step_name(line: str) -> str:
    """Return a step's stage and the first words of what it runs."""
    place, code = line.split("] RUN ") if "] RUN " in line else line.split("] ", 1)
    words = re.sub(r"--mount=\S+|set -eux;|\s+", " ", code).split()
    return f"{place.split()[0]}: `{' '.join(words)[:60]}`"


MEASURES = {
    "start": measure_start,
    "import": measure_import,
    "up": measure_up,
    "size": measure_size,
    "install": measure_install,
    "build": measure_build,
}


def machine() -> str:
    """Return the date and the machine in one line, as the engine sees them."""
    engine = json.loads(output("docker", "info", "--format", "{{json .}}"))
    cpuinfo = in_container(IMAGE, "cat", "/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    facts = [
        f"{engine['NCPU']}-core {model[1] if model else engine['Architecture']}",
        f"{engine['MemTotal'] / 2**30:.0f} GiB",
        "a GPU" if "nvidia" in engine["Runtimes"] else "no GPU",
        engine["OperatingSystem"],
        f"Docker {engine['ServerVersion']}",
    ]
    return f"{datetime.date.today()}, {', '.join(facts)}"


def write(name: str, text: str) -> None:
    """Put one measure's figures between its marks in docs/benchmarks.md."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, rest = PAGE.read_text().split(begin)
    PAGE.write_text(before + begin + text + end + rest.split(end)[1])


def main() -> int:
    """Measure what is asked for; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("measures", nargs="+", choices=MEASURES)
    asked = parser.parse_args()
    missed = False
    for name in asked.measures:
        load = [f"{os.getloadavg()[0]:.1f}"]
        report = MEASURES[name]()
        load.append(f"{os.getloadavg()[0]:.1f}")
        text = f"{machine()}; load average {' before, '.join(load)} after.\n\n{report.text}"
        print(f"## {name}\n\n{text}", flush=True)
        if asked.write:
            write(name, text)
        missed |= report.missed
    return int(missed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        command = " ".join(error.cmd)[:100]
        print(f"error: `{command}` ended with status {error.returncode}", file=sys.stderr)
        print("  what to do: mend what the lines above say", file=sys.stderr)
        sys.exit(2)
