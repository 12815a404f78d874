"""The image's own install steps against plain pip, from the same wheels and without a network."""

from __future__ import annotations

from benchmark.dockerfile import Step, read_stage
from benchmark.engine import BENCH, PROJECT, in_container, output
from benchmark.errors import BenchmarkError
from benchmark.markdown import Report, compare
from benchmark.stack import Stack
from benchmark.turns import Comparison, take_turns

INSTALL_RUNS = 5
INSTALL_TARGET = 1.3
PIP = "pip install --no-deps --no-compile -r {lock}"

DOWNLOAD = """
cmp -s {lock} /wheels/lock.txt && exit
[ ! -s /mnt/ca.crt ] || export PIP_CERT=/mnt/ca.crt
rm -rf /wheels/*
python3 -m venv --without-pip /tmp/venv
PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) /tmp/venv/bin/python -m pip install -q \
    "$(grep -oE '^pip==[^ ]+' {lock})"
/tmp/venv/bin/pip download --no-deps --only-binary :all: --dest /wheels -r {lock} >&2
cp {lock} /wheels/lock.txt
"""
SPLIT = """
mkdir -p /split/lock/layers
/project/docker/split-lock {lock} /split/lock/layers
"""
READ_AHEAD = """
cat /wheels/*.whl >/dev/null
sync
"""
TIMED = """
{{ {before}
}} >/dev/null 2>&1
began=$(date +%s%N)
{{ {timed}
}} >/tmp/log 2>&1 || {{ cat /tmp/log >&2; exit 2; }}
echo $(($(date +%s%N) - began))
"""


def measure_install(stack: Stack) -> Report:
    """Compare the image's install steps with pip's, which reads the same lock."""
    lock = f"/project/{stack.lock.python_file}"
    image = stack.build_os()
    _download(stack, image, lock)
    stage = read_stage((PROJECT / "Dockerfile").read_text(), "environment")
    first, *others = [f"(\n{step.code}\n)\n" for step in stage.steps]
    prepare = "\n".join([stage.settings, SPLIT.format(lock=lock), *map(_mount, stage.steps)])
    prepare += READ_AHEAD

    def ours() -> float:
        return _seconds(stack, image, prepare, first + "".join(others))

    # The first step makes the virtual environment and puts the locked pip there: not timed.
    def plain() -> float:
        return _seconds(stack, image, prepare + first, PIP.format(lock=lock))

    sides = take_turns(ours, plain, INSTALL_RUNS)
    whole = Comparison("the whole lock", *sides, INSTALL_TARGET)
    return compare("plain pip", "the image's steps", whole)


def _wheels(stack: Stack) -> str:
    return f"{BENCH}-wheels-{stack.name}"


def _download(stack: Stack, image: str, lock: str) -> None:
    """Fetch the lock's wheels into a volume, unless they are there."""
    folders = [f"{PROJECT}:/project:ro", f"{_wheels(stack)}:/wheels"]
    folders += [f"{stack.settings()['CA_BUNDLE']}:/mnt/ca.crt:ro"]
    volumes = [f"--volume={folder}" for folder in folders]
    output("docker", "run", "--rm", *volumes, image, "sh", "-euc", DOWNLOAD.format(lock=lock))


def _mount(step: Step) -> str:
    """Return shell code that puts a step's mounts where it looks for them."""
    copies = []
    for mount in step.binds:
        origin, target = mount.get("from", ""), mount["target"]
        if origin == "saved":  # empty, unless a build without a network is given it
            continue
        if origin == "tools":
            copies.append(f"mkdir -p {target}; cp /project/docker/* {target}")
            continue
        if origin not in ("", "split"):
            raise BenchmarkError(
                f"an install step mounts the stage {origin}, which this does not know",
                "teach scripts/benchmark/install.py where its files are",
            )
        source = ("/split" if origin else "/project/") + mount["source"]
        copies.append(f"mkdir -p $(dirname {target}); cp {source} {target}")
    return "\n".join(copies)


def _seconds(stack: Stack, image: str, before: str, timed: str) -> float:
    """Return how long some shell code takes in a fresh container that has the wheels."""
    options = [f"--volume={PROJECT}:/project:ro", f"--volume={_wheels(stack)}:/wheels:ro"]
    for setting in ("NO_INDEX=1", "FIND_LINKS=/wheels", "DISABLE_PIP_VERSION_CHECK=1"):
        options.append(f"--env=PIP_{setting}")
    script = TIMED.format(before=before, timed=timed)
    return int(in_container(image, "sh", "-euc", script, options=options)) / 1e9
