"""What the runs ran in, what they left, and what the reader should know."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from repro_env.pages.markup import Html, code, element, joined
from repro_env.pages.subject import FEW, Subject, cut, folded, pairs, row, section, table
from repro_env.records.definition import Code, Image, Knobs, Packages, Unavailable
from repro_env.records.observation import Content, File, Host
from repro_env.records.record import Record
from repro_env.words import profile, seconds, size

OUTPUT_HEADS = ("file", "size", "sha256", "content digest", "in the runs")
T = TypeVar("T")
Rows = Iterator[tuple[str, "str | Html | None"]]


def environment(subject: Subject) -> Html:
    """Return the section of what decided the outputs, of the reference."""
    record = next(iter(subject.kept()), None)
    if record is None:
        return section("Environment", element("p", "No record of these runs is here."))
    definition = record.definition
    knobs = definition.knobs.values if isinstance(definition.knobs, Knobs) else {}
    versions = definition.packages.versions if isinstance(definition.packages, Packages) else {}
    return section(
        "Environment",
        element("p", f"Of {subject.name(record.id)}:"),
        pairs("Environment", _environment(record)),
        _mapping("Knobs in effect", knobs),
        _mapping("Variables", definition.variables),
        _mapping("Packages", versions),
    )


def outputs(subject: Subject) -> Html | None:
    """Return the section of the files that the runs made, or None where no record says."""
    if not subject.kept():
        return None
    files: dict[str, File] = {}
    for record in subject.kept():
        files = {**{file.path: file for file in record.outputs}, **files}
    if not files:
        return section("Outputs", element("p", "The runs made no files and changed none."))
    rows = [_output(subject, file) for _, file in sorted(files.items())]
    whole = table("Files", OUTPUT_HEADS, list(cut(rows, len(OUTPUT_HEADS))))
    return section("Outputs", whole if len(rows) <= FEW else folded(f"{len(rows):,} files", whole))


def notes(subject: Subject) -> Html | None:
    """Return the section of notes, or None where there are none."""
    found = dict.fromkeys(subject.verification.notes if subject.verification else [])
    for record in subject.kept():
        found.update(dict.fromkeys(record.observation.notes))
    if not found:
        return None
    return section("Notes", element("ul", (element("li", note) for note in found)))


def _environment(record: Record) -> Rows:
    definition, seen = record.definition, record.observation
    yield "command", code(shlex.join(definition.command))
    yield "folder", code(seen.working_folder)
    yield "reason", seen.reason or None
    yield "started", seen.started
    yield "took", _said(seen.duration_s, seconds)
    yield "exit status", _said(seen.exit_status, str)
    yield "seed", str(definition.seed)
    yield "profile", profile(definition.profile, definition.threads)
    for name, text in definition.parameters.items():
        yield f"parameter {name}", code(text)
    yield from _code(definition.code)
    yield from _image(definition.image)
    yield "packages", _packages(definition.packages)
    yield from _machine(seen.host)
    for one in definition.inputs:
        said = f": {one.files:,} files, {size(one.size_bytes)}, digest "
        yield "input", joined(code(one.path), said, code(one.digest))
    yield "definition digest", code(record.definition_digest)
    yield "written by", f"repro-env {record.written_by}"


def _code(found: Code | Unavailable) -> Rows:
    if isinstance(found, Unavailable):
        yield "code", f"not kept: {found.reason}"
        return
    yield "code's tree", code(found.tree)
    commit = code(found.commit) if found.commit else "none"
    yield "code's commit", joined(commit, ", with changes" if found.is_dirty else ", unchanged")
    yield "branch", code(found.branch) if found.branch else None
    yield "remote", code(found.remote) if found.remote else None
    for one in found.left_out[:FEW]:
        yield "left out", joined(code(one.path), f": {one.reason}")


def _image(found: Image | Unavailable) -> Rows:
    if isinstance(found, Unavailable):
        yield "image", found.reason
        return
    digest = found.digest
    yield "image", digest.reason if isinstance(digest, Unavailable) else code(digest)
    yield "stack", found.stack
    yield "base", code(found.base)
    yield "lock", code(found.lock)


def _packages(found: Packages | Unavailable) -> str | Html:
    if isinstance(found, Unavailable):
        return found.reason
    return joined(f"{found.count:,} of Python, digest ", code(found.digest))


def _machine(host: Host) -> Rows:
    yield "machine", f"{_said(host.cpu_model, str)}, {host.cpus:g} CPUs, {host.architecture}"
    if isinstance(host.gpus, Unavailable):
        yield "GPUs", host.gpus.reason
    else:
        yield "GPUs", ", ".join(f"{gpu.name} ({gpu.driver})" for gpu in host.gpus) or "none"
    yield "kernel, libc", f"{host.kernel}, {host.libc}"


def _mapping(title: str, values: Mapping[str, str]) -> Html | None:
    if not values:
        return None
    rows = ((name, code(text)) for name, text in sorted(values.items()))
    return folded(f"{title} ({len(values):,})", pairs(title, rows))


def _output(subject: Subject, file: File) -> Html:
    content = file.content
    digest = code(content.digest) if isinstance(content, Content) else content.reason
    agreement = _agreement(subject, file)
    path, sha256 = code(file.path), code(file.sha256)
    return row(OUTPUT_HEADS, path, size(file.size_bytes), sha256, digest, agreement)


def _agreement(subject: Subject, file: File) -> str:
    """Say in how many of the runs a file is the same."""
    runs = subject.kept()
    found = [one for record in runs for one in record.outputs if one.path == file.path]
    if len(runs) == 1:
        return "one run alone"
    same = sum(one.sha256 == file.sha256 for one in found)
    if same == len(runs):
        return f"= the same bytes in all {same}"
    missing = len(runs) - len(found)
    absent = f", missing in {missing}" if missing else ""
    return f"≠ the same bytes in {same} of {len(runs)}{absent}"


def _said(value: T | Unavailable, of: Callable[[T], str]) -> str:
    return value.reason if isinstance(value, Unavailable) else of(value)
