"""Records: their bytes, what damages them, and which are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from repro_env.errors import RecordError
from repro_env.records import record
from tests.conftest import PROJECT

GOLDEN = sorted((PROJECT / "tests" / "golden").glob("record-*.json"))


def golden() -> bytes:
    return GOLDEN[-1].read_bytes()


def rewritten(**changes: Any) -> bytes:
    """The golden record with other values, and a digest that fits."""
    plain = {**json.loads(golden()), **changes, "digest": record.NO_DIGEST}
    text = json.dumps(plain, indent=1).encode()
    digest = hashlib.sha256(text).hexdigest()
    return text.replace(record.NO_DIGEST.encode(), digest.encode(), 1)


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.name)
def test_every_released_record_stays_readable(file: Path) -> None:
    found = record.from_bytes(file.read_bytes())

    assert found.id == "20261121-120000-gldn"
    assert found.definition.command == ["python", "train.py"]


def test_there_is_a_golden_record_for_this_format() -> None:
    assert f"record-{record.FORMAT}.json" in [file.name for file in GOLDEN]


def test_a_record_survives_its_bytes() -> None:
    found = record.from_bytes(golden())

    again = record.from_bytes(record.to_bytes(found))

    assert again == found
    assert record.to_bytes(again) == record.to_bytes(found)


def test_the_digest_is_what_the_format_says() -> None:
    text = golden()
    digest = json.loads(text)["digest"]

    assert hashlib.sha256(text.replace(digest.encode(), b"0" * 64)).hexdigest() == digest


def test_the_definition_s_digest_is_that_of_its_canonical_json() -> None:
    definition = json.loads(golden())["definition"]
    # No floating-point numbers and no keys beyond ASCII: here sorted JSON is canonical JSON.
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    found = record.from_bytes(golden())

    assert record.digest_of(found.definition) == hashlib.sha256(text.encode()).hexdigest()
    assert found.definition_digest == record.digest_of(found.definition)


def test_damage_of_any_byte_is_noticed() -> None:
    text = golden()

    for at in range(len(text)):
        for damaged in (text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :], text[:at]):
            with pytest.raises(RecordError):
                record.from_bytes(damaged)


def test_a_newer_format_is_refused_with_advice() -> None:
    with pytest.raises(RecordError, match=r"(?s)format 2.*install the repro-env") as caught:
        record.from_bytes(rewritten(format=2))

    assert "damaged" not in str(caught.value)


def test_an_unknown_field_is_refused() -> None:
    record.from_bytes(rewritten())
    with pytest.raises(RecordError, match="unknown field `more`"):
        record.from_bytes(rewritten(more=1))


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"null", b"\x00", b'{"format": "1"}', b"\xff\xfe"]
)
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(RecordError, match="no record"):
        record.from_bytes(text)


def test_absence_is_explicit() -> None:
    plain = json.loads(golden())

    def nulls(value: Any) -> list[Any]:
        inner = (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        )
        return [value] * (value is None) + [found for one in inner for found in nulls(one)]

    assert nulls(plain) == []
    assert plain["definition"]["image"] == {
        "status": "unavailable",
        "reason": "not in one of our images",
    }


def test_the_schema_accepts_records_and_nothing_else() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(record.schema())

    jsonschema.validate(json.loads(golden()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(golden()), "state": "lost"}, schema)


def test_types_are_strict() -> None:
    definition = {**json.loads(golden())["definition"], "seed": "42"}

    with pytest.raises(RecordError, match="seed"):
        record.from_bytes(rewritten(definition=definition))


def test_records_are_frozen() -> None:
    found = record.from_bytes(golden())

    with pytest.raises(AttributeError):
        found.id = "other"  # type: ignore[misc]
    assert msgspec.structs.replace(found, id="other").id == "other"


def test_the_pages_and_schemas_follow_from_the_types() -> None:
    pages = pytest.importorskip("record_pages")

    for path, text in pages.render(PROJECT).items():
        assert path.read_text() == text, "run scripts/records"


def test_a_field_without_a_meaning_is_an_error() -> None:
    pages = pytest.importorskip("record_pages")

    with pytest.raises(ValueError, match="has no meaning"):
        pages._meaning("A thing.\n\nArgs:\n    one: Something.\n", "other")
