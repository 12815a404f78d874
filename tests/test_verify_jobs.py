"""`repro verify --jobs`: attempts side by side, in copies of the files."""

from __future__ import annotations

import pytest

from tests.conftest import Project
from tests.test_verify import ENTROPY, TRAIN, files, names, verified

HOW_IT_WAITS = """
import os
at = os.environ.get
open("waits", "w").write(f"{at('OMP_WAIT_POLICY')} {at('GOMP_SPINCOUNT')}")
"""


def test_side_by_side_gives_the_same_verdict_and_leaves_no_copy(project: Project) -> None:
    project.commit(train_py=TRAIN, other_py=ENTROPY)
    before = files(project.folder)

    same = verified(project, "-n", "4", "--jobs", "2", "--", "python", "train.py")
    other = verified(project, "-n", "4", "--jobs", "2", "--", "python", "other.py", status=1)

    assert (same["verdict"], len(same["attempts"])) == ("identical bytes", 4)
    assert other["verdict"] == "different"
    assert files(project.folder) == before
    assert not names(project.folder / ".repro" / "work")


@pytest.mark.parametrize(
    ("jobs", "variables", "expected"),
    [
        ("2", {}, "passive None"),
        ("1", {}, "None None"),
        ("2", {"OMP_WAIT_POLICY": "active"}, "active None"),
        ("2", {"GOMP_SPINCOUNT": "5"}, "None 5"),
    ],
)
def test_threads_that_wait_leave_their_core_to_the_attempts_beside(
    project: Project, jobs: str, variables: dict[str, str], expected: str
) -> None:
    project.commit(train_py=HOW_IT_WAITS)
    project.environ.pop("OMP_WAIT_POLICY", None)

    done = project.repro(
        "verify", "-n", "2", "--jobs", jobs, "--", "python", "train.py", **variables
    )

    assert done.returncode == 0, done.stderr
    assert how_they_waited(project) == {expected}


def test_an_attempt_that_is_made_alone_waits_like_those_beside_each_other(project: Project) -> None:
    project.commit(train_py=HOW_IT_WAITS + "open('hash', 'w').write(str(hash('a')))")
    project.environ.pop("OMP_WAIT_POLICY", None)

    asked = ["-n", "2", "--jobs", "2", "--vary", "hash-seed,time-zone"]
    answer = verified(project, *asked, "--", "python", "train.py", status=1)

    assert answer["guilty"] == ["hash-seed"]
    assert how_they_waited(project) == {"passive None"}


def how_they_waited(project: Project) -> set[str]:
    """What each attempt found."""
    found = [path.read_text() for path in project.folder.glob(".repro/runs/*/outputs/waits")]
    assert len(found) > 1
    return set(found)
