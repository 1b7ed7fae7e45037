"""Isotonic regression against scipy's, and the contraction that the protocols' bounds use."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from distest.learning.fitting import isotonic


@pytest.mark.parametrize("size", [1, 2, 3, 10, 200])
def test_levels_are_those_of_scipy(size: int) -> None:
    noise = np.random.default_rng(size)
    for _ in range(50):
        masses, widths = noise.integers(0, 9, size), noise.integers(1, 6, size)
        for pool, increasing in ((isotonic.falling, False), (isotonic.rising, True)):
            found = pool(masses, widths)
            known = isotonic_regression(masses / widths, weights=widths, increasing=increasing).x
            np.testing.assert_allclose(found, known, rtol=0, atol=1e-12)
            assert (found * widths).sum() == pytest.approx(masses.sum())


def test_monotone_input_stays_as_it_is() -> None:
    assert isotonic.falling(np.array([6, 4, 4, 0]), np.array([1, 1, 2, 5])).tolist() == [6, 4, 2, 0]
    assert isotonic.rising(np.array([0, 1]), np.array([7, 1])).tolist() == [0, 1]


def test_pooling_never_increases_a_distance() -> None:
    """l1 between any two, and l1, l2 and largest distance to a monotone one."""
    noise = np.random.default_rng(3)
    for _ in range(300):
        widths = noise.integers(1, 6, 30)
        f, g = noise.normal(size=30), noise.normal(size=30)
        pooled, other = isotonic.falling(f * widths, widths), isotonic.falling(g * widths, widths)
        assert (widths * np.abs(pooled - other)).sum() <= (widths * np.abs(f - g)).sum() + 1e-12
        goal = np.sort(g)[::-1]
        for power in (1, 2):
            assert (widths * np.abs(pooled - goal) ** power).sum() <= (widths * np.abs(f - goal) ** power).sum() + 1e-12
        assert np.abs(pooled - goal).max() <= np.abs(f - goal).max() + 1e-12
