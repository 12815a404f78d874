"""Judge what was seen of one process: one row for each knob that matters to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from repro_env.knob import BEFORE_CUDA, BEFORE_IMPORT, NOT_SET, THREADS, Knob, Profile
from repro_env.knobs import KNOBS

OK = "ok"
MISSING = "missing"
WRONG = "wrong value"
TOO_LATE = "too late"
INERT = "inert"
OVERRIDDEN = "overridden"
UNKNOWN = "unknown"

# What a program may call to change what a variable has set; the others stay as they were read.
CALLS = {
    "OMP_NUM_THREADS": "torch.set_num_threads()",
    "OMP_DYNAMIC": "omp_set_dynamic()",
    "OPENBLAS_NUM_THREADS": "threadpoolctl.threadpool_limits()",
    "MKL_NUM_THREADS": "torch.set_num_threads()",
    "MKL_DYNAMIC": "mkl_set_dynamic()",
    "MKL_CBWR": "mkl_cbwr_set()",
    "TF_NUM_INTRAOP_THREADS": "tf.config.threading.set_intra_op_parallelism_threads()",
    "TF_NUM_INTEROP_THREADS": "tf.config.threading.set_inter_op_parallelism_threads()",
}


class Row(NamedTuple):
    """One knob in one process.

    Args:
        knob: Its name.
        wanted: The profile's value.
        found: What is in effect.
        verdict: One of those above; `docs/doctor.md` says what each means.
        why: What happened, in words; empty if all is well.
        advice: One action; empty where there is nothing to be done.
    """

    knob: str
    wanted: str
    found: str
    verdict: str
    why: str = ""
    advice: str = ""


class Seen(NamedTuple):
    """A process as `watching` saw it, and what must be asked from outside.

    Args:
        report: What `watching.Watch.look` returned.
        has_gpu: Whether there is a GPU that a framework could use; None where it can't be told.
        hash_holds: Whether texts have the hashes that `PYTHONHASHSEED` at exec stands for; None
            where that can't be told.
    """

    report: Mapping[str, Any]
    has_gpu: bool | None
    hash_holds: bool | None


def judge(seen: Seen) -> list[Row]:
    """Return one row for each knob that matters to a process, in the catalogue's order.

    None where the process was not seen as it ended: what it was then is not known.
    """
    rows: list[Row] = []
    if not seen.report["ended"]:
        return rows
    profile = Profile(*seen.report["profile"])
    for knob in KNOBS:
        loaded = [name for name in knob.modules if name == "sys" or name in _versions(seen)]
        if loaded:
            judged = _variable if knob.is_variable else _switch
            row = judged(knob, seen, profile)
            if row is not None:
                rows.append(row)
    return rows


def _versions(seen: Seen) -> dict[str, str]:
    versions: dict[str, str] = seen.report["libraries"]
    return versions


def _too_old(knob: Knob, seen: Seen) -> str:
    """Return the library that is too old to know the knob, with its version; else nothing."""
    for name in knob.modules:
        found = _versions(seen).get(name, "")
        numbers = re.match(r"(\d+)\.(\d+)", found)
        if numbers and (int(numbers[1]), int(numbers[2])) < knob.since:
            return f"{name} {found}"
    return ""


def _variable(knob: Knob, seen: Seen, profile: Profile) -> Row | None:
    start = seen.report["at exec"].get(knob.name)
    now = seen.report["now"].get(knob.name)
    changes = [one for one in seen.report["changes"] if one["name"] == knob.name]
    in_time = [one["value"] for one in changes if _is_in_time(knob, one)]
    was_read = in_time[-1] if in_time else start  # by whoever reads it, as far as that is known
    wanted = knob.wanted(profile)
    if wanted is None:
        return None if was_read == now else _late(knob, now, was_read, changes)
    old = _too_old(knob, seen)
    if old:
        return Row(knob.name, _said(wanted), _said(now), INERT, f"{old} knows no such variable")
    if knob.name == "PYTHONHASHSEED" and knob.serves(start, profile) and not seen.hash_holds:
        return _hash(knob, seen, start)
    reading = seen.report["in effect"].get(knob.name, {})
    effective = _value(reading["value"]) if "value" in reading else was_read
    is_child = "process " in seen.report["seeds"]["place"]
    if knob.portable == THREADS and effective == "1" and is_child and start == now:
        return Row(knob.name, "1", "1", OK)  # PyTorch sees to that in a DataLoader's workers

    if knob.serves(effective, profile):
        is_default = now is None and "value" in reading
        if effective == now or (start == now and (is_default or knob.serves(now, profile))):
            row = Row(knob.name, _said(wanted), _said(effective), OK)
            return _well(knob, seen, row._replace(why=_unread(knob, reading)))
    if knob.repeatable is None and knob.serves(start, profile):  # the start-up hook has set it
        spoils = [one for one in changes if not knob.serves(one["value"], profile)]
        is_right = knob.serves(was_read, profile) and knob.serves(effective, profile)
        row = Row(knob.name, _said(wanted), _said(effective), OK)
        return (_in_vain if is_right else _changed)(row, spoils)
    if start != now:
        if knob.serves(now, profile):
            return _late(knob, now, effective, changes)
        return _overridden(knob, wanted, now, changes)
    if knob.serves(now, profile):
        return _overridden(knob, wanted, effective, changes)
    return _wrong(knob, wanted, now)


def _well(knob: Knob, seen: Seen, row: Row) -> Row:
    if not knob.gpu or seen.has_gpu:
        return row
    reason = "there is no GPU here that reads it"
    if seen.has_gpu is None:
        reason = "whether a GPU is here can't be told"
    return row._replace(verdict=UNKNOWN, why=f"the environment is right; {reason}")


def _unread(knob: Knob, reading: Mapping[str, str]) -> str:
    """Return why only the variable tells that all is well; empty where it was read back."""
    if knob.repeatable is None and "unreadable" in reading:
        return f"going by the variable: {reading['unreadable']}"
    return ""


def _in_vain(row: Row, spoils: list[Any]) -> Row:
    """Return the row of a variable that was changed after the library had read it."""
    where = _where(spoils)
    return row._replace(
        verdict=TOO_LATE,
        why=f"it was changed{where}, but it counts only before the library is imported",
        advice="" if "-packages/" in where else _take_out(where),
    )


def _changed(row: Row, spoils: list[Any]) -> Row:
    """Return the row of what was right at the start, and is something else in the end."""
    where = _where(spoils)
    said = f"it was right at the start, and the program changed it{where}"
    if spoils:
        return row._replace(verdict=OVERRIDDEN, why=said, advice=_take_out(where))
    if row.knob in CALLS:
        call = f"by a call such as {CALLS[row.knob]}"
        return row._replace(verdict=OVERRIDDEN, why=f"{said} {call}", advice="take that call out")
    return row._replace(
        verdict=INERT,
        why="it was right all the time, and this build of the library takes no notice of it",
        advice="use a build that does, as those of this project's stacks",
    )


def _wrong(knob: Knob, wanted: str, now: str | None) -> Row:
    """Return the row of what was missing or wrong from the start on."""
    row = Row(knob.name, _said(wanted), _said(now), WRONG, knob.why)
    if wanted == NOT_SET:
        return row._replace(advice=f"unset {knob.name} before the command starts")
    row = row._replace(advice=f"start the command with {knob.name}={wanted}")
    if now is None:
        return row._replace(verdict=MISSING, why=f"{knob.name} is not set, so {knob.why}")
    return row


def _is_in_time(knob: Knob, change: Mapping[str, Any]) -> bool:
    if knob.when == BEFORE_IMPORT:
        return not set(knob.modules) & set(change["loaded"])
    # TensorFlow does not say when it begins with CUDA.
    began = change["cuda"] or "tensorflow" in change["loaded"]
    return knob.when == BEFORE_CUDA and not began


def _late(knob: Knob, asked: str | None, found: str | None, changes: list[Any]) -> Row:
    deadline = knob.when.removeprefix("before ")
    said = f"with {knob.name}={asked}" if asked is not None else f"without {knob.name}"
    where = _where(changes)
    advice = f"start the command {said}" + (", and take that line out" if where else "")
    return Row(
        knob.name,
        _said(asked),
        _said(found),
        TOO_LATE,
        f"it was set{where}, but it counts only before {deadline}",
        "" if "-packages/" in where else advice,  # a library's, for processes that it starts
    )


def _overridden(knob: Knob, wanted: str, found: str | None, changes: list[Any]) -> Row:
    where = _where(changes)
    return Row(
        knob.name,
        _said(wanted),
        _said(found),
        OVERRIDDEN,
        f"it was right at the start, and the program changed it{where}",
        _take_out(where),
    )


def _hash(knob: Knob, seen: Seen, start: str | None) -> Row:
    row = Row(knob.name, _said(start), "", UNKNOWN)
    if seen.hash_holds is None:
        return row._replace(
            why="its interpreter can't be started again, to compare a hash",
            advice="run the command with an interpreter that can be started by its name",
        )
    ignores = seen.report["ignores variables"]
    option = "-I or -E" if ignores else "-R"
    return row._replace(
        found="random hashes",
        verdict=INERT,
        why=f"Python was started with {option}, so it has not used the variable",
        advice=f"start Python without {option}",
    )


def _switch(knob: Knob, seen: Seen, profile: Profile) -> Row | None:
    wanted = knob.wanted(profile)
    if wanted is None or _too_old(knob, seen):
        return None
    reading = seen.report["in effect"].get(knob.name, {})
    row = Row(knob.name, wanted, reading.get("value", ""), OK)
    if "value" not in reading:
        return row._replace(
            verdict=UNKNOWN,
            why=reading.get("unreadable", "nobody looked"),
            advice="use a version that this project's stacks have",
        )
    if knob.serves(row.found, profile):
        return row
    after = seen.report["after import"].get(knob.name, {}).get("value")
    asks = "REPRO_PROFILE=portable" if knob.repeatable is None else "REPRO_SEED=42"
    if after is None and (wanted == "True" or knob.repeatable is None):
        return row._replace(
            verdict=MISSING,
            why=f"nothing has set it, so {knob.why}",
            advice=f"start the command with {asks}, so that the start-up hook sets it",
        )
    if after in (None, wanted):
        return row._replace(
            verdict=OVERRIDDEN,
            why=f"the program changed it, so {knob.why}",
            advice=f"take out what sets {knob.name} to {row.found}",
        )
    return row._replace(
        verdict=WRONG,
        why=f"it was {after} from the import on, so {knob.why}",
        advice="take out the setting that asks for that",
    )


def _where(changes: list[Any]) -> str:
    return f" in {changes[-1]['where']}" if changes else ""


def _take_out(where: str) -> str:
    return f"take out {where.removeprefix(' in ')}" if where else "take that change out"


def _value(reading: str) -> str | None:
    return None if reading == "None" else reading


def _said(value: str | None) -> str:
    return "not set" if value in (None, NOT_SET) else str(value)
