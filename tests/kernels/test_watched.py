"""Loops of one-bit counts against a naive twin, on both roads."""

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.kernels import watched

CASES = [  # domain, coordinates asked, bits, samples a server, block
    (2, 1, 1, 4, range(9)),
    (2, 2, 2, 4, range(40)),
    (7, 7, 3, 5, range(1000, 1200)),
    (16, 16, 16, 33, range(33)),
    (17, 17, 1, 8, range(5, 900, 3)),
    (300, 300, 255, 16, range(2, 5000, 100)),
    (12, 9, 4, 20, range(100)),
    (100_003, 100_003, 5, 3, range((1 << 32) - 200, 1 << 32)),
    (12, 12, 5, 3, range(3, 3)),
]
ORDER = np.array([0, 2, 1, 2, 0, 1, 3], np.int64)
Flags = NDArray[np.uint8]


@pytest.fixture(params=[True, False], ids=["compiled", "plain"], autouse=True)
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "worth_compiling", lambda n_items: request.param)


@pytest.mark.parametrize(("n", "asked", "bits", "s", "block"), CASES)
def test_reports_and_their_tally(n: int, asked: int, bits: int, s: int, block: range) -> None:
    random = np.random.Generator(np.random.Philox(n + bits))
    near = (np.array(block, np.int64)[:, None] * bits + random.integers(0, bits + 1, (len(block), s))) % n
    samples = np.where(random.random((len(block), s)) < 0.5, near, random.integers(0, n, near.shape)).astype(np.int32)
    table = random.integers(0, 2, (4, s + 1)).astype(np.uint8)
    flags = np.zeros((len(block), bits), np.uint8)
    tally: dict[tuple[int, int], int] = {}
    for row, party in enumerate(block):
        for r in range(bits):
            report = party * bits + r
            question = int(ORDER[report // asked % ORDER.size])
            flags[row, r] = table[question, samples[row].tolist().count(report % asked)]
            tally[report % asked, question] = tally.get((report % asked, question), 0) + int(flags[row, r])
    found = watched.encode(samples, block, asked, bits, ORDER, table)
    assert found.dtype == np.uint8
    assert np.array_equal(found, flags)
    counted = watched.count(flags, block, asked, ORDER, 4)
    assert counted.dtype == np.int64
    assert counted.shape == (asked, 4)
    assert {place: int(counted[place]) for place in tally} == tally
    assert counted.sum() == flags.sum()
