"""Exact risks: check values, identities, and small simulations written with numpy alone.

Every simulation compares a mean over independent runs with its formula and allows 4.5 standard errors, which
a correct formula exceeds with probability below 1e-5 for one number (below 1e-3 for this whole file). Seeds
are fixed, so a run either always passes or always fails.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.bounds.risks import (
    cycle_l2,
    cycle_l2_at_most,
    cycle_length,
    empirical_l1,
    empirical_l2,
    grouping_counts,
    grouping_l1,
    grouping_l1_at_most,
    grouping_l2,
    grouping_shift_l2,
    hash_collision,
    hash_l1,
    hash_l2,
    hash_l2_sup,
    independent_hash_l2,
    linear_hash_collision,
    linear_hash_l1,
    linear_hash_l2,
    mean_deviation,
    minimax_l2,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def uniform(n: int) -> Floats:
    return np.full(n, 1.0 / n)


def zipf(n: int) -> Floats:
    weights = 1.0 / np.arange(1, n + 1)
    return np.asarray(weights / weights.sum())


def agree(losses: Floats, formula: float) -> None:
    error = losses.std(ddof=1) / math.sqrt(losses.size)
    assert abs(losses.mean() - formula) < 4.5 * error, (losses.mean(), formula, error)


@pytest.mark.parametrize(
    ("n_samples", "q", "value"),
    [(10, 0.3, 0.11206773), (100, 1 / 64, 0.01016722), (7, 0.5, 0.15625), (40, 0.2, 0.04991399)],
)
def test_mean_deviation_values(n_samples: int, q: float, value: float) -> None:
    assert float(mean_deviation(n_samples, q)) == pytest.approx(value, abs=1e-7)


def test_mean_deviation_by_exact_rational_sums() -> None:
    for n_samples in (1, 2, 5, 16, 33):
        for q in (
            Fraction(0),
            Fraction(1, 64),
            Fraction(1, 3),
            Fraction(1, 2),
            Fraction(15, 16),
            Fraction(1),
        ):
            exact = sum(
                math.comb(n_samples, k) * q**k * (1 - q) ** (n_samples - k) * abs(Fraction(k, n_samples) - q)
                for k in range(n_samples + 1)
            )
            assert float(mean_deviation(n_samples, float(q))) == pytest.approx(float(exact), rel=1e-12, abs=1e-300)


def test_mean_deviation_at_large_counts() -> None:
    # For N q (1-q) large it tends to sqrt(2 q (1-q) / (pi N)), up to a relative order of 1/(N q (1-q)).
    for q in (0.5, 0.1, 1e-3):
        assert float(mean_deviation(10**9, q)) == pytest.approx(math.sqrt(2 * q * (1 - q) / (math.pi * 1e9)), rel=1e-5)


def test_full_sample_values() -> None:
    assert empirical_l1(uniform(64), 6400) == pytest.approx(0.0790967, abs=1e-6)
    assert minimax_l2(16, 100) == pytest.approx(0.00774793, abs=1e-7)
    assert empirical_l2(uniform(16), 100) == pytest.approx(15 / 1600)


def test_minimax_estimate_has_the_same_risk_everywhere() -> None:
    n_samples = 50
    pull = math.sqrt(n_samples)
    for p in (uniform(8), zipf(8), np.eye(8)[0]):
        bias = (n_samples * p + pull / 8) / (n_samples + pull) - p
        risk = float((bias**2).sum()) + n_samples * float((p * (1 - p)).sum()) / (n_samples + pull) ** 2
        assert risk == pytest.approx(minimax_l2(8, n_samples), rel=1e-12)


def test_hash_values() -> None:
    assert hash_l2_sup(32, 1500, 1) == pytest.approx(0.0200208, abs=1e-7)
    assert hash_l2(uniform(10), 300, 2) == pytest.approx(0.00966667, abs=1e-7)
    assert independent_hash_l2(uniform(16), 9, 2) / hash_l2(uniform(16), 9, 2) == pytest.approx(1 + 4 / 15, abs=1e-9)
    assert linear_hash_collision(6, 2) == 15 / 63
    assert hash_collision(64, 2) == 15 / 63
    assert linear_hash_l2(zipf(64), 100, 2) == pytest.approx(hash_l2(zipf(64), 100, 2), rel=1e-12)


def test_hash_worst_case_is_the_uniform_distribution() -> None:
    rng = np.random.default_rng(1)
    for n, b in [(16, 2), (10, 2), (9, 1)]:
        top = hash_l2_sup(n, 100, b)
        assert all(hash_l2(rng.dirichlet(np.full(n, 0.5)), 100, b) <= top for _ in range(300))


def test_cycle_values() -> None:
    assert cycle_l2(uniform(16), 300, 1) == pytest.approx(0.046875, abs=1e-6)
    assert cycle_l2(zipf(16), 300, 1) == pytest.approx(0.0430689, abs=1e-6)
    assert cycle_l2(uniform(16), 200, 2) == pytest.approx(0.0234375, abs=1e-6)
    assert cycle_l2(zipf(16), 200, 2) == pytest.approx(0.0215345, abs=1e-6)
    assert cycle_length(16, 1) == 15
    assert cycle_length(16, 2) == 5


def test_cycle_dominates_hash_and_grouping() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        p = rng.dirichlet(np.full(16, rng.choice([0.1, 1.0, 10.0])))
        for m, b in [(240, 1), (80, 2)]:
            assert cycle_l2(p, m, b) <= hash_l2(p, m, b) * (1 + 1e-12)
            assert cycle_l2(p, m, b) <= grouping_l2(p, m, b) * (1 + 1e-12)


def test_grouping_values() -> None:
    assert grouping_shift_l2(uniform(16), 160, 2) == pytest.approx(0.02955729, abs=1e-7)
    assert grouping_shift_l2(uniform(30), 600, 2) == pytest.approx(0.01561111, abs=1e-7)
    assert grouping_shift_l2(zipf(16), 320, 1) == pytest.approx(15 * (1 - float((zipf(16) ** 2).sum())) / 320)
    assert grouping_l2(uniform(16), 160, 2) == pytest.approx(0.03125)


def test_grouping_counts_by_listing_the_servers() -> None:
    for n, m, b in [(7, 10, 1), (7, 10, 2), (10, 23, 3), (15, 9, 4), (16, 16, 1)]:
        width = 2**b - 1
        listed = np.bincount((np.arange(m)[:, None] * width + np.arange(width)).ravel() % n, minlength=n)
        np.testing.assert_array_equal(grouping_counts(n, m, b), listed)


def test_grouping_shift_never_hurts() -> None:
    rng = np.random.default_rng(3)
    for n, m, b in [(16, 33, 1), (10, 41, 2), (30, 77, 3)]:
        p = rng.dirichlet(np.ones(n))
        assert grouping_shift_l2(p, m, b) <= grouping_l2(p, m, b)


def test_l1_with_the_normal_constant_is_not_a_bound() -> None:
    # n = 64, b = 1, m = 2048: sqrt(2n/(pi m)) sum sqrt(p) = 1.1284 lies below the true 1.2083.
    exact = grouping_l1(uniform(64), 2048, 1)
    assert exact == pytest.approx(1.2100, abs=0.0050)
    assert math.sqrt(2 * 64 / (math.pi * 2048)) * 8 < exact <= grouping_l1_at_most(uniform(64), 2048, 1)
    assert grouping_l1(uniform(32), 1500, 1) == pytest.approx(0.6673, abs=0.003)


def grouping_runs(rng: np.random.Generator, p: Floats, m: int, b: int, runs: int) -> Floats:
    """Return (runs, n) estimates of grouping, drawn server by server."""
    n, width = p.size, 2**b - 1
    samples = rng.choice(n, size=(runs, m), p=p)
    seen = (samples - np.arange(m) * width) % n < width
    counts = np.stack([np.bincount(row[mask], minlength=n) for row, mask in zip(samples, seen, strict=True)])
    return np.asarray(counts / grouping_counts(n, m, b))


@pytest.mark.parametrize(
    ("n", "m", "b", "shape"), [(16, 160, 2, "u"), (10, 43, 2, "z"), (12, 40, 1, "z"), (30, 600, 2, "z")]
)
def test_grouping_by_simulation(n: int, m: int, b: int, shape: str) -> None:
    """Plain and shifted grouping, even and uneven designs; failure probability below 1e-4."""
    p = uniform(n) if shape == "u" else zipf(n)
    estimate = grouping_runs(np.random.default_rng(11), p, m, b, 3000)
    agree(((estimate - p) ** 2).sum(axis=1), grouping_l2(p, m, b))
    agree(np.abs(estimate - p).sum(axis=1), grouping_l1(p, m, b))
    shifted = estimate + (1 - estimate.sum(axis=1, keepdims=True)) / n
    agree(((shifted - p) ** 2).sum(axis=1), grouping_shift_l2(p, m, b))


def hashed_losses(cells: Ints, samples: Ints, p: Floats, rho: float) -> tuple[float, float]:
    """Return squared l2 and l1 loss of one run: cells (m, n) is each server's partition."""
    m, n = samples.size, p.size
    told = cells[np.arange(m), samples]
    estimate = ((cells[:, :n] == told[:, None]).mean(axis=0) - rho) / (1 - rho)
    return float(((estimate - p) ** 2).sum()), float(np.abs(estimate - p).sum())


