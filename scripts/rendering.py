"""What follows from the catalogue of knobs: the image's ENV, what every start checks, the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from repro_env.knob import NOT_SET
from repro_env.knobs import KNOBS, image_variables, portable_variables, variables
from repro_env.settings import in_words
from repro_env.sources import SOURCES

if TYPE_CHECKING:
    from repro_env.settings import Values

LEGAL = '''\
"""What every start checks: rendered by `scripts/knobs` from `repro_env/knobs.py`.

A module of its own: it is on the path of every Python start, and the catalogue is large.
"""

# Each variable, the values a process may start with (words, or whole numbers in a range), the one
# that this project sets, and whether a process with a seed must not start without it.
LEGAL = (
{rows})
'''
PORTABLE = '''\
"""What the profile `portable` sets: rendered by `scripts/knobs` from `repro_env/knobs.py`.

A module of its own: the start-up hook needs it under that profile alone.
"""

# Each variable and its value, where `{{threads}}` stands for `REPRO_THREADS`.
VALUES = (
{rows})
'''
PAGE = """\
# Knobs

Rendered by `scripts/knobs` from `repro_env/knobs.py`. `repro doctor` says of a process which of
them took effect. A dash: the profile sets none, and the run keeps what is there.

The image sets every variable of the profile `repeatable` in its `ENV`, so every door has it: SSH
sessions and notebook kernels take the container's environment whole. Switches are set by the
start-up hook, right after the user's own import of the library.

{knobs}

# Sources without a knob

{sources}
"""


LONGEST = 96  # in characters, indented by 4


def render(project: Path) -> dict[Path, str]:
    """Return the files that follow from the catalogue, and what each must hold."""
    dockerfile = project / "Dockerfile"
    return {
        dockerfile: _with_env(dockerfile.read_text()),
        project / "repro_env/legal.py": _legal(),
        project / "repro_env/portable.py": _portable(),
        project / "docs/knobs.md": _page(),
    }


def _with_env(dockerfile: str) -> str:
    pairs = [f"{name}={value}" for name, value in image_variables().items()]
    env = "ENV " + " \\\n    ".join(pairs) + "\n"
    block = re.compile(r"(?<=# knobs: begin\n).*?(?=# knobs: end\n)", re.DOTALL)
    return block.sub(lambda _: env, dockerfile)


def _legal() -> str:
    rows = [
        f'    ("{knob.name}", {_values(knob.legal)}, "{knob.repeatable}", {knob.required}),\n'
        for knob in variables()
        if knob.legal
    ]
    return LEGAL.format(rows="".join(rows))


def _portable() -> str:
    rows = [f'("{name}", "{value}"),' for name, value in portable_variables().items()]
    return PORTABLE.format(rows="".join(map(_row, rows)))


def _row(text: str) -> str:
    """Return a row of a tuple as the formatter lays it out."""
    if len(text) <= LONGEST:
        return f"    {text}\n"
    name, value = text[1:-2].split(", ", 1)
    return f"    (\n        {name},\n        {value},\n    ),\n"


def _values(legal: Values) -> str:
    if isinstance(legal, range):
        start = f"{legal.start}, " if legal.start else ""
        return f"range({start}{legal.stop})"
    return "(" + ", ".join(f'"{word}"' for word in legal) + ")"


def _page() -> str:
    columns = "knob, matters to, `repeatable`, `portable`, legal values, set it, without it, "
    rows = [
        [
            f"`{knob.name}`",
            ", ".join({"sys": "Python"}.get(name, name) for name in knob.modules)
            + (f" {knob.since[0]}.{knob.since[1]}+" if knob.since > (0, 0) else "")
            + (", on a GPU" if knob.gpu else ""),
            _cell(knob.repeatable),
            _cell(knob.portable),
            in_words(knob.legal) if knob.is_variable else "",
            knob.when,
            knob.why,
            f"`{knob.read}`" if knob.read else "the environment at exec and now",
            f"<{knob.source}>",
        ]
        for knob in KNOBS
    ]
    sources = [[one.name, one.remedy, f"<{one.source}>"] for one in SOURCES]
    return PAGE.format(
        knobs=_table(columns + "read back by, source", rows),
        sources=_table("source, what is done, more", sources),
    )


def _cell(value: str | None) -> str:
    return "-" if value is None else "not set" if value == NOT_SET else f"`{value}`"


def _table(columns: str, rows: list[list[str]]) -> str:
    names = columns.split(", ")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
