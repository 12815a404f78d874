"""What the tests of pages show: verifies that agree, that differ, that come from a stranger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from repro_env.records import record as records
from repro_env.records.record import Record
from repro_env.steps.stream import Entry, Stream
from repro_env.verification.outcome import Attempt, Cause, Divergence, NotVaried, Verification
from tests.conftest import PROJECT

RUNS = [f"20261126-1402{second}-case" for second in (11, 32, 53)]
NAMES = ("generator python", "loss", "gradient fc.weight", "parameter fc.weight")
HOSTILE = '</script></style><img src=x onerror="alert(1)">\u202e\ud800\n\'"<!-- ]]>'

Case = tuple[Verification, dict[str, Record], dict[str, list[Stream]]]


def record(run: str) -> Record:
    """Return the golden record under another name."""
    golden = (PROJECT / "tests" / "golden" / "record-1.json").read_bytes()
    return msgspec.structs.replace(records.from_bytes(golden), id=run)


def step(
    number: int,
    loss: float | None,
    names: tuple[str, ...] = NAMES,
    differing: Iterable[str] = (),
    source: str = "Adam",
) -> Entry:
    """Return an entry; the digests of what differs are other ones."""
    digests = (_digest(f"{number} {name} {name in differing}") for name in names)
    columns = tuple((name, "float32 [3]") for name in names)
    return Entry(source, number, loss, {}, columns, "".join(digests))


def of_entries(place: str, entries: Iterable[Entry]) -> Stream:
    """Return a stream of these entries."""
    return Stream(place, "xxh3_64", tuple(entries), ())


def stream(
    steps: int = 40,
    names: tuple[str, ...] = NAMES,
    differs: Callable[[int], bool] = lambda _: False,
    source: str = "Adam",
) -> Stream:
    """Return a stream; at steps that differ, everything but generators does."""
    other = [name for name in names if not name.startswith("generator")]
    return of_entries(
        "",
        [
            step(at, 2 / at + differs(at) / 1e6, names, other if differs(at) else (), source)
            for at in range(1, steps + 1)
        ],
    )


def attempt(run: str, divergences: Sequence[Divergence] = (), **fields: Any) -> Attempt:
    """Return an attempt, which differs where it has divergences."""
    plain = {
        "exit_status": 0,
        "timed_out": False,
        "duration_s": 18.4,
        "varied": [],
        "verdict": "different" if divergences else "identical bytes",
        "why": "",
        "divergences": list(divergences),
    }
    return Attempt(run=run, **{**plain, **fields})


def verification(attempts: Sequence[Attempt], **fields: Any) -> Verification:
    """Return a verify whose attempts agree, but for the fields that are given."""
    plain = {
        "format": 1,
        "id": "20261126-140211-v3rf",
        "written_by": "0.0.0",
        "started": "2026-11-26T14:02:11.000Z",
        "ended": "2026-11-26T14:03:14.000Z",
        "command": ["python", "train.py"],
        "reference": attempts[0].run,
        "attempts": list(attempts),
        "verdict": "identical bytes",
        "agreeing": len(attempts),
        "compared": ["outputs", "steps"],
        "shown_rate": 0.6316,
        "confidence": 0.95,
        "grade": "repeatable",
        "robust_to": [],
        "not_varied": [],
        "guilty": [],
        "cause": None,
        "notes": [],
    }
    return Verification(**{**plain, **fields})


def agreeing() -> Case:
    """Return three attempts that agree."""
    made = verification([attempt(run) for run in RUNS])
    return made, {run: record(run) for run in RUNS}, {run: [stream()] for run in RUNS}


def differing() -> Case:
    """Return three attempts, of which the second parts from the first at step 17."""
    first = Divergence(
        "step",
        "parameter fc.weight",
        "step 17 of Adam: parameter fc.weight differs",
        "aa",
        "bb",
        17,
        16,
    )
    attempts = [attempt(RUNS[0]), attempt(RUNS[1], [first], varied=["thread race"])]
    cause = Cause("Two more runs part in the module fc.", 17, "fc", ["fc: 31 of 4,096"], [])
    made = verification(
        [*attempts, attempt(RUNS[2])],
        verdict="different",
        agreeing=2,
        shown_rate=None,
        grade="none",
        guilty=["thread race"],
        cause=cause,
    )
    streams = {RUNS[0]: [stream()], RUNS[1]: [_parting()], RUNS[2]: [stream()]}
    return made, {run: record(run) for run in RUNS}, streams


def hostile() -> Case:
    """Return a verify in which every text that a stranger can choose tries to get out of it."""
    first = Divergence("step", HOSTILE, HOSTILE, HOSTILE, HOSTILE, 17, 16)
    made = verification(
        [attempt(RUNS[0]), attempt(RUNS[1], [first], varied=[HOSTILE], why=HOSTILE)],
        command=[HOSTILE],
        verdict="different",
        agreeing=1,
        shown_rate=None,
        grade="none",
        guilty=[HOSTILE],
        not_varied=[NotVaried(HOSTILE, HOSTILE)],
        cause=Cause(HOSTILE, 17, HOSTILE, [HOSTILE], []),
        notes=[HOSTILE],
        written_by=HOSTILE,
        started=HOSTILE,
    )
    streams = {RUNS[0]: [_renamed(stream())], RUNS[1]: [_renamed(_parting())]}
    return made, {run: _hostile_record(run) for run in RUNS[:2]}, streams


def _parting() -> Stream:
    """Return a stream in which the parameter differs at step 17, and the rest from then on."""
    entries = list(stream(differs=lambda at: at > 17).entries)
    entries[16] = step(17, 2 / 17, differing=["parameter fc.weight"])
    return of_entries("", entries)


def _renamed(plain: Stream) -> Stream:
    names = tuple((name + HOSTILE, HOSTILE) for name in NAMES)
    return of_entries(
        HOSTILE, [entry._replace(source=HOSTILE, columns=names) for entry in plain.entries]
    )


def _hostile_record(run: str) -> Record:
    plain = record(run)
    replace = msgspec.structs.replace
    texts = {HOSTILE: HOSTILE}
    return replace(
        plain,
        definition=replace(plain.definition, command=[HOSTILE], parameters=texts, variables=texts),
        observation=replace(
            plain.observation, reason=HOSTILE, notes=[HOSTILE], working_folder=HOSTILE
        ),
        outputs=[replace(plain.outputs[0], path=HOSTILE)],
    )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
