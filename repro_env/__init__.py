"""Runs that repeat bit for bit: seeds, knobs and the start-up hook of repro-env.

Nothing is imported here: the start-up hook pays for every module, in every Python process.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
