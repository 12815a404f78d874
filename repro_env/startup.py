"""The start-up hook: seeds a Python process before any of the user's code runs.

`repro_env.pth`, in the environment's site-packages, calls `start` in every interpreter, through
every door. It does nothing unless `REPRO_SEED` is set, and it never lets a process run that
would break the promise: `site` prints a hook's exception and carries on, so this one leaves.
"""

import os

from repro_env import seeding, settings

# What `REPRO_DISABLE=1` took out of the environment, for a server that seeds its children.
_removed: "dict[str, str]" = {}


def start() -> None:
    """Seed this process as its environment asks, or end it with status 2."""
    try:
        if "REPRO_DOCTOR" in os.environ:
            from repro_env import witness

            witness.start(os.environ["REPRO_DOCTOR"])
        name, threads = settings.read_profile(os.environ)
        if name == "portable":
            from repro_env import profile

            profile.apply(threads, seeding.stop)
        seed = settings.read_seed(os.environ)
        if seed is not None:
            seeding.install(seed, seeding.stop)
        elif settings.is_disabled(os.environ):
            _disable()
        if "REPRO_TRACE" in os.environ:
            from repro_env.trace import tracer

            tracer.start(os.environ["REPRO_TRACE"])
    except Exception as error:
        seeding.stop(error)


def _disable() -> None:
    """Take TensorFlow's switch away: with it and without a seed, everything random raises."""
    if "TF_DETERMINISTIC_OPS" in os.environ:
        _removed["TF_DETERMINISTIC_OPS"] = os.environ.pop("TF_DETERMINISTIC_OPS")


def enable_children() -> None:
    """Undo `REPRO_DISABLE=1` for children: a server isn't seeded, its kernels are.

    Only where the entrypoint has set it (it says so in `REPRO_SEED_CHILDREN`), not the user.
    """
    if os.environ.pop("REPRO_SEED_CHILDREN", "") == "1":
        os.environ.pop("REPRO_DISABLE", None)
        os.environ.update(_removed)
