"""The record of a run: its types, its bytes, and how to read one that somebody else wrote.

`docs/record-format.md` and `docs/record.schema.json` are rendered from these types by
`scripts/records`. What could not be found out is `Unavailable`, with the reason, and never left
empty. Paths and arguments are in the text of `paths.to_text`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec
import rfc8785

from repro_env import __version__, paths
from repro_env.errors import RecordError
from repro_env.records.definition import Definition, Digest, PathText, RunId, Strict
from repro_env.records.observation import File, Observation

FORMAT: Final = 1
NO_DIGEST = "0" * 64


class _Versioned(msgspec.Struct):
    format: int


class Record(Strict, frozen=True):
    """All that decided a run's outputs, and what they were.

    Args:
        format: The version of this format.
        digest: sha256 of this file with these 64 digits as zeros: it shows damage.
        id: The run's name, which begins with when it began, in UTC: later names sort later.
        state: `running` until the run is over; it stays so if the run was interrupted.
        written_by: The version of repro-env.
        definition: All that decides the outputs.
        definition_digest: sha256 of the definition in canonical JSON (RFC 8785).
        observation: What was seen besides.
        inputs: The files of `definition.inputs`.
        outputs: The files that the run made or changed, or that `--out` named.
        deleted: Paths that were there before the run and no longer after it.
        missing: What `--out` named and the run did not make.
    """

    format: Literal[1]
    digest: Digest
    id: RunId
    state: Literal["running", "complete"]
    written_by: str
    definition: Definition
    definition_digest: Digest
    observation: Observation
    inputs: list[File]
    outputs: list[File]
    deleted: list[PathText]
    missing: list[PathText]


def digest_of(definition: Definition) -> str:
    """Return sha256 of a definition in canonical JSON.

    Source:
        https://www.rfc-editor.org/rfc/rfc8785
    """
    return hashlib.sha256(rfc8785.dumps(msgspec.to_builtins(definition))).hexdigest()


def to_bytes(record: Record) -> bytes:
    """Return a record as the bytes of its file; `from_bytes(to_bytes(record))` has its digest.

    What does not print in it, whoever said it, is written so that it does: as paths are.
    """
    plain = msgspec.structs.replace(record, digest=NO_DIGEST)
    text = msgspec.json.format(_encoded(plain), indent=1) + b"\n"
    digest = hashlib.sha256(text).hexdigest()
    return text.replace(NO_DIGEST.encode(), digest.encode(), 1)


def from_bytes(text: bytes, name: str = "the record") -> Record:
    """Return the record that a file holds.

    Args:
        text: The file's bytes.
        name: What to call it in errors.

    Raises:
        RecordError: It is damaged, no record at all, or of a newer version.
    """
    version = _version(text)
    if version is None:
        raise RecordError(f"{name} is no record", hint="name a run, or a run.json")
    if version != FORMAT:
        raise RecordError(
            f"{name} has format {version}, and this repro-env {__version__} reads format {FORMAT}",
            hint="install the repro-env that wrote it, or a newer one",
        )
    try:
        record = msgspec.json.decode(text, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(name, str(error)) from None
    plain = text.replace(record.digest.encode(), NO_DIGEST.encode(), 1)
    if hashlib.sha256(plain).hexdigest() != record.digest:
        raise _damaged(name, "its digest is not that of its bytes")
    _check_texts(text, record, name)
    return record


def schema() -> str:
    """Return the JSON Schema of records.

    Source:
        https://json-schema.org/draft/2020-12/schema
    """
    return json.dumps(tidied(msgspec.json.schema(Record)), indent=2) + "\n"


def tidied(schema: Any) -> Any:
    """Return a schema that is the same from every Python and msgspec: indents, order of choices."""
    if isinstance(schema, dict):
        return {
            name: inspect.cleandoc(value)
            if name == "description" and isinstance(value, str)
            else tidied(value)
            for name, value in schema.items()
        }
    if isinstance(schema, list) and all(isinstance(one, dict) for one in schema):
        return sorted(map(tidied, schema), key=json.dumps)
    return schema


def _check_texts(text: bytes, record: Record, name: str) -> None:
    """Refuse what a terminal would obey, and what stands for no path: strangers send records."""
    if not _prints(text):
        raise _damaged(name, "it holds what does not print")
    definition = record.definition
    texts = [*definition.command, definition.folder, record.observation.working_folder]
    texts += [*definition.parameters.values(), *definition.variables.values(), *definition.outputs]
    texts += [one.path for one in definition.inputs]
    texts += [one.path for one in (*record.inputs, *record.outputs)]
    try:
        if any("\0" in paths.from_text(one) for one in texts):
            raise ValueError("a path holds a zero byte")
    except ValueError as error:
        raise _damaged(name, str(error)) from None
    if not definition.command or any(
        at not in range(len(definition.command)) for at in definition.hidden
    ):
        raise _damaged(name, "its command is empty, or hides an argument that it does not have")


def _encoded(record: Record) -> bytes:
    with suppress(UnicodeEncodeError):  # where names of files are no text
        text = msgspec.json.encode(record)
        if _prints(text):
            return text
    return msgspec.json.encode(_printing(msgspec.to_builtins(record)))


def _prints(text: bytes) -> bool:
    """Say whether every text in this JSON prints: nothing but quotes and backslashes is escaped."""
    plain = text.replace(b"\\\\", b"").decode()
    return plain.replace("\n", "").isprintable() and not re.search(r"\\[bfnrtu]", plain)


def _printing(value: Any) -> Any:
    if isinstance(value, dict):
        return {paths.printable(name): _printing(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_printing(one) for one in value]
    return paths.printable(value) if isinstance(value, str) else value


def _version(text: bytes) -> int | None:
    try:
        return msgspec.json.decode(text, type=_Versioned).format
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _damaged(name: str, why: str) -> RecordError:
    return RecordError(f"{name} is damaged: {why}", hint="take a copy of it, or run again")
