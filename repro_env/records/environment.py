"""Compare the environments of two runs: what decides bits apart from code and inputs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from repro_env import knobs, unportable
from repro_env.knob import Profile
from repro_env.records.definition import Definition, Packages, Unavailable
from repro_env.records.finding import NO, UNKNOWN, YES, Answer, Finding, compared
from repro_env.records.observation import Host, Process, main_of

PORTABLE = "the profile portable has libraries compute alike on all CPUs with AVX2"
HAVE_LINES = ("REPRO_SEED", "REPRO_PROFILE", "REPRO_THREADS")  # of their own


def compare(
    was: Definition, on: Host, now: Definition, here: Host, libraries: Mapping[str, str]
) -> Iterator[Finding]:
    """Compare what decides bits apart from code and inputs, as far as it is known beforehand.

    Args:
        was: The first run's definition.
        on: Its machine.
        now: The second run's definition.
        here: Its machine.
        libraries: The frameworks that the first run's processes had loaded, with their versions.
    """
    for what, of_definition, why in _OF_DEFINITION:
        yield from compared(what, of_definition(was), of_definition(now), YES, why)
    yield from _image(was, now)
    yield from _packages(was.packages, now.packages)
    for what, of_host, decides, why in _OF_HOST:
        yield from compared(what, of_host(on), of_host(here), decides, why)
    exceptions = [one.text for one in unportable.of(libraries) if one.is_silent]
    if was.profile == now.profile == "portable":
        yield from _processor(on, here, [*exceptions, *_not_kept(was)])
    else:
        yield from _processor(on, here, None)
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


def _not_kept(was: Definition) -> Iterator[str]:
    """Say why a run under the profile `portable` may not have been under all of it."""
    if isinstance(was.knobs, Unavailable):
        yield f"whether it was in effect was not seen: {was.knobs.reason}"
        return
    profile = Profile("portable", was.threads)
    for knob in knobs.KNOBS:
        found = was.knobs.values.get(knob.name, "unreadable")
        is_of_it = knob.repeatable is None and knob.portable is not None
        if is_of_it and not found.startswith("unreadable") and not knob.serves(found, profile):
            yield f"{knob.name} was {found} as the run ended"


def _processor(on: Host, here: Host, exceptions: Sequence[str] | None) -> Iterator[Finding]:
    """Compare the CPUs.

    Args:
        on: The first run's machine.
        here: The second run's.
        exceptions: What does not compute alike on different CPUs under the profile `portable`;
            None under another profile.
    """
    decides: Answer = YES if exceptions is None else UNKNOWN if exceptions else NO
    reason = "" if exceptions is None else "; but ".join([PORTABLE, *exceptions])
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
