"""Give another Python environment the start-up hook, and take it away again.

Only the image's own environment has it from the start. What is put into another one is what pip
would have installed there from our wheel, so `pip list` shows it and `pip uninstall` removes it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from repro_env.errors import HookError

NAME = "repro-env"
HOOK = "repro_env.pth"
OLDEST = (3, 9)

DESCRIBE = """
import json, site, sys, sysconfig
print(json.dumps({
    "version": sys.version_info[:2],
    "packages": sysconfig.get_path("purelib"),
    "own_packages": site.getusersitepackages() if site.ENABLE_USER_SITE else None,
}))
"""
PROVE = "import random; print(random.random() == random.Random(42).random())"


class Environment(NamedTuple):
    """What another interpreter says of itself.

    Args:
        python: Its command.
        version: Major and minor.
        folders: Where it looks for packages and `.pth` files, the first the better place.
    """

    python: str
    version: tuple[int, int]
    folders: tuple[Path, ...]


def install(python: str) -> Path:
    """Put the hook into an interpreter's environment, and see that it works there.

    Args:
        python: The interpreter: a path, or a name on `PATH`.

    Returns:
        The folder that it was put into: the environment's own, or the user's where that is not
        writable.

    Raises:
        HookError: That is no Python of 3.9 or newer, no folder can be written, or the hook does
            not seed there.
    """
    environment = _describe(python)
    if environment.version < OLDEST:
        raise HookError(
            f"{python!r} is Python {_words(environment.version)}, and the hook needs 3.9 or newer",
            hint="name another interpreter",
        )
    files = _our_files()
    folder = _writable(environment)
    _write(folder, files)
    if _run(environment.python, PROVE, REPRO_SEED="42", PYTHONHASHSEED="0") != "True":
        remove(python)
        raise HookError(
            f"{python!r} does not run the hook that was put into {folder}, so it is removed again",
            hint="see whether it skips `site`, as with PYTHONNOUSERSITE or -S",
        )
    return folder


def remove(python: str) -> list[Path]:
    """Take the hook out of an interpreter's environment.

    Returns:
        The folders that held it; none where there was nothing to remove.

    Raises:
        HookError: That is no Python, or a folder can't be written.
    """
    held = [folder for folder in _describe(python).folders if (folder / HOOK).exists()]
    for folder in held:
        try:
            (folder / HOOK).unlink()  # first: without it the rest does nothing
            for left in (folder / "repro_env", *folder.glob("repro_env-*.dist-info")):
                if left.exists():  # a copy that was cut short
                    shutil.rmtree(left)
        except OSError as error:
            raise HookError(
                f"{error.filename} can't be removed: {error.strerror}",
                hint="run this as the one whom it belongs to",
            ) from None
    return held


def is_in(python: str) -> bool:
    """Say whether an interpreter has the hook; what can't be run has none."""
    try:
        return _run(python, "import sys; print('repro_env.startup' in sys.modules)") == "True"
    except OSError:
        return False


def _describe(python: str) -> Environment:
    try:
        said = json.loads(_run(python, DESCRIBE, REPRO_DISABLE="1"))
        version = (int(said["version"][0]), int(said["version"][1]))
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise HookError(
            f"{python!r} is no Python that can be asked: {error}",
            hint="name an interpreter, such as .venv/bin/python",
        ) from None
    folders = [said["packages"], said["own_packages"]]
    return Environment(python, version, tuple(Path(folder) for folder in folders if folder))


def _run(python: str, code: str, **variables: str) -> str:
    """Return what code prints there, whatever this process's own environment points to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REPRO_")}
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        kept.pop(name, None)
    result = subprocess.run(
        [shutil.which(python) or python, "-c", code],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip()


def _writable(environment: Environment) -> Path:
    for folder in environment.folders:
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if os.access(there, os.W_OK):
            return folder
    raise HookError(
        f"{environment.python!r} has no folder for packages that you can write: "
        + ", ".join(map(str, environment.folders)),
        hint="make an environment of your own: python3 -m venv FOLDER",
    )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    except OSError as error:
        raise HookError(
            f"{error.filename} can't be written: {error.strerror}", hint="mend that, and try again"
        ) from None


def _our_files() -> dict[str, bytes]:
    """Return what pip installed of us, by its path below the packages' folder; the hook last."""
    from importlib import metadata  # a third of a run's own imports, and needed here alone

    ours = metadata.distribution(NAME) if any(metadata.distributions(name=NAME)) else None
    paths = [] if ours is None else ours.files or []
    # Without the command, which stays here: pip would take a `repro` of somebody else's with us.
    left_out = {"..", "__pycache__", "entry_points.txt"}
    inside = [path for path in paths if left_out.isdisjoint(path.parts)]
    names = {path.as_posix() for path in inside}
    if not {HOOK, "repro_env/__init__.py"} <= names:
        raise HookError(
            "this environment has no installed repro-env to copy", hint="pip install the project"
        )
    files = {path.as_posix(): Path(str(path.locate())).read_bytes() for path in inside}
    about = next(name for name in files if name.endswith(".dist-info/RECORD")).rpartition("/")[0]
    metadata_file, record = f"{about}/METADATA", f"{about}/RECORD"
    files[metadata_file] = _without_requirements(files[metadata_file])
    files[record] = _record(files[record].decode(), names, metadata_file)
    return {**{name: text for name, text in files.items() if name != HOOK}, HOOK: files[HOOK]}


def _without_requirements(text: bytes) -> bytes:
    """Return metadata that asks for nothing: the hook needs only Python; the command stays here."""
    lines = text.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"Requires-Dist:"))


def _record(text: str, names: set[str], changed: str) -> bytes:
    """Return the list of files for `pip uninstall`, without those that stay here."""
    rows = [row for row in csv.reader(io.StringIO(text)) if row and row[0] in names]
    kept = [[row[0], "", ""] if row[0] == changed else row for row in rows]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(kept)
    return written.getvalue().encode()


def _words(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
