"""One stack: its image, its lock, and the settings that this machine builds it with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from images.lock import Lock, read_lock

from benchmark.engine import PROJECT, output

FRAMEWORKS = ("torch", "tensorflow")
CHOOSE = """
. scripts/environment.sh
choose_stack "$0"
choose_base
choose_mirrors "$(locked snapshot)"
choose_source
env -0
"""


class Stack(NamedTuple):
    """A stack by its name; two of the same name are the same."""

    name: str

    @property
    def image(self) -> str:
        """The image as its user has it."""
        return f"repro-env:{self.name}"

    @property
    def strangers_image(self) -> str:
        """The same with other packages on top, which only tests and benchmarks need."""
        return f"repro-env-strangers:{self.name}"

    @property
    def lock(self) -> Lock:
        """All that goes into the image."""
        return read_lock(PROJECT / f"stacks/{self.name}.lock")

    @property
    def frameworks(self) -> list[str]:
        """The frameworks that its Python lock holds."""
        locked = {package.name for package in self.lock.python}
        return [name for name in FRAMEWORKS if name in locked]

    def settings(self) -> Mapping[str, str]:
        """Return the environment of its builds: mirrors, base and certificates of this machine."""
        return _settings(self.name)

    def bake(self, tag: str, *options: str) -> list[str]:
        """Return the command that builds it, as `scripts/image` does, under another name."""
        bake = ["docker", "buildx", "bake", "--file", "docker-compose.yml", "--load"]
        return [*bake, "--provenance=false", f"--set=jupyter.tags={tag}", *options, "jupyter"]

    def build_os(self) -> str:
        """Build the Dockerfile's stage `os`, all of it cached where it can be; return its name."""
        name = f"repro-env-os:{self.name}"
        bake = self.bake(name, "--set=jupyter.target=os")
        output(*bake, env=self.settings(), quiet=True)
        return name


@cache
def _settings(name: str) -> Mapping[str, str]:
    chosen = output("bash", "-c", CHOOSE, name)
    return dict(variable.split("=", 1) for variable in chosen.split("\0") if variable)
