"""In the image: the first cell of a kernel sees the seed's first numbers, whatever ran before."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

DRAW = "import random; print(random.random())"
StartKernel = Callable[..., "Kernel"]


class Kernel:
    """A real kernel, reached over its own protocol."""

    def __init__(self, **env: str) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel(env={**os.environ, **env})
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, store_history: bool = True) -> str:
        printed: list[str] = []

        def keep(message: dict[str, dict[str, str]]) -> None:
            printed.append(message["content"].get("text", ""))

        self.client.execute_interactive(
            code, store_history=store_history, output_hook=keep, timeout=60
        )
        return "".join(printed).strip()

    def restart(self) -> None:
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=60)

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        for side in (self.client, self.manager):
            side.context.destroy(linger=0)  # or it warns when it is collected, in another test


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[StartKernel]:
    """Start kernels with an IPython folder of their own, whose start-up file draws."""
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "draws.py").write_text("import random\nfor _ in range(10): random.random()\n")
    kernels: list[Kernel] = []

    def start(**env: str) -> Kernel:
        kernels.append(Kernel(IPYTHONDIR=str(tmp_path), **env))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.stop()


def first_numbers(count: int) -> list[str]:
    generator = random.Random(42)
    return [str(generator.random()) for _ in range(count)]


def test_the_first_cell_sees_the_first_number_although_start_up_drew(
    start_kernel: StartKernel,
) -> None:
    kernel = start_kernel()

    assert [kernel.run(DRAW), kernel.run(DRAW)] == first_numbers(2)


def test_disabled_the_first_cell_sees_anything(start_kernel: StartKernel) -> None:
    drawn = {start_kernel(REPRO_DISABLE="1").run(DRAW) for _ in range(2)}

    assert len(drawn | {first_numbers(1)[0]}) == 3


def test_hidden_cells_do_not_count_as_the_first(start_kernel: StartKernel) -> None:
    kernel = start_kernel()

    hidden = [kernel.run(DRAW, store_history=False) for _ in range(3)]

    assert len(set(hidden)) == 3
    assert kernel.run(DRAW) == first_numbers(1)[0]


def test_a_hidden_cell_after_the_first_does_not_rewind(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    kernel.run(DRAW)
    kernel.run("pass", store_history=False)

    assert kernel.run(DRAW) == first_numbers(2)[1]


def test_restarting_the_kernel_starts_again(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    kernel.run(DRAW)

    kernel.restart()

    assert kernel.run(DRAW) == first_numbers(1)[0]


def test_a_framework_imported_by_a_start_up_file_is_seeded_for_the_first_cell(
    start_kernel: StartKernel, tmp_path: Path
) -> None:
    startup = tmp_path / "profile_default" / "startup" / "torch.py"
    startup.write_text("import torch\ntorch.rand(3)\n")
    expected = "import torch; torch.manual_seed(42); print(torch.rand(1).item())"

    kernel = start_kernel()

    assert kernel.run("import torch; print(torch.rand(1).item())") == kernel.run(expected)


def test_the_doctor_looks_into_the_kernel_itself(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    kernel.run("import torch")

    healthy = kernel.run("%repro doctor")
    kernel.run("import os\nos.environ['TZ'] = 'Asia/Tokyo'; torch.backends.cudnn.benchmark = True")
    spoiled = kernel.run("%repro doctor")

    assert re.search(r"^torch\.use_deterministic_algorithms +True +True +ok$", healthy, re.M)
    assert healthy.endswith("all is well")
    assert "  what to do: take out line 2 of a cell" in spoiled
    assert "  what to do: take out what sets torch.backends.cudnn.benchmark to True" in spoiled
    assert spoiled.endswith("something is not well: see what to do, above")


def test_the_magic_says_what_it_knows(start_kernel: StartKernel) -> None:
    assert "what to do: %repro doctor" in start_kernel().run("%repro verify")
