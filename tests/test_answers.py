"""What commands answer to machines is what its schema says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import PROJECT, Project

jsonschema = pytest.importorskip("jsonschema")


def check(text: str, name: str) -> Any:
    """Validate an answer, and return it."""
    schema = json.loads((PROJECT / "docs" / "answers.schema.json").read_text())
    answer = json.loads(text)
    jsonschema.validate(answer, {**schema, "$ref": f"#/$defs/{name}"})
    return answer


@pytest.fixture
def ran(project: Project) -> Project:
    """A project with two runs that differ, and a damaged record."""
    project.write(".gitignore", "made.json")
    project.commit(train_py="open('made.json', 'w').write('[1]')")
    project.run("--", "true")
    damaged = project.folder / ".repro" / "runs" / project.record()["id"] / "run.json"
    project.run("--", "python", "train.py")
    project.write("train.py", "open('made.json', 'w').write('[2]')")
    project.run("--", "python", "train.py")
    damaged.write_text("{")
    return project


def test_lists_are_as_the_schema_says(ran: Project) -> None:
    listed = json.loads(ran.repro("list", "--json").stdout)

    states = [check(json.dumps(one), "Listed")["state"] for one in listed]
    assert states == ["unreadable", "complete", "complete"]


def test_differences_are_as_the_schema_says(ran: Project) -> None:
    first, second = (one["id"] for one in json.loads(ran.repro("list", "--json").stdout)[1:])
    ran.write("a.json", "[1]")
    ran.write("b.json", "[2]")

    runs = check(ran.repro("diff", "--json", first, second).stdout, "RunsCompared")
    files = check(ran.repro("diff", "--json", "a.json", "b.json").stdout, "FilesCompared")

    assert runs["comparison"]["verdict"] == files["verdict"] == "different"


def test_replays_are_as_the_schema_says(ran: Project) -> None:
    file = f".repro/runs/{ran.record()['id']}/run.json"

    dry = check(ran.repro("replay", "--json", "--dry-run", file).stdout, "Replay")
    done = check(ran.repro("replay", "--json", file).stdout, "Replay")

    assert (dry["now"], dry["compared"]) == ("", None)
    assert done["compared"]["comparison"]["verdict"] == "identical bytes"


def test_removals_are_as_the_schema_says(ran: Project) -> None:
    collected = check(ran.repro("gc", "--json", "--keep", "0").stdout, "Collected")

    assert len(collected["runs"]) == 3


def test_records_are_as_their_schema_says(ran: Project) -> None:
    schema = json.loads((PROJECT / "docs" / "record.schema.json").read_text())

    jsonschema.validate(ran.record(), schema)


def test_another_answer_is_none() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check('{"runs": []}', "Collected")
