"""Loops of the grouping protocol against a naive twin, on both roads."""

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.kernels import grouping

Ints = NDArray[np.int32]
CASES = [  # n, watched symbols, block
    (2, 1, range(9)),
    (7, 3, range(1000, 1200)),
    (16, 15, range(333)),
    (17, 7, range(5, 900, 3)),
    (255, 255, range(40)),
    (256, 1, range(1 << 20, (1 << 20) + 700)),
    (300, 255, range(2, 50_000, 100)),
    (100_003, 127, range((1 << 32) - 2000, 1 << 32)),
    ((1 << 31) - 1, 255, range(1 << 24, (1 << 24) + 500)),
    (12, 5, range(3, 3)),
]


@pytest.fixture(params=[True, False], ids=["compiled", "plain"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "worth_compiling", lambda n_items: request.param)


def samples_of(n: int, size: int, block: range) -> Ints:
    """Half of them watched by their server, so that all answers occur."""
    random = np.random.Generator(np.random.Philox(n % 1000))
    anywhere = random.integers(0, n, len(block))
    watched = (np.array(block, np.int64) * size + random.integers(0, size, len(block))) % n
    return np.where(random.integers(0, 2, len(block)) == 1, watched, anywhere).astype(np.int32)


def naive_encode(samples: Ints, block: range, n: int, size: int) -> list[int]:
    codes = []
    for party, sample in zip(block, samples.tolist(), strict=True):
        watched = [(party * size + k) % n for k in range(size)]
        codes.append(1 + watched.index(sample) if sample in watched else 0)
    return codes


@pytest.mark.parametrize(("n", "size", "block"), CASES)
@pytest.mark.usefixtures("road")
def test_a_server_names_the_place_of_its_sample_among_those_it_watches(n: int, size: int, block: range) -> None:
    samples = samples_of(n, size, block)
    codes = grouping.encode(samples, block, n, size)
    assert codes.dtype == np.uint8
    assert codes.tolist() == naive_encode(samples, block, n, size)


@pytest.mark.parametrize(("n", "size", "block"), [case for case in CASES if case[0] < 1 << 20])
@pytest.mark.usefixtures("road")
def test_the_tally_counts_the_samples_that_were_watched(n: int, size: int, block: range) -> None:
    samples = samples_of(n, size, block)
    codes = np.array(naive_encode(samples, block, n, size), np.uint8)
    tally = grouping.count(codes, block, n, size)
    assert tally.dtype == np.int64
    assert np.array_equal(tally, np.bincount(samples[codes > 0], minlength=n))


@pytest.mark.parametrize("zeros", [0, 1, 7, 8, 9, 16, 200])
@pytest.mark.usefixtures("road")
def test_runs_of_zeros_are_skipped_and_nothing_else(zeros: int) -> None:
    n, size = 50, 7
    codes = np.concatenate([np.zeros(zeros, np.uint8), [3], np.zeros(zeros, np.uint8), [7, 1], np.zeros(3, np.uint8)])
    expected = np.zeros(n, np.int64)
    for party, code in enumerate(codes.tolist(), 11):
        if code:
            expected[(party * size + code - 1) % n] += 1
    assert np.array_equal(grouping.count(codes.astype(np.uint8), range(11, 11 + codes.size), n, size), expected)


def test_a_column_of_a_table_of_samples_is_encoded_as_its_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.arange(600, dtype=np.int32).reshape(200, 3) % 31
    for compiled in (True, False):
        monkeypatch.setattr(grouping, "worth_compiling", lambda n_items, answer=compiled: answer)
        codes = grouping.encode(table[:, 1], range(200), 31, 3)
        assert codes.tolist() == naive_encode(table[:, 1], range(200), 31, 3)
