"""Compare the environments of two runs: what decides bits apart from code and inputs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from repro_env import knobs, unportable
from repro_env.knob import Profile
from repro_env.records.definition import Definition, Packages, Unavailable
from repro_env.records.finding import NO, UNKNOWN, YES, Answer, Finding, compared
from repro_env.records.observation import Host, Process, main_of

PORTABLE = "the profile portable has libraries compute alike on all CPUs with AVX2"
NEEDED = ("avx2", "fma")  # as Linux names them
LACKING = "the profile portable can't be kept on a CPU without AVX2"
UNREADABLE = "unreadable"
HAVE_LINES = ("REPRO_SEED", "REPRO_PROFILE", "REPRO_THREADS")  # of their own


def compare(
    was: Definition,
    on: Host,
    now: Definition,
    here: Host,
    processes: Sequence[Sequence[Process]],
) -> Iterator[Finding]:
    """Compare what decides bits apart from code and inputs, as far as it is known beforehand.

    Args:
        was: The first run's definition.
        on: Its machine.
        now: The second run's definition.
        here: Its machine.
        processes: Those of the first run, and of the second one where it has run.
    """
    for what, of_definition, why in _OF_DEFINITION:
        yield from compared(what, of_definition(was), of_definition(now), YES, why)
    yield from _image(was, now)
    yield from _packages(was.packages, now.packages)
    for what, of_host, decides, why in _OF_HOST:
        yield from compared(what, of_host(on), of_host(here), decides, why)
    if was.profile == now.profile == "portable":
        yield from _portable_processor(on, here, _doubts(zip((was, now), processes)))
    else:
        yield from _processor(on, here, YES, "")
    has_gpu = bool(on.gpus) or bool(here.gpus)
    yield from _knobs("", was.variables, now.variables, has_gpu)
    if not isinstance(was.knobs, Unavailable) and not isinstance(now.knobs, Unavailable):
        yield from _knobs(" in effect", was.knobs.values, now.knobs.values, has_gpu)


_OF_DEFINITION: tuple[tuple[str, Callable[[Definition], str], str], ...] = (
    ("seed", lambda one: str(one.seed), "other random numbers"),
    ("profile", lambda one: one.profile, "other knobs"),
    ("threads", lambda one: str(one.threads), "sums are split among them"),
)
_OF_HOST: tuple[tuple[str, Callable[[Host], object], Answer, str], ...] = (
    ("architecture", lambda one: one.architecture, YES, "other instructions, other rounding"),
    ("GPUs", lambda one: one.gpus, YES, "kernels are picked by model and driver"),
    ("libc", lambda one: one.libc, YES, "its mathematical functions round otherwise"),
    ("kernel", lambda one: one.kernel, NO, "it computes nothing"),
)


def _image(was: Definition, now: Definition) -> Iterator[Finding]:
    if isinstance(was.image, Unavailable) or isinstance(now.image, Unavailable):
        yield from compared("image", was.image, now.image, UNKNOWN, "")
        return
    for what in ("base_digest", "lock", "requirements", "drifted"):
        why = "other libraries"
        found = getattr(was.image, what), getattr(now.image, what)
        yield from compared(f"image's {what.replace('_', ' ')}", *found, YES, why)
    why = "another build; its locks say whether the libraries are the same"
    yield from compared("image", was.image.digest, now.image.digest, UNKNOWN, why)


def _packages(was: Packages | Unavailable, now: Packages | Unavailable) -> Iterator[Finding]:
    if isinstance(was, Unavailable) or isinstance(now, Unavailable):
        return  # no Python, or not known before the run
    for name in sorted({*was.versions, *now.versions}):
        found = was.versions.get(name, "none"), now.versions.get(name, "none")
        yield from compared(f"package {name}", *found, YES, "other code")


def _doubts(runs: Iterable[tuple[Definition, Sequence[Process]]]) -> dict[str, bool]:
    """Return what may not compute alike on another CPU, and whether nobody would be told of it."""
    found: dict[str, bool] = {}
    for definition, processes in runs:
        if isinstance(definition.knobs, Unavailable):
            found[f"whether it was in effect was not seen: {definition.knobs.reason}"] = True
        loaded = libraries(processes)
        found |= {one.text: one.is_silent for one in unportable.of(loaded)}
        found |= dict.fromkeys(unportable.unmeasured(loaded), True)
        profile = Profile("portable", definition.threads)
        for process in processes:
            found |= dict.fromkeys(_not_kept(process, profile), True)
    return found


def _not_kept(process: Process, profile: Profile) -> Iterator[str]:
    """Say which knobs of the profile a process had lost, where it has computed something."""
    if not process.libraries:
        return
    # One thread is what PyTorch gives a worker, and as good as any number in a child.
    served = (profile, profile._replace(threads=1)) if "process " in process.place else (profile,)
    for knob in knobs.KNOBS:
        is_of_it = knob.portable is not None and knob.repeatable != knob.portable
        if not is_of_it or not {"sys", *process.libraries} & set(knob.modules):
            continue
        found = process.knobs_at_end.get(knob.name, UNREADABLE)
        if found.startswith(UNREADABLE):
            found = process.variables_at_end.get(knob.name, "not set")
        if not any(knob.serves(found, one) for one in served):
            yield f"{knob.name} was {found} as a process ended"


def _portable_processor(on: Host, here: Host, doubts: Mapping[str, bool]) -> Iterator[Finding]:
    """Compare the CPUs of two runs under the profile `portable`.

    Args:
        on: The first run's machine.
        here: The second run's.
        doubts: What may differ all the same, and whether nobody would be told.
    """
    for one in (on, here):
        known = one.cpu_features
        if not isinstance(known, Unavailable) and not {*NEEDED} <= {*known}:
            yield from _processor(on, here, YES, LACKING)
            return
    decides: Answer = UNKNOWN if any(doubts.values()) else NO
    yield from _processor(on, here, decides, "; but ".join([PORTABLE, *doubts]))


def _processor(on: Host, here: Host, decides: Answer, reason: str) -> Iterator[Finding]:
    """Compare the CPUs.

    Args:
        on: The first run's machine.
        here: The second run's.
        decides: Whether a difference can change bits.
        reason: Why, whatever differs; empty where that depends on it.
    """
    why = reason or "libraries pick their kernels by it"
    yield from compared("CPU model", on.cpu_model, here.cpu_model, decides, why)
    why = reason or "as many threads, and sums are split among them"
    yield from compared("CPUs", on.cpus, here.cpus, decides, why)
    before, after = on.cpu_features, here.cpu_features
    if isinstance(before, Unavailable) or isinstance(after, Unavailable):
        decides = UNKNOWN if decides == YES else decides
        yield from compared("CPU features", before, after, decides, reason)
        return
    lost, gained = sorted({*before} - {*after}), sorted({*after} - {*before})
    why = reason or "libraries pick their kernels by them"
    yield from compared("CPU features", lost, gained, decides, why)


def _knobs(
    suffix: str, was: Mapping[str, str], now: Mapping[str, str], has_gpu: bool
) -> Iterator[Finding]:
    for knob in knobs.KNOBS:
        found = was.get(knob.name, "not set"), now.get(knob.name, "not set")
        if knob.name in HAVE_LINES or found[0] == found[1]:
            continue
        matters = has_gpu or not knob.gpu
        why = knob.why if matters else "only GPUs read it, and there is none"
        yield from compared(knob.name + suffix, *found, YES if matters else NO, why)


def libraries(found: Sequence[Process]) -> dict[str, str]:
    """Return the frameworks that processes had loaded, with their versions."""
    return {name: version for one in found for name, version in one.libraries.items()}


def processes(was: Sequence[Process], now: Sequence[Process]) -> Iterator[Finding]:
    """Compare the main processes, and how many others there were."""
    why = "one process more or less computed something"
    yield from compared("Python processes", len(was), len(now), UNKNOWN, why)
    first, second = main_of(was), main_of(now)
    if first and second:
        yield from compared("Python", first.python, second.python, YES, "another interpreter")
        why = "libraries split sums among threads, and pick kernels by build"
        for name in sorted({*first.facts, *second.facts}):
            found = first.facts.get(name, "none"), second.facts.get(name, "none")
            yield from compared(name, *found, YES, why)
        yield from compared("BLAS", _names(first.blas), _names(second.blas), YES, "other kernels")


def _names(files: Sequence[str]) -> list[str]:
    return sorted({path.rpartition("/")[2] for path in files})
