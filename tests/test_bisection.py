"""Guilty factors are found by halving, in few questions."""

from __future__ import annotations

import itertools
import math

import pytest

from repro_env.verification import bisection

NAMES = [f"factor {number}" for number in range(9)]
PAIRS = list(itertools.combinations(NAMES, 2))


class Program:
    """Breaks where all of one of its sets of factors are varied; counts the attempts."""

    def __init__(self, *sets: set[str]) -> None:
        self.sets = sets
        self.asked: list[frozenset[str]] = []

    def breaks(self, varied: frozenset[str]) -> bool:
        self.asked.append(varied)
        return any(one <= varied for one in self.sets)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 16])
def test_each_single_culprit_is_found_in_few_attempts(count: int) -> None:
    names = [f"factor {number}" for number in range(count)]
    for name in names:
        program = Program({name})

        assert bisection.guilty(names, program.breaks) == [name]
        assert len(program.asked) <= 2 * math.ceil(math.log2(count)) + 1


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_two_that_break_only_together_are_both_named(pair: tuple[str, str]) -> None:
    program = Program(set(pair))

    assert bisection.guilty(NAMES, program.breaks) == list(pair)
    assert frozenset(pair) in program.asked


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_two_that_each_break_alone_are_both_named(pair: tuple[str, str]) -> None:
    program = Program({pair[0]}, {pair[1]})

    assert bisection.guilty(NAMES, program.breaks) == list(pair)


def test_all_are_named_where_it_takes_all() -> None:
    assert bisection.guilty(NAMES, Program(set(NAMES)).breaks) == NAMES


def test_one_factor_alone_is_not_tried_again() -> None:
    program = Program({"load"})

    assert bisection.guilty(["load"], program.breaks) == ["load"]
    assert program.asked == []


def test_nothing_is_asked_twice_nor_what_was_known_before() -> None:
    program = Program({NAMES[1], NAMES[7]}, {NAMES[4]})

    bisection.guilty(NAMES, program.breaks)

    assert len(program.asked) == len({*program.asked})
    assert not {frozenset[str](), frozenset(NAMES)} & {*program.asked}


def test_no_suspects_are_no_culprits() -> None:
    assert bisection.guilty([], Program({"load"}).breaks) == []


def test_each_named_set_has_broken_it_alone() -> None:
    program = Program({NAMES[0], NAMES[8]})

    found = bisection.guilty(NAMES, program.breaks)

    assert frozenset(found) in program.asked


def test_nobody_is_named_where_it_never_breaks_again() -> None:
    assert bisection.guilty(NAMES, Program().breaks) == []