@pytest.mark.parametrize(("n", "m", "b"), [(16, 60, 2), (10, 60, 2), (9, 50, 1)])
def test_balanced_hash_by_simulation(n: int, m: int, b: int) -> None:
    """Random balanced partitions, padded if 2^b does not divide n; failure probability below 1e-4."""
    rng = np.random.default_rng(21)
    cell_size = -(-n // 2**b)
    base = np.repeat(np.arange(2**b), cell_size)
    for p in (uniform(n), zipf(n)):
        losses = np.array(
            [
                hashed_losses(
                    rng.permuted(np.tile(base, (m, 1)), axis=1),
                    rng.choice(n, m, p=p),
                    p,
                    hash_collision(n, b),
                )
                for _ in range(1500)
            ]
        )
        agree(losses[:, 0], hash_l2(p, m, b))
        agree(losses[:, 1], hash_l1(p, m, b))


@pytest.mark.parametrize(("n", "m", "b"), [(16, 60, 2), (11, 60, 1)])
def test_random_linear_hash_by_simulation(n: int, m: int, b: int) -> None:
    """Uniform full-rank binary matrices by rejection, real symbols only; failure probability below 1e-4."""
    rng = np.random.default_rng(31)
    t, p = 4, zipf(n)
    parity = np.array([bin(value).count("1") % 2 for value in range(16)])
    symbols = np.arange(n)
    losses = []
    for _ in range(1500):
        rows = rng.integers(0, 16, size=(m, b))
        while True:
            dependent = (rows == 0).any(axis=1) | ((rows[:, 0] == rows[:, -1]) if b == 2 else False)
            if not dependent.any():
                break
            rows[dependent] = rng.integers(0, 16, size=(int(dependent.sum()), b))
        cells = sum(parity[rows[:, j, None] & symbols] << j for j in range(b))
        losses.append(hashed_losses(np.asarray(cells), rng.choice(n, m, p=p), p, linear_hash_collision(t, b)))
    agree(np.array(losses)[:, 0], linear_hash_l2(p, m, b))
    agree(np.array(losses)[:, 1], linear_hash_l1(p, m, b))


@pytest.mark.parametrize(("n", "m"), [(16, 60), (11, 60), (5, 35)])
def test_one_bit_cycle_by_simulation(n: int, m: int) -> None:
    """All nonzero parities in turn, also for padded domains; failure probability below 1e-4."""
    rng = np.random.default_rng(41)
    n_padded = 1 << (n - 1).bit_length()
    parity = np.array([bin(value).count("1") % 2 for value in range(n_padded)])
    rows = np.arange(m) % (n_padded - 1) + 1
    cells = parity[rows[:, None] & np.arange(n)]
    rho = (n_padded // 2 - 1) / (n_padded - 1)
    for p in (uniform(n), zipf(n)):
        losses = np.array([hashed_losses(cells, rng.choice(n, m, p=p), p, rho) for _ in range(3000)])
        agree(losses[:, 0], cycle_l2(p, m, 1))
        assert cycle_l2(p, m, 1) <= cycle_l2_at_most(p, m, 1) * (1 + 1e-12)


def test_cycle_over_four_elements_by_simulation() -> None:
    """n = 16 = 4^2: the five directions of linear functionals over GF(4); failure probability below 1e-4."""
    rng = np.random.default_rng(51)
    times = np.array([[0, 0, 0, 0], [0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2]])  # 2 = w, 3 = w + 1
    high, low = np.divmod(np.arange(16), 4)
    directions = [(0, 1), (1, 0), (1, 1), (1, 2), (1, 3)]
    design = np.stack([times[a, high] ^ times[b, low] for a, b in directions])
    cells = np.tile(design, (8, 1))
    for p in (uniform(16), zipf(16)):
        losses = np.array([hashed_losses(cells, rng.choice(16, 40, p=p), p, 3 / 15) for _ in range(3000)])
        agree(losses[:, 0], cycle_l2(p, 40, 2))


def test_full_sample_by_simulation() -> None:
    """Empirical and constant-risk estimates from 30 samples on 8 symbols; failure probability below 1e-4."""
    rng = np.random.default_rng(61)
    p, n_samples = zipf(8), 30
    counts = rng.multinomial(n_samples, p, size=20_000)
    agree(((counts / n_samples - p) ** 2).sum(axis=1), empirical_l2(p, n_samples))
    agree(np.abs(counts / n_samples - p).sum(axis=1), empirical_l1(p, n_samples))
    pull = math.sqrt(n_samples)
    estimate = (counts + pull / 8) / (n_samples + pull)
    agree(((estimate - p) ** 2).sum(axis=1), minimax_l2(8, n_samples))


def test_wrong_designs_are_refused() -> None:
    with pytest.raises(ValueError, match="does not divide m=16"):
        cycle_l2(uniform(16), 16, 1)
    with pytest.raises(ValueError, match=r"power of 2\^b"):
        cycle_l2(uniform(8), 50, 2)
    with pytest.raises(ValueError, match="see only 8 of 16"):
        grouping_l2(uniform(16), 8, 1)
    with pytest.raises(ValueError, match="use the full sample"):
        grouping_l2(uniform(4), 8, 3)
    with pytest.raises(ValueError, match="needs a pmf"):
        empirical_l2(np.array([0.5, 0.6]), 3)
    with pytest.raises(ValueError, match="full-rank"):
        linear_hash_collision(2, 3)
