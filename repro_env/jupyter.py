"""IPython, in a notebook's kernel or a terminal: the first cell sees the seed's first numbers.

A kernel may draw while it starts, and front ends run cells of their own that no user sees, so
the process is seeded again just before the first cell that is the user's.

`%repro doctor` looks into the kernel itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro_env import seeding, watching

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add `%repro`; where there is a seed, seed again before the first cell of the user's."""
    _add_magic(shell)
    seeder = seeding.active
    if seeder is None:
        return

    def seed_first_cell(info: ExecutionInfo) -> None:
        if not info.store_history:  # a hidden cell, the front end's own
            return
        shell.events.unregister("pre_run_cell", seed_first_cell)
        try:
            seeder.move(seeder.process.place)
        except Exception as error:  # IPython would print it and run the cell
            seeding.stop(error)

    shell.events.register("pre_run_cell", seed_first_cell)


def _add_magic(shell: InteractiveShell) -> None:
    watch = watching.Watch()
    watch.start()

    def repro(line: str) -> None:
        """`%repro doctor`: say of every determinism knob whether it took effect in this kernel."""
        from repro_env import doctor, report

        if line.strip() != "doctor":
            print(f"error: %repro {line} is unknown\n  what to do: %repro doctor")
            return
        print(report.text(doctor.diagnose([watch.look("still running")])), end="")

    shell.register_magic_function(repro, "line", "repro")
