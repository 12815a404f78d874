"""What else decides bits, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from repro_env import unportable
from repro_env.probe import Gpu, Machine
from repro_env.verdicts import OK, UNKNOWN, WRONG

Report = Mapping[str, Any]
ENOUGH_SHARED_MEMORY = 256 * 2**20  # four times Docker's own, which kills data loader workers
NAMES = {"numpy": "NumPy", "torch": "PyTorch", "tensorflow": "TensorFlow"}


class Note(NamedTuple):
    """One thing besides the knobs.

    Args:
        about: What it is about.
        text: What was found, in a sentence.
        verdict: `ok`, `wrong value` or `unknown`.
        advice: One action; empty where there is nothing to be done.
    """

    about: str
    text: str
    verdict: str = OK
    advice: str = ""


def of(
    reports: Sequence[Report],
    machine: Machine,
    status: int,
    strangers: Mapping[str, bool],
    interpreters: Mapping[str, bool],
) -> list[Note]:
    """Return the notes on a command's processes, the most telling first.

    Args:
        reports: What was seen of each (`watching.Watch.look`).
        machine: Where they ran.
        status: The command's exit status.
        strangers: Interpreters that ran without the hook, and whether they have one.
        interpreters: Those at hand, and whether they have one.
    """
    found = _ends(reports, status, strangers)
    seen = [report for report in reports if report["ended"]]
    if seen:
        found += [_seeds(seen[0]), *_unseeded(seen), *_gpus(seen, machine)]
        found += [*_shared_memory(seen, machine), _threads(seen, machine)]
        found += [*_precision(seen[0]), *_blas(seen[0]), *_portability(seen)]
    return [*found, *_interpreters(interpreters)]


def _ends(reports: Sequence[Report], status: int, strangers: Mapping[str, bool]) -> list[Note]:
    found = []
    for python, has_hook in strangers.items():
        text = f"{python} ran without the start-up hook, so nothing was seeded there"
        advice = f"repro hook install {python}"
        if has_hook:
            text = f"{python} ran without its start-up hook, or without the variables that ask it"
            advice = "start it with its parent's variables, and without -S"
        found.append(Note("hook", text, WRONG, advice))
    if not reports and not strangers:
        text = "no Python process was seen: the command ran none, or none that could be looked into"
        found.append(Note("command", text, UNKNOWN, "name a command that runs Python"))
    for report in reports:
        if not report["ended"]:
            text = f"the end of process {report['pid']} ({words(report)}) was not seen"
            advice = "let it end by itself, and no later than the command"
            found.append(Note("command", text, UNKNOWN, advice))
    if status:
        ended = f"signal {-status}" if status < 0 else f"status {status}"
        text = f"the command ended with {ended}: what it would have done later was not seen"
        found.append(Note("command", text, UNKNOWN, "mend the command first"))
    return found


def words(report: Report) -> str:
    """Return a process's command on one line, and not too long."""
    text = " ".join(" ".join(report["command"]).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _seeds(report: Report) -> Note:
    seeds = report["seeds"]
    if seeds["seed"] is None:
        return Note("seeds", "no generator was seeded by this project")
    when = [
        f"{name} ({seeds['at'][name]:.2f} s after the start)"
        if name in seeds["at"]
        else f"{name} (at the start)"
        for name in seeds["libraries"]
    ]
    return Note("seeds", f"{seeds['seed']}: {', '.join(when) or 'no generator was loaded'}")


def _unseeded(reports: Sequence[Report]) -> list[Note]:
    counts = {"derive": 0, "warn": 0}
    for report in reports:
        mode = report["in effect"].get("REPRO_UNSEEDED", {}).get("value")
        counts["derive" if mode == "derive" else "warn"] += report["seeds"]["unseeded"]
    found = []
    for mode, count in counts.items():
        asked = f"NumPy was asked for {count} generator{'s' * (count > 1)} without a seed"
        if count and mode == "derive":
            found.append(Note("unseeded", f"{asked}; each got one, so what it draws repeats"))
        elif count:
            text = f"{asked}: what such a generator draws does not repeat"
            advice = "make each by repro_env.stream('a name')"
            found.append(Note("unseeded", text, WRONG, advice))
    return found


def _gpus(reports: Sequence[Report], machine: Machine) -> list[Note]:
    loaded = {name for report in reports for name in report["libraries"]}
    if machine.gpus is None:
        text = "there is a GPU, and nvidia-smi does not say which"
        return [Note("gpu", text, UNKNOWN, "start the container with docker-compose.gpu.yml")]
    if not machine.gpus:
        return [Note("gpu", "none: whatever is for GPUs was not tried")]
    found = []
    for gpu in machine.gpus:
        lacking = [name for name in sorted(loaded) if _lacks(name, gpu, reports)]
        said = f"{gpu.name}, compute capability {_dotted(gpu)}, driver {gpu.driver}"
        if lacking:
            names = " and ".join(NAMES[name] for name in lacking)
            text = f"{said}: this stack's {names} cannot run on it"
            found.append(Note("gpu", text, WRONG, "use the torch stack: STACK=torch ./scripts/up"))
        else:
            found.append(Note("gpu", said))
    return found


def _dotted(gpu: Gpu) -> str:
    return ".".join(map(str, gpu.capability))


def _lacks(library: str, gpu: Gpu, reports: Sequence[Report]) -> bool:
    """Say whether a framework has no code that runs on a GPU.

    Code for sm_80 runs on 8.0 and later 8.x, and on nothing of another major version. That for
    compute_80 could be compiled for 9.0 there and then, but cuDNN and cuBLAS of its age could not.
    """
    built = [code for report in reports for code in _architectures(library, report["facts"])]
    numbers = [code.partition("_")[2] for code in built]
    versions = [(int(text[:-1]), int(text[-1])) for text in numbers if text.isdigit()]
    if not versions:
        return False
    major, minor = gpu.capability
    return not any(one == major and other <= minor for one, other in versions)


def _architectures(library: str, facts: Mapping[str, Any]) -> list[str]:
    if library == "torch":
        return str(facts.get("torch architectures") or "").split()
    if library == "tensorflow":
        return list(facts.get("tensorflow build", {}).get("cuda_compute_capabilities", ()))
    return []


def _shared_memory(reports: Sequence[Report], machine: Machine) -> list[Note]:
    size = machine.shared_memory
    if size is None:
        return []
    said = f"{size / 2**20:.0f} MiB"
    if size >= ENOUGH_SHARED_MEMORY or not any("torch" in one["libraries"] for one in reports):
        return [Note("shared memory", said)]
    text = f"{said}, too little for a DataLoader's workers"
    return [Note("shared memory", text, WRONG, "start the container with --shm-size 2g")]


def _threads(reports: Sequence[Report], machine: Machine) -> Note:
    used = {
        NAMES[library]: count
        for report in reversed(reports)  # the first process counts: loaders' workers have one
        for library in ("torch", "tensorflow")
        if (count := report["facts"].get(f"{library} threads")) is not None
    }
    each = ", ".join(
        f"{name} {count or 'as many as there are CPUs'}" for name, count in used.items()
    )
    text = f"{machine.cpus:g} CPUs may be used" + (f", threads: {each}" if each else "")
    fixed = next((one["profile"][1] for one in reports if one["profile"][1]), 0)
    if fixed:
        return Note("threads", f"{text}; the profile portable fixes {fixed}, on whatever machine")
    return Note("threads", f"{text}; with another number of threads the same run has other bits")


def _portability(reports: Sequence[Report]) -> list[Note]:
    """Name what the profile `portable` can't keep of what is loaded."""
    libraries = {name: text for one in reports for name, text in one["libraries"].items()}
    if not any(one["profile"][0] == "portable" for one in reports):
        return []
    known = [one.text for one in unportable.of(libraries)]
    return [Note("portability", text) for text in [*known, *unportable.unmeasured(libraries)]]


def _precision(report: Report) -> list[Note]:
    reads = {
        "TF32 in products": "torch.backends.cuda.matmul.allow_tf32",
        "TF32 in cuDNN": "torch.backends.cudnn.allow_tf32",
        "autotuning": "torch.backends.cudnn.benchmark",
    }
    said = []
    for what, knob in reads.items():
        value = report["in effect"].get(knob, {}).get("value")
        if value is not None:
            said.append(f"{what} {'on' if value == 'True' else 'off'}")
    if "tensorflow" in report["libraries"]:
        off = report["at exec"].get("TF_ENABLE_ONEDNN_OPTS") == "0"
        said.append(f"oneDNN in TensorFlow {'off' if off else 'on'}")
    width = report["in effect"].get("ATEN_CPU_CAPABILITY", {}).get("value")
    if width is not None:
        said.append(f"PyTorch's vector width {width}")
    return [Note("numerics", ", ".join(said))] if said else []


def _blas(report: Report) -> list[Note]:
    files = report["blas"]
    for kind in ("openblas", "libmkl_rt", "libblis", "libgomp"):
        same = [file for file in files if kind in Path(file).name]
        if len(same) > 1:
            names = " and ".join(same)
            text = f"{kind} is loaded {len(same)} times, each with threads of its own: {names}"
            return [Note("BLAS", text)]
    return []


def _interpreters(interpreters: Mapping[str, bool]) -> list[Note]:
    with_hook = [python for python, has in interpreters.items() if has]
    without = [python for python, has in interpreters.items() if not has]
    said = []
    if with_hook:
        said.append(f"in {', '.join(with_hook)}")
    if without:
        said.append(f"not in {', '.join(without)} (repro hook install PYTHON)")
    return [Note("hook", "; ".join(said))] if said else []
