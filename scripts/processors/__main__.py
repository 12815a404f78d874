"""The command, called by `scripts/portability`, which says what there is to ask.

Exit status: 0 the same, 1 different or nothing proved, 2 it can't be asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.engine import PROJECT, describe_machine
from benchmark.errors import BenchmarkError
from benchmark.markdown import replaced
from images.errors import ImageError

from processors.comparison import Verdict
from processors.elsewhere import read_elsewhere
from processors.emulator import check_models, find_emulator, shown_version
from processors.errors import PortabilityError
from processors.questions import Answer, ask_cpus, ask_knobs, ask_threads, judge_all
from processors.runs import Runner

PAGE = PROJECT / "docs/portability.md"
# An Intel and two AMDs of other years, and all that the emulator can: a larger L1 cache, too.
CPUS = ("Haswell-noTSX", "EPYC", "EPYC-Rome", "max")
KNOB_CPUS = {"tf": ("Haswell-noTSX", "max"), "torch": CPUS[:1]}  # Eigen alone asks for the cache
QUICK = (  # of each library, what other CPUs compute otherwise without the profile, and what not
    "matmul",
    "softmax",
    "conv2d of full blocks",
    "exp",
    "sqrt",
    "solve",
    "LSTM",
    "normal",
    "argsort",
    "Adam",
)
THREADS = range(1, 1025)


def main(arguments: Sequence[str]) -> int:
    """Ask what is asked, print the tables and the verdict, and return the status."""
    asked = _parse(arguments)
    cpus = {stack: emulated(asked, stack) for stack in asked.stack}
    emulator = None if asked.here else find_emulator()
    if emulator:
        check_models(emulator, [cpu for models in cpus.values() for cpu in models])
    runners = [runner(asked, stack, emulator) for stack in asked.stack]
    elsewhere = {
        stack: {file.name: read_elsewhere(file, stack) for file in asked.against}
        for stack in asked.stack
    }
    with_emulator = f"; QEMU {shown_version(emulator)}" if emulator else ""
    about = f"{describe_machine(runners[0].image)}{with_emulator}.\n\n"
    if asked.knobs:
        asks = {each.stack: ask_knobs(each, cpus[each.stack]) for each in runners}
        texts = {stack: text for stack, (text, _) in asks.items()}
        verdict = Verdict(
            max(each.status for _, each in asks.values()),
            "; ".join(f"{stack}: {each.words}" for stack, (_, each) in asks.items()),
        )
        _tell("knobs", texts, verdict, about, asked.json, asked.write, [])
        return verdict.status
    if asked.threads:
        answers = [ask_threads(each, asked.threads, cpus[each.stack][0]) for each in runners]
        verdict = judge_all(answers, "sets of CPUs")
    else:
        answers = [ask_cpus(each, cpus[each.stack], elsewhere[each.stack]) for each in runners]
        verdict = judge_all(answers)
    texts = {answer.stack: answer.text for answer in answers}
    kind = "threads" if asked.threads else "cpus"
    _tell(kind, texts, verdict, about, asked.json, asked.write, answers)
    return verdict.status


def emulated(asked: argparse.Namespace, stack: str) -> Sequence[str]:
    """Return the CPUs that are emulated: those named, or the question's own."""
    if asked.here:
        return ()
    if asked.cpu:
        return list(asked.cpu)
    if asked.quick:
        return CPUS[:1]
    return KNOB_CPUS[stack] if asked.knobs else CPUS


def runner(asked: argparse.Namespace, stack: str, emulator: Path | None) -> Runner:
    """Return what runs in a stack: what is named, or all; beside so many knobs, no training."""
    operations = asked.operation or (QUICK if asked.quick else ())
    return Runner(stack, emulator, operations, trainings=not operations and not asked.knobs)


def _tell(
    kind: str,
    texts: dict[str, str],
    verdict: Verdict,
    about: str,
    as_json: bool,
    write: bool,
    answers: Sequence[Answer],
) -> None:
    """Print, and write where that is asked for."""
    if as_json:
        told = {
            "verdict": verdict.words,
            "status": verdict.status,
            "machine": about.strip(),
            "stacks": {answer.stack: _plain(answer) for answer in answers} or texts,
        }
        print(json.dumps(told, indent=2))
        print(verdict.words, file=sys.stderr)
    for stack, text in texts.items():
        if write:
            page = replaced(PAGE.read_text(), f"{kind} {stack}", about + text)
            PAGE.write_text(page)
        if not as_json:
            print(f"## {kind} {stack}\n\n{about}{text}")
    if not as_json:
        print(verdict.words)


def _plain(answer: Answer) -> dict[str, object]:
    return {
        side: {
            place: {name: outcome._asdict() for name, outcome in outcomes.items()}
            for place, outcomes in places.items()
        }
        for side, places in (("with", answer.within), ("without", answer.without))
    }


def _counts(text: str) -> list[int]:
    counts = [int(each) if each.isdecimal() else 0 for each in text.split(",")]
    if not all(count in THREADS for count in counts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers in 1..1024")
    return counts


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/portability")
    parser.add_argument("--stack", action="append", required=True)
    parser.add_argument("--cpu", action="append")
    parser.add_argument("--threads", type=_counts)
    parser.add_argument("--operation", action="append")
    parser.add_argument("--against", action="append", type=Path, default=[])
    for flag in ("--knobs", "--quick", "--here", "--json", "--write"):
        parser.add_argument(flag, action="store_true")
    asked = parser.parse_args(arguments)
    if (asked.here or asked.against) and (asked.threads or asked.knobs):
        parser.error("--here and --against go with neither --threads nor --knobs")
    if asked.threads and asked.knobs:
        parser.error("--threads and --knobs are two questions")
    if asked.threads and len(asked.cpu or ()) > 1:
        parser.error("--threads asks one emulated CPU, and --cpu names more")
    is_part = asked.quick or asked.operation or asked.here or asked.cpu
    if asked.write and is_part and not (asked.threads or asked.knobs):
        parser.error(
            "--write takes the whole table, "
            "and --quick, --operations, --here and --cpu ask for a part of it"
        )
    if asked.here and asked.cpu:
        parser.error("--here emulates no CPU, and --cpu names one")
    for file in asked.against:
        if "|" in file.name or not file.name.isprintable():
            parser.error(f"--against {str(file)!r}: its name can't head a column; rename it")
    if len({file.name for file in asked.against}) < len(asked.against):
        parser.error("two files of --against have one name, which the table needs to tell them")
    return asked


def run(ask: Callable[[], int]) -> int:
    """Return the status of the command, with a line for what can't be asked."""
    try:
        return ask()
    except (PortabilityError, BenchmarkError, ImageError) as error:
        sys.stderr.write(error.describe())
        return 2


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
