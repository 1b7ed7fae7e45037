"""Sets of indices: round trips in every mode, the measured costs, and sets that are none."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, close, inside
from distest.errors import UsageError, WireError
from distest.sgd import indices

Places = NDArray[np.int64]


def back(sent: Messages, k: int, d: int) -> Places:
    reader = BitReader(sent.data, sent.n_bits)
    parts = inside(reader)
    found = indices.read(parts, k, d)
    close(reader, parts)
    assert reader.unread() == 0
    return found


def test_every_set_of_few_indices_comes_back() -> None:
    for d in range(1, 9):
        for k in range(d + 1):
            for chosen in itertools.combinations(range(d), k):
                sent = indices.write(np.array(chosen, np.int64), d)
                assert sent.n_bits == indices.n_bits(np.array(chosen, np.int64), d)
                assert back(sent, k, d).tolist() == list(chosen)


@pytest.mark.parametrize("d", [9, 100, 1 << 20, 1 << 32])
def test_random_clustered_and_extreme_sets_come_back_in_the_cheapest_mode(d: int) -> None:
    rng = np.random.default_rng(d)
    modes = set()
    for k in (1, 2, 3, 5, 8, 60, 3000):
        for reach in (d, min(d, 2 * k), min(d, 50 * k)):
            if k > reach or reach > 1 << 24:
                found = np.unique(rng.integers(0, d, k))
            else:
                found = np.sort(rng.choice(reach, k, replace=False))
            for places in (found, np.sort(d - 1 - found)):
                mode, _, length = indices._choose(places, d)
                modes.add(mode)
                sent = indices.write(places, d)
                assert sent.n_bits == length
                assert length <= indices.MODE_BITS + min(d, places.size * (d - 1).bit_length())
                assert np.array_equal(back(sent, places.size, d), places)
    assert (indices.RANK in modes) == (d <= 100)  # only where its table is small
    assert len(modes) >= 2


def test_all_modes_are_used() -> None:
    rng = np.random.default_rng(1)
    wanted = {
        indices.GAPS: (np.sort(rng.choice(10_000, 500, replace=False)), 10_000),
        indices.BITMAP: (np.sort(rng.choice(1000, 500, replace=False)), 1000),
        indices.RANK: (np.array([3, 500]), 1000),
        indices.PLAIN: (np.array([1, 7, (1 << 30) + 5]), 1 << 31),
    }
    for mode, (places, d) in wanted.items():
        assert indices._choose(places, d)[0] == mode
        assert np.array_equal(back(indices.write(places, d), places.size, d), places)


@pytest.mark.parametrize(("density", "bits"), [(1e-4, 14.78), (1e-3, 11.49), (1e-2, 8.11), (1e-1, 4.76)])
def test_bits_an_index_at_ten_million(density: float, bits: float) -> None:
    """Within half a percent of the table that the design rests on, and within 0.12 of log2 C(d, k) / k."""
    d = 10**7
    k = round(density * d)
    places = np.sort(np.random.default_rng(2).choice(d, k, replace=False))
    sent = indices.write(places, d)
    assert sent.n_bits / k == pytest.approx(bits, rel=0.005)
    ideal = (math.lgamma(d + 1) - math.lgamma(k + 1) - math.lgamma(d - k + 1)) / math.log(2)
    assert ideal <= sent.n_bits <= ideal + 0.12 * k
    assert np.array_equal(back(sent, k, d), places)


def test_counts_come_back_and_too_large_ones_are_refused() -> None:
    for k in (0, 1, 2, 77, 10**6):
        sent = indices.write_count(k)
        assert indices.read_count(BitReader(sent.data, sent.n_bits), k) == k
        if k:
            with pytest.raises(WireError, match="announced"):
                indices.read_count(BitReader(sent.data, sent.n_bits), k - 1)


def test_what_is_no_set_is_refused() -> None:
    for wrong in ([2, 2], [3, 1], [9], [-1, 3]):
        with pytest.raises(UsageError):
            indices.write(np.array(wrong), 9)
    rng = np.random.default_rng(3)
    for places, d in (((5, 9, 11, 40), 64), (tuple(range(0, 900, 9)), 1000), (tuple(range(500)), 1000)):
        sent = indices.write(np.array(places), d)
        for _ in range(200):
            data = np.frombuffer(sent.to_bytes(), np.uint8).copy()
            data[rng.integers(0, data.size)] = rng.integers(0, 256)
            try:
                found = indices.read(BitReader(data, sent.n_bits), len(places), d)
            except WireError:
                continue
            assert found.size == len(places)
            assert 0 <= found[0] <= found[-1] < d
            assert bool((np.diff(found) > 0).all())
