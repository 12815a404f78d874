"""`repro run` on large outputs: on the host alone, since it takes half a minute."""

from __future__ import annotations

from tests.conftest import Project


def test_a_sparse_output_of_8_gib_is_digested(project: Project) -> None:
    record = project.run("--", "truncate", "-s", "8G", "sparse")

    assert record["outputs"][0]["size_bytes"] == 8 * 2**30
    # Of 8 GiB of zeros, by sha256sum.
    assert (
        record["outputs"][0]["sha256"]
        == "ebfb4ef19ae410f190327b5ebd312711263bc7579970e87d9c1e2d84e06b3c25"
    )
