"""The states of all generators of this process: taken, put back, kept in a file.

What is put back goes on exactly as it would have gone on: `restore_rng(rng_state())` changes
nothing, and after `load_rng(path)` every draw is the one that followed `save_rng(path)`.

It is checked as a whole first: where anything doesn't fit, an error names all that doesn't, and
nothing has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from repro_env import processes, seeding
from repro_env.errors import StateError

FORMAT = "repro-env rng state"
VERSION = 1
OWN = "repro_env"
YOURS = "yours: "

Generators = Mapping[str, Any]


class RngState(NamedTuple):
    """What generators were about to draw.

    Args:
        versions: Of each library whose generators these are.
        states: Each generator's, by name, of JSON's types.
    """

    versions: Mapping[str, str]
    states: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """Return it as a file holds it: JSON, with a digest over all that counts."""
        content = {"versions": dict(self.versions), "states": dict(self.states)}
        document = {"format": FORMAT, "version": VERSION, "sha256": _digest(content), **content}
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def from_bytes(cls, text: bytes) -> RngState:
        """Read what `to_bytes` returned.

        Raises:
            StateError: It is something else, of a newer version, or damaged.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _damaged(f"is not JSON ({error})") from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise _damaged(f"does not say format: {FORMAT}")
        if document.get("version") != VERSION:
            raise StateError(
                f"the states are of version {document.get('version')!r}, this is {VERSION}",
                hint="read them with the version of repro-env that wrote them",
            )
        content = {name: document.get(name) for name in ("versions", "states")}
        if document.get("sha256") != _digest(content):
            raise _damaged("does not have the sha256 that it names")
        if not all(isinstance(part, dict) for part in content.values()):
            raise _damaged("lacks a part")
        return cls(**content)  # type: ignore[arg-type]


def rng_state(generators: Generators | None = None) -> RngState:
    """Return the states of Python's, NumPy's, PyTorch's, TensorFlow's and Keras's generators.

    Of those libraries, the ones that are imported. With them goes what repro-env counts: the
    run's seed, the children and the generators without a seed so far.

    Args:
        generators: Others to go with them, by names of your own: of `random`, NumPy, PyTorch or
            TensorFlow, such as a stream that is half drawn.

    Raises:
        StateError: One of them is no generator that can be kept.
    """
    live = _live(generators)
    own = {} if seeding.active is None else {OWN: _own_state(seeding.active.process)}
    states = {name: _library_of(name, thing).get_state(thing) for name, thing in live.items()}
    return RngState(_versions(), {**own, **states})


def restore_rng(state: RngState, generators: Generators | None = None) -> None:
    """Have every generator draw what followed when the state was taken.

    Args:
        state: What `rng_state` returned.
        generators: The same names as then; these generators are set in place.

    Raises:
        StateError: Something doesn't fit this process: another version of a library, another
            number of devices, a part that is missing on either side. Then nothing has changed.
    """
    if any(name.startswith("torch cuda:") for name in state.states) and "torch" in sys.modules:
        from repro_env.libraries import torch

        torch.begin_cuda()
    live = _live(generators)
    _check(state, live)
    _set_generators(state, live)
    if seeding.active is not None:
        seeding.active.process.forks = state.states[OWN]["forks"]
        seeding.active.process.unseeded = state.states[OWN]["unseeded"]


def save_rng(path: str | os.PathLike[str], generators: Generators | None = None) -> None:
    """Write `rng_state(generators)` into a file, whole or not at all.

    Raises:
        StateError: One of the generators can't be kept, or the file can't be written.
    """
    text = rng_state(generators).to_bytes()
    file = Path(path)
    try:
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            temporary.write_bytes(text)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)  # where it is not the file by now
    except (OSError, ValueError) as error:
        raise _unreachable(path, "written", error, "name a file in a folder of yours") from None


def load_rng(path: str | os.PathLike[str], generators: Generators | None = None) -> None:
    """Restore what `save_rng` wrote, as `restore_rng` does.

    Raises:
        StateError: The file is missing, damaged, or doesn't fit this process; then nothing has
            changed.
    """
    try:
        text = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise _unreachable(path, "read", error, "name a file that save_rng wrote") from None
    restore_rng(RngState.from_bytes(text), generators)


@contextmanager
def isolated_rng() -> Iterator[None]:
    """Draw inside as much as you like: outside, it has not happened, even after an error.

    A library that is imported inside is at its start outside, and another seed inside is the old
    one outside. Children that are forked inside are counted: they may live on.
    """
    before = rng_state()
    here = os.getpid()
    seeder = seeding.active
    process = seeder.process if seeder else None
    variables = {name: os.environ.get(name) for name in ("REPRO_SEED", "PYTHONHASHSEED")}
    try:
        yield
    finally:
        if os.getpid() == here:  # a child that leaves the body is not its parent
            if seeder is not None and process is not None and seeder.process is not process:
                seeder.process = process
                seeder.tell_children()
                _put_back(variables)
            _isolate(before)


