"""Compare an attempt with the reference: the verdict, and the first difference of each kind.

What counts is what the command leaves: its status, its outputs, the final states of its generators,
and its steps. Environment and inputs never count by themselves; they are named where something
that counts differs, since they may be why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from repro_env.content import differences
from repro_env.content.contents import Difference
from repro_env.content.verdict import DIFFERENT, IDENTICAL_BYTES, Verdict
from repro_env.errors import ReproError
from repro_env.records import compare
from repro_env.records.finding import NO, YES, Finding
from repro_env.records.observation import Process, main_of
from repro_env.records.record import Record
from repro_env.runs import files
from repro_env.runs.store import Store
from repro_env.steps import alignment
from repro_env.steps.stream import Stream
from repro_env.verification import reading
from repro_env.verification.outcome import KINDS, Divergence
from repro_env.verification.reading import Reads

CELL = "cell "
STATUS = "exit status"


NOTHING_READ = Reads(0, {})


class Evidence(NamedTuple):
    """What one run has left to compare.

    Args:
        record: Its record.
        streams: Its steps, by the place of the process; none of a run that was not traced.
        reads: The files that it read.
        varied: The factors that were not as in the reference.
        timed_out: Whether `--timeout` ended it.
        moved: What it had made or changed, by its path below the folder that is put back.
        left_running: How many processes it had left, which were ended.
    """

    record: Record
    streams: Mapping[str, Stream]
    reads: Reads
    varied: Sequence[str] = ()
    timed_out: bool = False
    moved: Sequence[str] = ()
    left_running: int = 0


class Agreement(NamedTuple):
    """What an attempt is to the reference.

    Args:
        verdict: On all that counts.
        why: Of identical content: why other bytes are harmless.
        divergences: At most one of each kind, in their order.
    """

    verdict: Verdict
    why: str
    divergences: list[Divergence]


def of(was: Evidence, now: Evidence, steps_of: Evidence, runs: Store, root: Path) -> Agreement:
    """Compare an attempt with the reference; with itself it agrees, whatever can't be read.

    Args:
        was: The reference.
        now: The attempt.
        steps_of: What its steps and reads are compared with: the first attempt, where the
            reference is a run that was not traced.
        runs: The project's.
        root: The folder that is put back after each attempt.
    """
    if was.record.id == now.record.id:
        return Agreement(IDENTICAL_BYTES, "", [])
    compared = compare.runs(was.record, now.record)
    found = [
        *_of_outputs(was.record, now.record, compared.differences, runs),
        *_of_generators(was.record, now.record),
        *_of_steps(steps_of.streams, now.streams),
    ]
    if not found:
        return Agreement(compared.verdict, _harmless(compared.differences), [])
    causes = [
        *_of_environment(compared.differences, now.varied),
        *reading.left_behind(steps_of.reads, now.reads, root),
    ]
    first: dict[str, Divergence] = {}
    for one in [*causes, *found]:
        first.setdefault(one.kind, one)
    return Agreement(DIFFERENT, "", [first[kind] for kind in KINDS if kind in first])


def _harmless(found: Sequence[Finding]) -> str:
    """Say whose bytes differ, and why nobody who reads them can tell."""
    named = [f"{one.what}: {one.why}" for one in found if _is_output(one) and one.why]
    more = f"; so with {len(named) - 1} more" if len(named) > 1 else ""
    return (named[0] + more) if named else ""


def _is_output(one: Finding) -> bool:
    return one.group == "outputs" and one.what != compare.PRINTED


def _of_environment(found: Sequence[Finding], varied: Sequence[str]) -> Iterator[Divergence]:
    """Yield what differs and can change bits; not what was varied on purpose."""
    if varied:
        return
    for one in found:
        if one.group in ("environment", "code") and one.can_change_bits == YES:
            text = f"{one.what}: {one.was} and {one.now}" + (f" ({one.why})" if one.why else "")
            yield Divergence("environment", one.what, text, one.was, one.now)
    for one in found:
        if one.group == "inputs" and one.can_change_bits == YES:
            text = f"the input {one.what} is not the same"
            yield Divergence("inputs", one.what, text, one.was, one.now)


def _of_generators(was: Record, now: Record) -> Iterator[Divergence]:
    """Compare the final states of the programs' generators; workers may be ended at any moment."""
    if killed(was) != killed(now):  # then nobody can tell whose state is missing
        return
    before, after = _programs(was), _programs(now)
    if len(before) != len(after):
        counts = f"{len(before)} and {len(after)}"
        yield Divergence("generators", "programs", f"the number of Python programs is {counts}")
        return
    for mine, theirs in zip(before, after):
        for name in {**mine.generators, **theirs.generators}:
            states = mine.generators.get(name, "none"), theirs.generators.get(name, "none")
            if states[0] != states[1]:
                words = f"{name}'s generator ends in another state: it has drawn more, or less"
                if "none" in states:
                    words = f"{name}'s generator is there in one of the two alone"
                yield Divergence("generators", name, words, states[0][:16], states[1][:16])


