"""One verify, under way: its attempts, the guilty factors, and a closer look."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from repro_env.content.verdict import DIFFERENT
from repro_env.records.definition import Unavailable
from repro_env.runs.request import environ_of
from repro_env.runs.store import Store
from repro_env.verification import agreement, bisection, closer, factors, remarks, words
from repro_env.verification.agreement import Agreement, Evidence
from repro_env.verification.attempts import Wanted
from repro_env.verification.laboratory import Laboratory, Subject
from repro_env.verification.outcome import Cause, Divergence, NotVaried
from repro_env.words import seconds

CONTROLS = 3  # runs with nothing varied: fewer may agree by chance, and an innocent be blamed
MOST_TRIES = 5  # of one set of factors that breaks the agreement only now and then
Say = Callable[[str], None]


class Asked(NamedTuple):
    """What somebody wants to know.

    Args:
        attempts: How many to make, at most.
        stops_early: Whether to stop at the first that differs.
        vary: The factors to vary.
        steps: Whether to compare step by step.
        jobs: How many attempts to make side by side.
        timeout_s: How long one may take; None for ever.
    """

    attempts: int = 3
    stops_early: bool = False
    vary: Sequence[str] = ()
    steps: bool = False
    jobs: int = 1
    timeout_s: float | None = None


class Judged(NamedTuple):
    """An attempt, and what it is to the reference."""

    evidence: Evidence
    agreement: Agreement


class Inquiry:
    """Makes attempts, and compares them.

    Args:
        asked: What somebody wants to know.
        subject: Of which command.
        runs: The project's.
        made: What makes the attempts.
        say: Says in a line what is being done.
    """

    def __init__(
        self, asked: Asked, subject: Subject, runs: Store, made: Laboratory, say: Say
    ) -> None:
        self._asked = asked
        self._subject = subject
        self._runs = runs
        self._laboratory = made
        self._say = say
        self.judged: list[Judged] = []
        self.notes: list[str] = []
        self._environ = environ_of(subject.request, os.environ)
        reasons = {name: factors.unavailable(name, self._environ) for name in asked.vary}
        self.not_varied = [NotVaried(name, why) for name, why in reasons.items() if why]
        self.varied = [name for name, why in reasons.items() if not why]

    def make_attempts(self) -> None:
        """Make the attempts that were asked for, and compare each with the reference."""
        count = self._asked.attempts
        wanted = [
            self._wanted(f"attempt {number + 1} of {count}", self.varied if number else (), number)
            for number in range(count)
        ]
        for one in self._announced(wanted):
            self.judged.append(Judged(one, self._compare(one)))
            self._say_judged()
            if self._asked.stops_early and self.judged[-1].agreement.verdict == DIFFERENT:
                break

    def _announced(self, wanted: Sequence[Wanted]) -> Iterator[Evidence]:
        """Say of each attempt that it begins; of those side by side, that all do."""
        if self._asked.jobs > 1:
            self._say(f"{len(wanted)} attempts, {self._asked.jobs} side by side")
            yield from self._laboratory.make(wanted)
            return
        for one in wanted:
            varied = f", varied: {words.factors(one.varied)}" if one.varied else ""
            self._say(one.name + varied)
            yield from self._laboratory.make([one])

    def _say_judged(self) -> None:
        last = self.judged[-1]
        seen = last.evidence.record.observation
        status = "" if seen.exit_status == 0 else f", status {seen.exit_status}"
        took = "" if isinstance(seen.duration_s, Unavailable) else seconds(seen.duration_s)
        is_first = len(self.judged) == 1 and self._subject.reference is None
        verdict = "the reference" if is_first else last.agreement.verdict
        count = f"attempt {len(self.judged)} of {self._asked.attempts}"
        self._say(f"{count}: {verdict}, {took}{status}")

    def _wanted(self, name: str, varied: Sequence[str], number: int, **plan: object) -> Wanted:
        return Wanted(
            name=name,
            varied=varied,
            variation=factors.variation(varied, number, self._environ),
            plan={"steps": self._asked.steps, **plan},
            timeout_s=self._asked.timeout_s,
        )

    def reference(self, one: Evidence) -> Evidence:
        """Return what an attempt is compared with."""
        if self._subject.reference is not None:
            return Evidence(self._subject.reference, {}, agreement.NOTHING_READ)
        return self.judged[0].evidence if self.judged else one

    def _compare(self, one: Evidence) -> Agreement:
        first = self.judged[0].evidence if self.judged else one
        was = self.reference(one)
        found = agreement.of(was, one, first, self._runs, self._subject.root)
        if one is not first:
            self._laboratory.share(first, one)
        return found

    def differing(self) -> list[Judged]:
        """Return the attempts that differ from the reference."""
        return [one for one in self.judged if one.agreement.verdict == DIFFERENT]

    def find_guilty(self) -> list[str]:
        """Return the factors that break the agreement; none where it breaks without them."""
        broken = [one for one in self.differing() if one.evidence.varied]
        if not broken:
            return []
        number = self.judged.index(broken[0])
        tries = _tries(len(broken) / (len(self.judged) - 1))
        self._say("it differs: a few times more with nothing varied")
        if self._breaks((), 0, max(tries, CONTROLS)):
            self.notes.append("it differs with nothing varied, too, so no factor is named")
            return []
        guilty = bisection.guilty(
            self.varied, lambda names: self._breaks(sorted(names), number, tries)
        )
        if guilty and self._is_confirmed(guilty, number, tries):
            return guilty
        self.notes.append("what breaks the agreement does so now and then: no factor is named")
        return []

    def _is_confirmed(self, guilty: Sequence[str], number: int, tries: int) -> bool:
        """Say whether they break it again, and nothing varied again doesn't."""
        return self._breaks(guilty, number, tries) and not self._breaks((), 0, CONTROLS - 1)

    def _breaks(self, varied: Sequence[str], number: int, tries: int) -> bool:
        if varied:
            self._say(f"varied: {', '.join(varied)}")
        name = f"with {', '.join(varied) or 'nothing'} varied"
        for _ in range(tries):
            for one in self._laboratory.make([self._wanted(name, varied, number)]):
                if self._compare(one).verdict == DIFFERENT:
                    return True
        return False

    def look_closer(self) -> Cause | None:
        """Watch two more runs closely around the first step that differs."""
        for judged in self.differing():
            for one in judged.agreement.divergences:
                if one.kind == "step" and one.entry is not None:
                    return self._watch(judged, one)
        return None

    def _watch(self, judged: Judged, where: Divergence) -> Cause | None:
        first = self.judged[0].evidence
        deep = closer.plan(first, where)
        if deep is None:
            return None
        self._say(f"once more, with a close look at step {where.step}")
        varied = judged.evidence.varied
        number = self.judged.index(judged)
        once = self._wanted(f"a close look at step {where.step}", (), 0, deep=deep)
        again = self._wanted(f"a close look at step {where.step}", varied, number, deep=deep)
        looks = [next(self._laboratory.make([once]))]
        for _ in range(MOST_TRIES):
            look = next(self._laboratory.make([again]))
            for other in looks:
                found = closer.cause(self._runs, other, look, where)
                if found is not None:
                    return found
            looks.append(look)
        self.notes.append(f"looked at closely, step {where.step} did not differ again")
        return None

    def all_notes(self) -> list[str]:
        """Return what the reader should know: of the verify, and of its runs."""
        plain = [one.evidence.record for one in self.judged if not one.evidence.varied]
        seen = [note for record in plain for note in record.observation.notes]
        found = remarks.of([one.evidence for one in self.judged], self._runs)
        if self._is_record_alone():
            found.append("the attempts agree with each other: the recorded run alone differs")
        return [*self.notes, *found, *dict.fromkeys(seen)]

    def _is_record_alone(self) -> bool:
        """Say whether attempts differ from the recorded run, and not from each other."""
        if self._subject.reference is None or len(self.differing()) < max(2, len(self.judged)):
            return False
        first, *others = [one.evidence for one in self.judged]
        root = self._subject.root
        agreements = [agreement.of(first, one, first, self._runs, root) for one in others]
        return all(one.verdict != DIFFERENT for one in agreements)


def _tries(share: float) -> int:
    """Return how often to try what differs in this share of attempts, to miss it in 5 % at most."""
    if share >= 1.0:
        return 1
    return min(MOST_TRIES, math.ceil(math.log(0.05) / math.log1p(-share)))
