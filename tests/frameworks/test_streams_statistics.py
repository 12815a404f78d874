"""Seeds and streams of neighbouring keys: none alike, each uniform, no two correlated.

Each claim is a test at significance 1e-6: that is how often it would fail for perfect randomness,
were the keys drawn anew. The keys are fixed, so it fails always or never. Where many figures are
tested at once, each has its share of the 1e-6 (Bonferroni). Each claim's converse is a way of
seeding that is or was in use, and that the same test rejects.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from statistics import NormalDist

import numpy
import pytest

from repro_env import seed_for, stream

SIGNIFICANCE = 1e-6
EPOCHS = INDICES = 1000
SEED_BYTES = 16
FIRST_DRAWS = 100_000
BINS = 256
STREAMS = 300
DRAWS = 2000


def two_sided_z(figures: int) -> float:
    """The standard normal's bound for each of so many figures, above and below."""
    return -NormalDist().inv_cdf(SIGNIFICANCE / 2 / figures)


def places(failed: numpy.ndarray) -> list[int]:
    return list(map(int, numpy.flatnonzero(failed)))


def lopsided(counts: numpy.ndarray) -> list[int]:  # (figures, BINS)
    """The rows whose chi-square is beyond its bounds: too uneven, or too even to be random.

    Source:
        https://en.wikipedia.org/wiki/Chi-squared_distribution (Wilson and Hilferty's quantiles)
    """
    expected = counts.sum(axis=1, keepdims=True) / BINS
    chi_squares = ((counts - expected) ** 2 / expected).sum(axis=1)
    spread = 2 / (9 * (BINS - 1))
    cube_roots = (chi_squares / (BINS - 1)) ** (1 / 3)
    z = (cube_roots - (1 - spread)) / math.sqrt(spread)
    return places(abs(z) > two_sided_z(len(counts)))


def lopsided_bytes(seeds: numpy.ndarray) -> list[int]:  # (keys, SEED_BYTES)
    """The places of bytes that don't take all values equally often."""
    return lopsided(numpy.stack([numpy.bincount(column, minlength=BINS) for column in seeds.T]))


def stuck_bits(seeds: numpy.ndarray) -> list[int]:  # (keys, SEED_BYTES)
    """The places of bits that don't change between half of all neighbours (binomial test)."""
    changes = numpy.unpackbits(seeds[1:] ^ seeds[:-1], axis=1)
    z = (changes.mean(axis=0) - 0.5) * 2 * math.sqrt(len(changes))
    return places(abs(z) > two_sided_z(len(z)))


def lopsided_draws(draws: Iterable[float]) -> bool:
    """Whether numbers in 0..1 don't fall into all bins equally often."""
    bins = (numpy.fromiter(draws, float) * BINS).astype(int)
    return lopsided(numpy.bincount(bins, minlength=BINS)[None]) != []


def largest_correlation(draws: numpy.ndarray) -> float:  # (STREAMS, DRAWS)
    """The largest absolute correlation among all pairs of streams."""
    correlations = numpy.corrcoef(draws)
    return float(abs(correlations[numpy.triu_indices(len(draws), k=1)]).max())


def largest_lagged_correlation(draws: numpy.ndarray) -> float:  # (STREAMS, DRAWS)
    """The largest absolute correlation of neighbours, one of them turned by any number of draws."""
    centred = draws - draws.mean(axis=1, keepdims=True)
    spectra = numpy.fft.rfft(centred / centred.std(axis=1, keepdims=True))
    lagged = numpy.fft.irfft(spectra[1:] * spectra[:-1].conj(), n=draws.shape[1])
    return float(abs(lagged).max() / draws.shape[1])


def correlation_bound(pairs: int) -> float:
    """What the largest of so many correlations may be (Fisher's transformation).

    Source:
        https://en.wikipedia.org/wiki/Fisher_transformation
    """
    return math.tanh(two_sided_z(pairs) / math.sqrt(DRAWS - 3))


