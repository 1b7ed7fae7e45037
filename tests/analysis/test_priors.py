"""The priors of the lower bounds: draws stay in their box, on their sub-domain, and have the stated law."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.bounds.prior import (
    cos2_quantile,
    draw_cos2_haar,
    draw_pairs,
    haar_directions,
    haar_half_width,
    haar_peak,
    haar_sub_domains,
    pair_sub_domains,
)
from analysis.bounds.total_bits_l1 import bits_for_l1
from analysis.bounds.total_bits_l2 import bits_for_l2


@pytest.mark.parametrize(
    ("n", "n_sub", "a", "D"), [(16, 16, 4, 0.9), (256, 16, 4, 0.29), (10, 8, 1, 0.5), (12, 12, 2, 0.99)]
)
def test_haar_draws_live_in_their_box(n: int, n_sub: int, a: int, D: float) -> None:
    u = np.random.default_rng(3).random((500, haar_directions(n_sub, a)))
    pmf = draw_cos2_haar(u, n, n_sub, a, D)
    assert pmf.shape == (500, n)
    np.testing.assert_allclose(pmf.sum(axis=1), 1.0, atol=1e-13)
    assert np.all(pmf[:, n_sub:] == 0)
    assert np.all(np.abs(pmf[:, :n_sub] - 1 / n_sub) <= D / n_sub * (1 + 1e-12))


def test_haar_box_is_reached_at_the_extreme() -> None:
    pmf = draw_cos2_haar(np.full((1, 15), 1 - 1e-15), 16, 16, 4, 0.5)[0]
    assert pmf.max() * 16 == pytest.approx(1.5, abs=1e-3)


def test_haar_coordinates_are_orthonormal() -> None:
    """The map from coordinates to pmf is an isometry up to the half-width: the directions are orthonormal."""
    n_sub, a, D = 16, 3, 0.6
    d = haar_directions(n_sub, a)
    middle = np.full(d, 0.5)
    rows = []
    for index in range(d):
        u = middle.copy()
        u[index] = 0.9
        shift = draw_cos2_haar(u[None], n_sub, n_sub, a, D)[0] - 1 / n_sub
        rows.append(shift / (haar_half_width(n_sub, a, D) * cos2_quantile(np.array([0.9]))[0]))
    basis = np.array(rows)
    np.testing.assert_allclose(basis @ basis.T, np.eye(d), atol=1e-12)
    np.testing.assert_allclose(basis.sum(axis=1), 0, atol=1e-12)
    assert np.abs(basis).sum(axis=0).max() == pytest.approx(haar_peak(a))


def test_cos2_quantile_inverts_the_cdf() -> None:
    u = np.concatenate([[1e-12, 0.5, 1 - 1e-12], np.random.default_rng(0).random(1000)])
    y = cos2_quantile(u)
    np.testing.assert_allclose(0.5 + y / 2 + np.sin(np.pi * y) / (2 * np.pi), u, atol=1e-14)
    assert np.all(np.diff(cos2_quantile(np.linspace(0.001, 0.999, 999))) > 0)


def test_cos2_law_has_its_variance() -> None:
    """Variance of the density cos^2(pi y/2) on [-1, 1] is 1/3 - 2/pi^2; a midpoint sum over u, no chance."""
    y = cos2_quantile((np.arange(100_000) + 0.5) / 100_000)
    assert float((y**2).mean()) == pytest.approx(1 / 3 - 2 / np.pi**2, abs=1e-6)


def test_pair_draws_live_in_their_box() -> None:
    u = np.random.default_rng(4).random((300, 5))
    pmf = draw_pairs(u, 12, 10, 0.7)
    np.testing.assert_allclose(pmf.sum(axis=1), 1.0, atol=1e-14)
    assert np.all(pmf[:, 10:] == 0)
    np.testing.assert_allclose(pmf[:, 0:10:2] + pmf[:, 1:10:2], 0.2)
    np.testing.assert_allclose(10 * pmf[:, 0:10:2] - 1, 0.7 * (2 * u - 1))


def test_a_draw_is_a_function_of_its_numbers() -> None:
    u = np.random.default_rng(5).random((4, 15))
    whole = draw_cos2_haar(u, 20, 16, 4, 0.4)
    np.testing.assert_array_equal(whole, draw_cos2_haar(u, 20, 16, 4, 0.4))
    np.testing.assert_array_equal(whole[2], draw_cos2_haar(u[2], 20, 16, 4, 0.4))


def test_the_constants_of_a_bound_are_the_arguments_of_its_draw() -> None:
    l2 = bits_for_l2(256, (1 - 1 / 256) / 25600).constants
    n_sub, a = int(l2["n_sub"]), int(l2["a"])
    assert haar_directions(n_sub, a) == l2["directions"]
    pmf = draw_cos2_haar(np.full((1, haar_directions(n_sub, a)), 0.3), 256, n_sub, a, l2["D"])
    assert np.count_nonzero(pmf) == n_sub == 16
    l1 = bits_for_l1(100, 0.1).constants
    pmf = draw_pairs(np.full((1, int(l1["n_sub"]) // 2), 0.3), 100, int(l1["n_sub"]), l1["D"])
    assert np.count_nonzero(pmf) == l1["n_sub"]


def test_sub_domains_fit() -> None:
    assert haar_sub_domains(16) == [2, 4, 8, 16]
    assert haar_sub_domains(13) == [2, 4, 8, 12]
    assert haar_sub_domains(96) == [2, 4, 8, 16, 32, 64, 96]
    for n in (2, 3, 9, 33, 100, 1024):
        sizes = pair_sub_domains(n)
        assert all(size % 2 == 0 and 2 <= size <= n for size in sizes)
        assert n - n % 2 in sizes


def test_wrong_draws_are_refused() -> None:
    half = np.full((1, 4), 0.5)
    with pytest.raises(ValueError, match="4 directions"):
        draw_cos2_haar(np.full((1, 3), 0.5), 8, 8, 1, 0.5)
    with pytest.raises(ValueError, match="do not tile"):
        draw_cos2_haar(half, 6, 6, 2, 0.5)
    with pytest.raises(ValueError, match="sub-domain must have"):
        draw_cos2_haar(half, 4, 8, 1, 0.5)
    with pytest.raises(ValueError, match="box size"):
        draw_pairs(half, 8, 8, 1.0)
    with pytest.raises(ValueError, match="even sub-domain"):
        draw_pairs(half, 9, 9, 0.5)
    with pytest.raises(ValueError, match="strictly between"):
        draw_pairs(np.array([[0.0, 0.5]]), 4, 4, 0.5)
