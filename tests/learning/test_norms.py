"""Distances, what is a distribution, and the projection to the simplex against outside oracles."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize

from distest.errors import UsageError
from distest.learning.fitting.simplex import project
from distest.learning.norms import checked_pmf, l1, l2_squared

Vector = NDArray[np.float64]
VECTORS = st.lists(st.floats(-3, 3), min_size=2, max_size=8).map(lambda v: np.array(v))


@given(VECTORS)
def test_distances_are_the_plain_sums(v: Vector) -> None:
    w = np.roll(v, 1)
    assert l1(v, w) == pytest.approx(sum(abs(a - b) for a, b in zip(v.tolist(), w.tolist(), strict=True)))
    assert l2_squared(v, w) == pytest.approx(sum((a - b) ** 2 for a, b in zip(v.tolist(), w.tolist(), strict=True)))
    assert l1(v, v) == l2_squared(v, v) == 0


def brute(v: Vector) -> Vector:
    """The nearest point of the simplex by trying every face: on a face the nearest is a shift of its coordinates."""
    best: tuple[float, Vector] | None = None
    for size in range(1, v.size + 1):
        for face in map(list, itertools.combinations(range(v.size), size)):
            point = np.zeros(v.size)
            point[face] = v[face] - (v[face].sum() - 1) / size
            if point.min() >= -1e-12 and (best is None or ((point - v) ** 2).sum() < best[0]):
                best = float(((point - v) ** 2).sum()), point
    assert best is not None
    return best[1]


@given(VECTORS)
def test_the_projection_is_the_nearest_point_of_all_faces(v: Vector) -> None:
    assert np.allclose(project(v), brute(v), atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_projection_is_what_an_optimiser_finds(seed: int) -> None:
    v = np.random.Generator(np.random.Philox(seed)).normal(1 / 12, 0.2, 12)

    def loss(p: Vector) -> float:
        return l2_squared(p, v)

    def slope(p: Vector) -> Vector:
        return 2 * (p - v)

    found = optimize.minimize(
        loss,
        np.full(12, 1 / 12, np.float64),
        jac=slope,
        bounds=optimize.Bounds(0, np.inf),
        constraints=optimize.LinearConstraint(np.ones((1, 12)), 1, 1),
        method="SLSQP",
        tol=1e-14,
    )
    assert found.success
    assert np.allclose(project(v), found.x, atol=1e-5)


@given(VECTORS)
def test_a_projection_is_a_distribution_and_stays_where_it_is(v: Vector) -> None:
    p = project(v)
    assert p.min() >= 0
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert np.allclose(project(p), p, atol=1e-12)


@given(VECTORS, st.integers(0, 7))
def test_a_projection_never_moves_away_from_a_distribution(v: Vector, corner: int) -> None:
    for truth in (np.full(v.size, 1 / v.size), np.eye(v.size)[corner % v.size]):
        assert l2_squared(project(v), truth) <= l2_squared(v, truth) + 1e-12


@given(st.lists(st.floats(0, 5), min_size=2, max_size=9).filter(lambda m: sum(m) > 0.01))
def test_a_pmf_is_checked_into_a_read_only_one(mass: list[float]) -> None:
    p = np.array(mass) / sum(mass)
    checked = checked_pmf(p, "it")
    assert np.allclose(checked, p, rtol=1e-12, atol=0)
    assert checked.dtype == np.float64
    assert not checked.flags.writeable
    assert p.flags.writeable


@pytest.mark.parametrize(
    "p",
    [
        np.array([1.0]),
        np.array([[0.5, 0.5]]),
        np.array([0.5, 0.6]),
        np.array([0.5, 0.5 - 1e-8]),
        np.array([-0.1, 1.1]),
        np.array([np.nan, 1.0]),
        np.array([np.inf, 0.0]),
        np.zeros(0),
    ],
    ids=str,
)
def test_what_is_no_pmf_is_refused(p: Vector) -> None:
    with pytest.raises(UsageError, match=r"^the truth is not a distribution on at least 2 symbols"):
        checked_pmf(p, "the truth")