def killed(record: Record) -> int:
    """Return how many programs did not say their last, as one doesn't that somebody has killed.

    Jupyter kills a kernel that takes some seconds to end, as it can on a busy machine.
    """
    found = [one for one in record.observation.processes if _is_program(one)]
    return sum(one.ended != "exit" for one in found)


def _programs(record: Record) -> list[Process]:
    """Return the processes whose generators count: those with a framework, or the main one.

    They come in an order that doesn't follow from which of them began first, which is chance.
    """
    processes = record.observation.processes
    found = [one for one in processes if _is_program(one) and one.ended == "exit"]
    main = main_of(found)
    counted = [one for one in found if one.libraries] or ([main] if main else [])
    known = [one for one in counted if one.generators]
    return sorted(known, key=lambda one: (one.command, sorted(one.generators.items())))


def _is_program(process: Process) -> bool:
    is_server = any("nbconvert" in word for word in process.command)
    is_main = not process.place or (process.place.startswith("rank ") and "/" not in process.place)
    return is_main and process.ended != "exec" and not is_server


def _of_steps(was: Mapping[str, Stream], now: Mapping[str, Stream]) -> Iterator[Divergence]:
    """Compare steps; where one of the two was not followed, neither has any."""
    for place in sorted({*was, *now}):
        if place in was and place in now:
            found = alignment.first_difference(was[place], now[place])
            if found is not None:
                yield Divergence(
                    "step",
                    found.columns[0] if found.columns else found.source,
                    found.text + (f", in process {place}" if place else ""),
                    step=found.step,
                    entry=found.entry,
                )
        else:
            process = f"process {place}" if place else "the main process"
            yield Divergence("step", place, f"{process} has made steps in one of the two alone")


def _of_outputs(
    was: Record, now: Record, found: Sequence[Finding], runs: Store
) -> Iterator[Divergence]:
    for one in found:
        if one.group != "outputs" or one.can_change_bits == NO:
            continue
        if one.what == STATUS:
            text = f"the exit status is {one.was} and {one.now}"
            yield Divergence("status", STATUS, text, one.was, one.now)
        elif one.what == compare.PRINTED:
            yield _of_printed(was, now, runs)
        else:
            yield _of_file(was, now, one, runs)


def _of_printed(was: Record, now: Record, runs: Store) -> Divergence:
    text = printed(was, now, runs) or "what they printed differs"
    return Divergence("printed", compare.PRINTED, text)


def printed(was: Record, now: Record, runs: Store) -> str:
    """Say where what two runs printed differs; empty if it doesn't."""
    logs = [runs.runs / one.id / "stdout.log" for one in (was, now)]
    return _first_text(logs[0], logs[1])


def _of_file(was: Record, now: Record, one: Finding, runs: Store) -> Divergence:
    text = f"{one.was} and {one.now}" + (f": {one.why}" if one.why else "")
    kept = [_kept(record, one.what, runs) for record in (was, now)]
    if kept[0] and kept[1]:
        found = _first_text(kept[0], kept[1])
        if found.startswith(CELL):
            return Divergence("cell", one.what, f"{one.what}: {found}", one.was, one.now)
        text = found or text
    return Divergence("output", one.what, f"{one.what}: {text}", one.was, one.now)


def _kept(record: Record, path: str, runs: Store) -> Path | None:
    """Return where an output lies, if it is still what the record says."""
    found = next((file for file in record.outputs if file.path == path), None)
    place = runs.output(record, path)
    return place if found and files.is_still(place, found) else None


def _first_text(mine: Path, theirs: Path) -> str:
    """Say what differs first in two files, if both are still there; of a notebook: the cell."""
    if not (mine.is_file() and theirs.is_file()):
        return ""
    try:
        found = differences.of_files(mine, theirs).differences
    except ReproError:
        return ""
    cells = [one for one in found if one.part.startswith(CELL)]
    first = min(cells, key=_cell_number) if cells else next(iter(found), None)
    return "" if first is None else ": ".join(filter(None, (first.part, first.text)))


def _cell_number(one: Difference) -> int:
    return int(one.part[len(CELL) :].partition("/")[0])


def compared(one: Evidence) -> list[str]:
    """Return what there is to compare, apart from the exit status."""
    record = one.record
    generators = sorted({name for program in _programs(record) for name in program.generators})
    entries = sum(len(stream.entries) for stream in one.streams.values())
    printed = any(log.name == "stdout.log" and log.size_bytes for log in record.observation.logs)
    found = [
        f"{len(record.outputs)} outputs" if record.outputs else "",
        "what it printed" if printed and not record.outputs else "",
        f"generators: {', '.join(generators)}" if generators else "",
        f"{entries} steps" if entries else "",
    ]
    said = [one for one in found if one]
    return [] if said == found[2:3] else said  # a generator that nobody may have drawn from
