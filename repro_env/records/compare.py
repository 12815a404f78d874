"""Compare two records: what decided the outputs, and the outputs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from repro_env.content.verdict import DIFFERENT, IDENTICAL_BYTES, IDENTICAL_CONTENT, Verdict
from repro_env.records import environment
from repro_env.records.definition import Code, Definition, Strict, Submodule, Unavailable
from repro_env.records.finding import NO, UNKNOWN, YES, Finding, compared
from repro_env.records.observation import Content, File
from repro_env.records.record import Record

PRINTED = "standard output"
CHANGED = "changed"
MOST_NAMED = 3  # parts of one file, in a sentence


class Comparison(Strict, frozen=True):
    """Two runs, side by side.

    Args:
        was: The first run's id.
        now: The second run's id.
        verdict: On the outputs and the exit status.
        differences: In groups.
    """

    was: str
    now: str
    verdict: Verdict
    differences: list[Finding]


def runs(was: Record, now: Record) -> Comparison:
    """Compare two complete records.

    Returns:
        All differences: code, inputs, environment, outputs.
    """
    outputs = list(_outputs(was, now))
    differences = [
        *code(was.definition, now.definition),
        *_inputs(was, now),
        *environment.compare(
            was.definition,
            was.observation.host,
            now.definition,
            now.observation.host,
            (was.observation.processes, now.observation.processes),
        ),
        *environment.processes(was.observation.processes, now.observation.processes),
        *outputs,
    ]
    return Comparison(was.id, now.id, _verdict(outputs), differences)


def code(was: Definition, now: Definition) -> Iterator[Finding]:
    """Compare the commands and the code that they ran."""
    for what, of in _OF_COMMAND:
        yield from compared(
            what, of(was), of(now), YES, "another program, or told otherwise", "code"
        )
    if isinstance(was.code, Unavailable) or isinstance(now.code, Unavailable):
        yield from compared("code", was.code, now.code, UNKNOWN, "", "code")
        return
    why = "other code"
    yield from compared("git tree", was.code.tree, now.code.tree, YES, why, "code")
    why = "only the tree's files are run"
    yield from compared("git commit", was.code.commit, now.code.commit, NO, why, "code")
    why = "the tree does not hold these files"
    yield from compared("left out", was.code.left_out, now.code.left_out, UNKNOWN, why, "code")
    yield from _submodules(was.code, now.code)


def _submodules(was: Code, now: Code) -> Iterator[Finding]:
    before = {one.path: one for one in was.submodules}
    after = {one.path: one for one in now.submodules}
    for path in sorted({*before, *after}):
        first, second = before.get(path), after.get(path)
        commits = _commit(first), _commit(second)
        yield from compared(f"submodule {path}", *commits, YES, "other code", "code")
        states = _state(first), _state(second)
        if CHANGED in states:
            why = "its changes are not kept, so they can't be compared"
            yield Finding("code", path, *states, UNKNOWN, why)


def _commit(module: Submodule | None) -> str:
    return module.commit if module else "none"


def _state(module: Submodule | None) -> str:
    return CHANGED if module and module.is_dirty else "as committed"


_OF_COMMAND: tuple[tuple[str, Callable[[Definition], object]], ...] = (
    ("command", lambda one: one.command),
    ("folder", lambda one: one.folder),
    ("parameters", lambda one: [f"{name}={text}" for name, text in one.parameters.items()]),
)


def _inputs(was: Record, now: Record) -> Iterator[Finding]:
    before = {file.path: file for file in was.inputs}
    after = {file.path: file for file in now.inputs}
    for path in sorted({*before, *after}):
        found = _said(before.get(path)), _said(after.get(path))
        yield from compared(path, *found, YES, "other data", "inputs")


def _said(file: File | None) -> str:
    return f"sha256 {file.sha256}" if file else "not named"


def _outputs(was: Record, now: Record) -> Iterator[Finding]:
    found = was.observation.exit_status, now.observation.exit_status
    yield from compared("exit status", *found, YES, "", "outputs")
    yield from compared("deleted", was.deleted, now.deleted, YES, "", "outputs")
    yield from compared("missing", was.missing, now.missing, YES, "", "outputs")
    yield from _printed(was, now)
    before = {file.path: file for file in was.outputs}
    after = {file.path: file for file in now.outputs}
    for path, other in _pairs(before, after):
        first, second = before.get(path), after.get(other)
        if first is None or second is None:
            only = ("not made", "made") if first is None else ("made", "not made")
            yield Finding("outputs", path if first else other, *only, YES, "")
        elif (first.kind, first.sha256) != (second.kind, second.sha256) or _is_unknown(first):
            yield _of_files(first, second)


def _printed(was: Record, now: Record) -> Iterator[Finding]:
    """Compare what the commands printed: it counts where it is all that they made."""
    found = _log(was, "stdout.log"), _log(now, "stdout.log")
    if was.outputs or now.outputs:
        why = "times and paths may be in it: it does not count where there are outputs"
        yield from compared(PRINTED, *found, NO, why, "outputs")
    else:
        why = "neither run has outputs, so what they printed is compared"
        yield from compared(PRINTED, *found, YES, why, "outputs")


def _log(record: Record, name: str) -> str:
    return next((log.sha256[:12] for log in record.observation.logs if log.name == name), "none")


def _pairs(before: Iterable[str], after: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pair paths; event files, which have times and hosts in their names, by their order."""
    alike = {*before} & {*after}
    yield from ((path, path) for path in sorted(alike))
    rest_before = sorted({*before} - alike)
    rest_after = sorted({*after} - alike)
    for path in rest_before:
        twin = next((one for one in rest_after if _are_twins(path, one)), "")
        if twin:
            rest_after.remove(twin)
        yield path, twin
    yield from (("", path) for path in rest_after)


def _are_twins(path: str, other: str) -> bool:
    folders = path.rpartition("/")[0], other.rpartition("/")[0]
    return folders[0] == folders[1] and ".tfevents." in path and ".tfevents." in other


def _is_unknown(file: File) -> bool:
    return file.kind == "unreadable"


def _of_files(was: File, now: File) -> Finding:
    if _is_unknown(was) or _is_unknown(now):
        why = "it could not be read"
        return Finding("outputs", was.path, _kind(was), _kind(now), UNKNOWN, why)
    if isinstance(was.content, Content) and isinstance(now.content, Content):
        if (was.content.format, was.content.digest) == (now.content.format, now.content.digest):
            why = f"{was.content.format}: the same content, written otherwise"
            return Finding("outputs", was.path, "bytes", "other bytes", NO, why)
        why = _parts(was.content, now.content)
        return Finding("outputs", was.path, "content", "other content", YES, why)
    why = next(one.content.reason for one in (was, now) if isinstance(one.content, Unavailable))
    return Finding("outputs", was.path, _kind(was), _kind(now), YES, f"by bytes: {why}")


def _kind(file: File) -> str:
    return f"{file.kind}, sha256 {file.sha256[:12]}"


def _parts(was: Content, now: Content) -> str:
    """Name the parts that differ, the first few of them."""
    before = {part.name: part for part in was.parts}
    after = {part.name: part for part in now.parts}
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    named = ", ".join(name or "the array" for name in names[:MOST_NAMED])
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    count = len({**before, **after})
    return f"{len(names)} of {count} parts differ: {named}{rest}" if names else "parts differ"


def _verdict(outputs: Sequence[Finding]) -> Verdict:
    if any(one.can_change_bits != NO for one in outputs):
        return DIFFERENT
    return IDENTICAL_CONTENT if any(one.what != PRINTED for one in outputs) else IDENTICAL_BYTES
