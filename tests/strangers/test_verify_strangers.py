"""`repro verify` of files whose bytes differ each time, and whose content doesn't."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import PROJECT, Project
from tests.test_verify import verified


@pytest.mark.parametrize(
    ("program", "output", "form"),
    [
        pytest.param("metadata", "weights.safetensors", "safetensors", id="order of metadata"),
        pytest.param("times", "array.h5", "hdf5", id="times in HDF5"),
    ],
)
def test_other_bytes_of_the_same_content_are_harmless_and_that_is_said(
    project: Project, program: str, output: str, form: str
) -> None:
    shutil.copyfile(PROJECT / "tests" / "programs" / f"{program}.py", project.folder / "it.py")

    answer = verified(project, "--", "python", "it.py")

    assert answer["verdict"] == "identical content"
    why = next(one["why"] for one in answer["attempts"] if one["why"])
    assert why.startswith(f"{output}: {form}: the same content, written otherwise")
