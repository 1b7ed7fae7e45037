"""The largest risks over all p: no random p exceeds them, and those that are called attained are attained."""

import numpy as np
import pytest

from analysis.bounds import risks, worst
from analysis.bounds.risks import cycle_length, grouping_l2, hash_l2_sup, minimax_l2


def least_attained(n: int, m: int, b: int) -> float:
    """The smallest worst-case squared l2 risk known to be attained by m servers of b bits and one sample each."""
    width = (1 << b) - 1
    found = [hash_l2_sup(n, m, b)]
    if width + 1 >= n:
        found.append(minimax_l2(n, m))
    if width <= n and m * width % n == 0:
        found += [worst.grouping_l2(n, m, b)[0], worst.grouping_shift_l2(n, m, b)[0]]
    if m % cycle_length(n, b) == 0:
        value, attained = worst.cycle_l2(n, m, b)
        found += [value] * attained
    return min(found)


@pytest.mark.parametrize("n", [2, 3, 5, 16, 64])
def test_weighted_quadratics_have_no_larger_value(n: int) -> None:
    rng = np.random.default_rng(n)
    for spread in (0.0, 0.3, 3.0):
        weights = np.exp(spread * rng.standard_normal(n))
        value, p = worst.weighted_quadratic(weights)
        assert p.min() >= 0
        assert p.sum() == pytest.approx(1)
        assert value == pytest.approx(float((weights * p * (1 - p)).sum()))
        slope = weights * (1 - 2 * p)  # no mass can be moved to a steeper place
        assert slope[p > 0].min() >= slope.max() - 1e-9
        others = rng.dirichlet(np.full(n, 0.5), 500)
        assert ((weights * others * (1 - others)).sum(axis=1) <= value + 1e-12).all()


def test_uneven_grouping_is_worst_away_from_uniform() -> None:
    """20 windows on 16 symbols: four of them are watched twice as often, so the worst p is elsewhere."""
    value, p = worst.grouping_l2(16, 20, 1)
    assert value == pytest.approx(grouping_l2(p, 20, 1))
    assert value > 1.02 * grouping_l2(np.full(16, 1 / 16), 20, 1)
    assert p[0] < p[-1]
    assert worst.grouping_l2(16, 32, 1)[0] == pytest.approx(15 / 32)


def test_closed_forms_of_even_designs() -> None:
    assert list(worst.grouping_shift_l2(16, 320, 1)) == [pytest.approx(15**2 / (16 * 320)), True]
    assert list(worst.cycle_l2(16, 300, 1)) == [pytest.approx(15**2 / (16 * 300)), True]
    assert list(worst.cycle_l2(16, 100, 2)) == [pytest.approx(15**2 / (16 * 100 * 3)), True]
    assert list(worst.recursive_hadamard_l2(16, 320, 2)) == [pytest.approx(8 * (1 - 1 / 16) / 320), True]
    assert worst.linear_hash_l2(16, 300, 1) == pytest.approx(15**2 / (16 * 300))
    assert worst.simulation_l2(16, 1000, 2, False) == (0.9375, True)
    assert risks.simulation_l2(np.eye(16)[3], 1000, 2, False) == pytest.approx(0.9375)


def test_the_coin_of_simulation_keeps_the_worst_case_near_four_over_batches() -> None:
    """The bound is within 20 % of the risk at a point mass once there are 200 batches."""
    n, b = 16, 2
    m = 200 * 2 * 11
    bound = worst.simulation_l2(n, m, b, True)[0]
    p = np.full(n, 1e-3 / 15)
    p[0] = 1 - 1e-3
    spread = np.r_[0.5, 0.5, np.zeros(14)]
    assert bound < 1.2 * 4 * (1 - 1 / n) / 200
    for pmf in (p, spread, np.full(n, 1 / n)):
        assert risks.simulation_l2(pmf, m, b, True) <= bound