PAIRS = correlation_bound(STREAMS * (STREAMS - 1) // 2)  # 0.15
LAGGED_PAIRS = correlation_bound((STREAMS - 1) * DRAWS)  # 0.16


def all_keys(derive: Callable[[int, int], int]) -> list[int]:
    return [derive(epoch, index) for epoch in range(EPOCHS) for index in range(INDICES)]


def as_bytes(seeds: Iterable[int]) -> numpy.ndarray:  # (keys, SEED_BYTES)
    joined = b"".join(seed.to_bytes(SEED_BYTES, "big") for seed in seeds)
    return numpy.frombuffer(joined, numpy.uint8).reshape(-1, SEED_BYTES)


@pytest.fixture(scope="module")
def seeds() -> list[int]:
    """The seeds of a million keys."""
    return all_keys(lambda epoch, index: seed_for("augment", epoch, index))


@pytest.fixture(scope="module")
def streams_draws() -> numpy.ndarray:  # (STREAMS, DRAWS)
    """What neighbouring streams draw."""
    return numpy.stack([stream("augment", index).random(DRAWS) for index in range(STREAMS)])


def plus(epoch: int, index: int) -> int:
    """A seed for each key by counting on from the run's."""
    return 42 + epoch * INDICES + index


def multiplied(epoch: int, index: int) -> int:
    """The same, spread over all bits by a linear map."""
    return plus(epoch, index) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128


def joined(epoch: int, index: int) -> int:
    """A hash of the keys written one after the other, without their lengths."""
    return int.from_bytes(hashlib.sha256(f"{epoch}{index}".encode()).digest()[:SEED_BYTES], "big")


def lehmer(seeds: numpy.ndarray, draws: int) -> numpy.ndarray:  # (seeds, draws)
    """What the minimal standard generator draws from each seed: a linear map of it."""
    powers = [pow(16807, draw + 1, 2**31 - 1) for draw in range(draws)]
    return seeds[:, None] * numpy.array(powers) % (2**31 - 1) / (2**31 - 1)


def test_a_million_keys_have_a_million_seeds(seeds: list[int]) -> None:
    assert len(set(seeds)) == len(seeds) == 1_000_000


def test_seeds_of_keys_without_their_lengths_collide() -> None:
    assert len(set(all_keys(joined))) < 1_000_000


def test_the_32_bits_that_many_generators_take_would_collide(seeds: list[int]) -> None:
    assert len({seed % 2**32 for seed in seeds}) < 1_000_000


def test_every_byte_of_the_seeds_is_uniform(seeds: list[int]) -> None:
    assert lopsided_bytes(as_bytes(seeds)) == []


@pytest.mark.parametrize("derive", [plus, multiplied])
def test_bytes_of_worse_seeds_are_not_uniform(derive: Callable[[int, int], int]) -> None:
    assert lopsided_bytes(as_bytes(all_keys(derive))) != []


def test_neighbouring_keys_differ_in_every_bit_half_of_the_time(seeds: list[int]) -> None:
    assert stuck_bits(as_bytes(seeds[:FIRST_DRAWS])) == []


@pytest.mark.parametrize("derive", [plus, multiplied])
def test_bits_of_worse_seeds_get_stuck(derive: Callable[[int, int], int]) -> None:
    assert stuck_bits(as_bytes(derive(0, index) for index in range(FIRST_DRAWS))) != []


def test_the_first_draws_of_streams_are_uniform() -> None:
    firsts = (stream("augment", index).random() for index in range(FIRST_DRAWS))

    assert not lopsided_draws(firsts)


def test_the_first_draws_of_a_linear_generator_from_seeds_in_a_row_are_not_uniform() -> None:
    firsts = lehmer(42 + numpy.arange(FIRST_DRAWS), draws=1)[:, 0]

    assert lopsided_draws(firsts)


def test_all_draws_of_one_stream_are_uniform_too() -> None:
    assert not lopsided_draws(stream("augment", 0).random(STREAMS * DRAWS))


def test_no_two_of_hundreds_of_streams_are_correlated(streams_draws: numpy.ndarray) -> None:
    assert largest_correlation(streams_draws) < PAIRS


def test_streams_of_a_linear_generator_from_seeds_in_a_row_are_correlated() -> None:
    assert largest_correlation(lehmer(42 + numpy.arange(STREAMS), DRAWS)) > PAIRS


def test_neighbouring_streams_are_uncorrelated_at_every_lag(streams_draws: numpy.ndarray) -> None:
    assert largest_lagged_correlation(streams_draws) < LAGGED_PAIRS


def test_streams_that_are_one_stream_begun_later_are_correlated_at_a_lag() -> None:
    one = stream("augment", 0).random(STREAMS + DRAWS)
    later = numpy.stack([one[begin : begin + DRAWS] for begin in range(STREAMS)])

    assert largest_correlation(later) < PAIRS  # only the lag gives it away
    assert largest_lagged_correlation(later) > LAGGED_PAIRS
