"""What this machine, or this container, gives a process. Changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

CGROUP = Path("/sys/fs/cgroup")
SHARED_MEMORY = Path("/dev/shm")  # asked for its size


class Gpu(NamedTuple):
    """One GPU, in the words of its driver.

    Args:
        name: The model.
        capability: Its compute capability, as (major, minor).
        driver: The driver's version.
    """

    name: str
    capability: tuple[int, int]
    driver: str


class Machine(NamedTuple):
    """What decides a run's bits from outside.

    Args:
        gpus: In the driver's order; None where there are some and the driver doesn't say which.
        cpus: How many this process may use at once: those it may run on, and not more than the
            container's share of time.
        shared_memory: The size of `/dev/shm`, in bytes; None where there is none.
    """

    gpus: tuple[Gpu, ...] | None
    cpus: float
    shared_memory: int | None


def machine() -> Machine:
    """Return what this machine gives."""
    return Machine(_gpus(), _cpus(), _shared_memory())


def _gpus() -> tuple[Gpu, ...] | None:
    # Not through a framework: that would be to import it, and to begin with CUDA.
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):  # hidden
        return ()
    asked = "--query-gpu=name,compute_cap,driver_version"
    if shutil.which("nvidia-smi") is None:
        return None if Path("/dev/nvidia0").exists() else ()
    try:
        said = subprocess.run(
            ["nvidia-smi", asked, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        if said.returncode:
            return () if "No devices" in said.stdout else None
        return tuple(_gpu(line) for line in said.stdout.splitlines())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _gpu(line: str) -> Gpu:
    name, capability, driver = line.rsplit(", ", 2)
    major, minor = capability.split(".")
    return Gpu(name, (int(major), int(minor)), driver)


def _cpus() -> float:
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return min(allowed, _share() or allowed)


def _share() -> float | None:
    """Return how many CPUs' time the container may take; None where there is no limit."""
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:  # version 1 of control groups
            quota = (CGROUP / "cpu/cpu.cfs_quota_us").read_text()
            period = (CGROUP / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return None
    return None if quota in ("max", "-1\n") else int(quota) / int(period)


def _shared_memory() -> int | None:
    try:
        return shutil.disk_usage(SHARED_MEMORY).total
    except OSError:
        return None