def _put_back(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def _isolate(before: RngState) -> None:
    """Restore what was there before, and begin anew with what was not."""
    live = _live(None)
    known = {name: thing for name, thing in live.items() if name in before.states}
    _set_generators(before, known)
    if seeding.active is not None and OWN in before.states:
        seeding.active.process.unseeded = before.states[OWN]["unseeded"]
    if any(name.startswith("torch cuda:") for name in live.keys() - known.keys()):
        from repro_env.libraries import torch

        torch.reseed_cuda()
    for name in seeding.LIBRARIES.keys() - before.versions.keys():
        if seeding.active is not None and name in sys.modules:
            seeding.active.begin_again(name)


def _live(generators: Generators | None) -> dict[str, Any]:
    """Return all generators by name: the libraries' own, and the caller's."""
    live: dict[str, Any] = {}
    for name in seeding.LIBRARIES:
        if name in sys.modules:
            live.update(seeding.library(name).generators())
    return {**live, **{f"{YOURS}{name}": thing for name, thing in (generators or {}).items()}}


def _versions() -> dict[str, str]:
    loaded = [name for name in seeding.LIBRARIES if name in sys.modules]
    return {name: seeding.library(name).version() for name in loaded}


def _library_of(name: str, thing: Any) -> Any:
    """Return our module for the library that a generator is of."""
    for module in seeding.LIBRARIES:
        if module in sys.modules:
            library = seeding.library(module)
            if hasattr(library, "is_generator") and library.is_generator(thing):
                return library
    raise StateError(
        f"{name.removeprefix(YOURS)} is a {type(thing).__name__}, whose state can't be kept",
        hint="give generators of random, NumPy, PyTorch or TensorFlow",
    )


def _check(state: RngState, live: Mapping[str, Any]) -> None:
    """Collect all that doesn't fit, and say it at once."""
    wrong = _differences("versions", state.versions, _versions())
    own = {} if seeding.active is None else {OWN: _own_state(seeding.active.process)}
    there = dict.fromkeys(state.states)
    wrong += _differences("generators", there, dict.fromkeys((*own, *live)))
    for name, thing in live.items():
        if name in state.states:
            try:
                _library_of(name, thing).check_state(thing, state.states[name])
            except StateError:
                raise
            except Exception as error:
                wrong.append(f"the state of {name} is none of its kind ({error})")
    if OWN in there and own:
        wrong += _check_own(state.states[OWN], own[OWN])
    if wrong:
        raise StateError(
            "the states don't fit this process: " + "; ".join(sorted(wrong)),
            hint="import the same libraries of the same versions, and make the same generators, "
            "before you restore; nothing has changed",
        )


def _set_generators(state: RngState, live: Mapping[str, Any]) -> None:
    for name, thing in live.items():
        _library_of(name, thing).set_state(thing, state.states[name])
    if "torch cpu" in live and "torch cuda:0" not in live:  # CUDA has not begun
        from repro_env.libraries import torch

        torch.reseed_cuda()


def _own_state(process: seeding.Process) -> dict[str, Any]:
    return {
        "seed": process.seed,
        "place": processes.whereabouts(process),
        "forks": process.forks,
        "unseeded": process.unseeded,
    }


def _check_own(state: Any, now: Mapping[str, Any]) -> list[str]:
    """Return what of our own state doesn't fit: a stream follows from the seed and the rank."""
    is_ours = isinstance(state, dict) and state.keys() == now.keys()
    if not is_ours or any(type(state[count]) is not int for count in ("forks", "unseeded")):
        return [f"the state of {OWN} is none of its kind"]
    other = [name for name in ("seed", "place") if state[name] != now[name]]
    return [f"{name} was {state[name]!r} and is {now[name]!r}" for name in other]


def _differences(what: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return, in words, what two mappings don't share."""
    gone = [f"{what}: {name} is not here" for name in was.keys() - now.keys()]
    new = [f"{what}: {name} was not there" for name in now.keys() - was.keys()]
    other = [
        f"{what}: {name} was {was[name]} and is {now[name]}"
        for name in was.keys() & now.keys()
        if was[name] != now[name]
    ]
    return gone + new + other


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _damaged(how: str) -> StateError:
    return StateError(
        f"this is no file of generator states: it {how}", hint="name a file that save_rng wrote"
    )


def _unreachable(path: object, what: str, error: Exception, hint: str) -> StateError:
    reason = getattr(error, "strerror", None) or error
    return StateError(f"{os.fspath(path)!r} can't be {what}: {reason}", hint=hint)  # type: ignore[call-overload]
