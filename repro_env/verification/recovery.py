"""Put back the files that a killed verify has kept."""

from __future__ import annotations

from pathlib import Path

from repro_env import paths
from repro_env.errors import RecordError
from repro_env.runs import store
from repro_env.runs.store import Store
from repro_env.verification import attempts, starting
from repro_env.verification.laboratory import LEFT
from repro_env.verification.starting import StartingFiles


def interrupted(runs: Store) -> list[Path]:
    """Return the verifications that were killed, and whose files may have to be put back."""
    if not runs.verifications.is_dir():
        return []
    found = sorted(runs.verifications.iterdir())
    return [one for one in found if starting.is_kept(one) and not store.is_running(one)]


def check_none_is_interrupted(runs: Store, root: Path) -> None:
    """Refuse to begin where a killed verify has left a folder as its attempt had it.

    Raises:
        RecordError: There is one.
    """
    for folder in interrupted(runs):
        if starting.folder_of(folder) == root:
            raise RecordError(
                f"the verify {folder.name} could not put everything back, and "
                f"{paths.to_text(root)} is as its attempt left it",
                hint="put its files back: repro verify --restore (nothing is overwritten: what is "
                "there now is moved aside)",
            )


def restore(runs: Store) -> list[tuple[Path, Path]]:
    """Put back what killed verifies have kept.

    Returns:
        Of each, the folder, and where what was made or changed in it is now.
    """
    done = []
    with runs.verifying():
        for kept in interrupted(runs):
            folder = starting.folder_of(kept)
            aside = kept / LEFT
            with attempts.unhurried():
                StartingFiles(folder, kept).restore(aside)
                starting.forget(kept)
            done.append((folder, aside))
    return done
