"""What every start checks: rendered by `scripts/knobs` from `repro_env/knobs.py`.

A module of its own: it is on the path of every Python start, and the catalogue is large.
"""

# Each variable, the values a process may start with (words, or whole numbers in a range), the one
# that this project sets, and whether a process with a seed must not start without it.
LEGAL = (
    ("REPRO_SEED", range(4294967296), "42", False),
    ("PYTHONHASHSEED", range(4294967296), "0", True),
    ("REPRO_UNSEEDED", ("derive", "warn", "off"), "derive", False),
    ("TF_DETERMINISTIC_OPS", ("1", "true", "0", "false"), "1", False),
    ("TORCHINDUCTOR_DETERMINISTIC", ("1", "0"), "1", False),
    ("CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8"), ":4096:8", False),
    ("REPRO_PROFILE", ("repeatable", "portable"), "repeatable", False),
    ("REPRO_THREADS", range(1, 1025), "", False),
)
