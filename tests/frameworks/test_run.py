"""`repro run` on PyTorch: its switches are read back at start and end."""

from __future__ import annotations

from tests.conftest import Project

BENCHMARK = "torch.backends.cudnn.benchmark"


def test_a_switch_that_a_program_changes_is_named(project: Project) -> None:
    project.write("change.py", f"import torch\n{BENCHMARK} = True\n")

    done = project.repro("run", "--", "python", "change.py")

    process = project.record()["observation"]["processes"][0]
    assert process["knobs_at_start"][BENCHMARK] == "False"
    assert process["knobs_at_end"][BENCHMARK] == "True"
    assert process["changes"] == [{"name": BENCHMARK, "was": "False", "now": "True", "where": ""}]
    assert BENCHMARK in done.stderr


def test_a_program_that_leaves_the_switches_alone_has_no_changes(project: Project) -> None:
    record = project.run("--", "python", "-c", "import torch")

    process = record["observation"]["processes"][0]
    assert process["knobs_at_end"][BENCHMARK] == "False"
    assert process["changes"] == []
    assert process["libraries"]["torch"]
    assert record["definition"]["knobs"]["values"] == process["knobs_at_end"]
