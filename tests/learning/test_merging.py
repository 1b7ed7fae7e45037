"""Merging against the exact optimum, its numbers of pieces, and what it gains on samples.

The two tests on samples have fixed seeds and margins far above their noise: they compare means of 20 runs that differ
by a factor of at least 1.5.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.errors import UsageError
from distest.learning import norms
from distest.learning.fitting import merging
from distest.learning.fitting.cells import Cells, cells_of
from distest.learning.norms import Pmf
from tests import classes

Floats = NDArray[np.float64]
Merge = Callable[..., Cells]
MERGES: list[Merge] = [merging.l1, merging.l2]


def unit_cells(n: int) -> Cells:
    return cells_of(list(range(n + 1)))


def flattened(q: Floats, cells: Cells) -> Floats:
    return cells.spread(cells.masses(q) / cells.widths)


def pieces_law(noise: np.random.Generator, n: int, k: int) -> Pmf:
    """A random law of k pieces."""
    edges = np.concatenate(([0], np.sort(noise.choice(np.arange(1, n), k - 1, replace=False)), [n]))
    shares: Floats = noise.dirichlet(np.ones(k))
    return np.repeat(shares / np.diff(edges), np.diff(edges))


@pytest.mark.parametrize("d", [0.5, 1.0, 2.0, 4.0])
def test_l2_loss_is_within_the_factor_of_the_best(d: float) -> None:
    noise = np.random.default_rng(1)
    for n, k in ((20, 1), (37, 2), (60, 3), (60, 4)):
        for turn in range(12):
            q = [noise.dirichlet(np.full(n, 0.3)), noise.multinomial(50, pieces_law(noise, n, k)) / 50.0][turn % 2]
            merged = merging.l2(unit_cells(n), q, k, d)
            assert (
                norms.l2_squared(flattened(q, merged), q)
                <= (1 + d) * classes.distance_to_pieces(q, k, "l2") ** 2 + 1e-12
            )


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("keep_d", [(1, 1.0), (1, 2.0), (2, 0.5), (3, 3.0), (8, 1.0)])
def test_every_length_ends_with_the_pieces_that_were_promised(merge: Merge, keep_d: tuple[int, float]) -> None:
    """Also where (1 + 1/d)k is no integer; and no fewer than half of what is asked are left."""
    k, d = keep_d
    noise = np.random.default_rng(2)
    keep = math.ceil((1 + 1 / d) * k - 1e-9)
    for length in range(1, 160):
        for spare in (1, 2, 7):
            left = len(merge(unit_cells(length), noise.integers(0, 3, length), k, d, spare))
            assert left <= 2 * keep + spare
            assert left >= min(length, 2 * keep)


def test_4096_symbols_end_in_33_pieces() -> None:
    masses = np.random.default_rng(3).integers(0, 5, 4096)
    for merge in MERGES:
        assert len(merge(unit_cells(4096), masses, 8)) == 33


@pytest.mark.parametrize("merge", MERGES)
def test_what_has_k_pieces_is_found_exactly(merge: Merge) -> None:
    noise = np.random.default_rng(4)
    for _ in range(50):
        q = pieces_law(noise, 500, 6)
        assert np.abs(flattened(q, merge(unit_cells(500), q, 6)) - q).sum() < 1e-12


def test_the_discrepancy_is_that_of_the_worst_interval() -> None:
    """Of three pairs the one with the smallest discrepancy of an interval is merged, by brute force."""

    def worst(q: NDArray[np.int64]) -> float:
        n = q.size
        return max(float(abs(q[a:b].sum() - q.sum() * (b - a) / n)) for a in range(n) for b in range(a, n + 1))

    noise = np.random.default_rng(5)
    for _ in range(200):
        edges = np.concatenate(([0], np.cumsum(noise.integers(1, 4, 6))))
        q = np.repeat(noise.integers(0, 9, 6), np.diff(edges)) * 60  # flat inside cells
        cells = cells_of(edges.tolist())
        masses = np.add.reduceat(q, edges[:-1])
        merged = set(merging.l1(cells, masses, 1, 1e9).edges.tolist())  # keeps 2 pairs of 3: one is merged
        loss = [worst(q[edges[2 * j] : edges[2 * j + 2]]) for j in range(3)]
        gone = [j for j in range(3) if int(edges[2 * j + 1]) not in merged]
        assert len(gone) == 1
        assert loss[gone[0]] == pytest.approx(min(loss))


def test_ties_keep_the_first_pairs() -> None:
    """Three equal pairs and two to keep: the last is merged."""
    for merge in MERGES:
        assert merge(unit_cells(6), np.array([0, 1] * 3), 1).edges.tolist() == [0, 1, 2, 3, 4, 6]


def test_samples_become_symbols_and_gaps() -> None:
    cells, masses = merging.of_samples(np.array([0, 3, 4, 8]), np.array([2, 1, 5, 1]), 10)
    assert cells.edges.tolist() == [0, 1, 3, 4, 5, 8, 9, 10]
    assert masses.tolist() == [2, 0, 1, 5, 0, 1, 0]
    merged = cells_of([0, 3, 10])
    assert merging.total(cells, masses, merged).tolist() == [2, 7]


@pytest.mark.parametrize("n_samples", [500, 2000, 8000])
def test_l2_merging_takes_the_noise_out_of_samples(n_samples: int) -> None:
    """n = 4096, k = 8: about 3 times closer than the raw counts, and below the bound of the docstring."""
    noise = np.random.default_rng(6)
    ours, raw = [], []
    for _ in range(20):
        p = pieces_law(noise, 4096, 8)
        counts = noise.multinomial(n_samples, p / p.sum())
        cells, masses = merging.of_samples(np.flatnonzero(counts), counts[counts > 0], 4096)
        merged = merging.l2(cells, masses, 8)
        fitted = merged.spread(merging.total(cells, masses, merged) / merged.widths) / n_samples
        ours.append(math.sqrt(norms.l2_squared(fitted, p)))
        raw.append(math.sqrt(norms.l2_squared(counts / n_samples, p)))
    assert np.mean(ours) < np.mean(raw) / 2
    assert np.mean(ours) < (1 + math.sqrt(2)) / math.sqrt(n_samples)


def test_l1_merging_needs_samples_for_pieces_and_not_for_symbols() -> None:
    """65,536 symbols, 4 pieces, 4000 samples: the raw counts are at l1 distance near 2, the pieces near 0.1."""
    noise = np.random.default_rng(7)
    errors = []
    for _ in range(20):
        p = pieces_law(noise, 1 << 16, 4)
        counts = noise.multinomial(4000, p / p.sum())
        cells, masses = merging.of_samples(np.flatnonzero(counts), counts[counts > 0], 1 << 16)
        merged = merging.l1(cells, masses, 4)
        errors.append(norms.l1(merged.spread(merging.total(cells, masses, merged) / merged.widths) / 4000, p))
    assert np.mean(errors) < 0.15


@pytest.mark.parametrize(("k", "d", "spare"), [(0, 1.0, 1), (2, 0.0, 1), (2, float("nan"), 1), (2, 1.0, 0)])
def test_bad_parameters(k: int, d: float, spare: int) -> None:
    for merge in MERGES:
        with pytest.raises(UsageError, match="merging takes k >= 1 pieces"):
            merge(unit_cells(9), np.ones(9, np.int64), k, d, spare)
