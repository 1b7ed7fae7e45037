"""Total bits for several samples per server (6.5b): the constants, the trace of real messages, and the transfer."""

import itertools
import math

import numpy as np
import pytest

from analysis.bounds import best_lower, for_problem
from analysis.bounds.many_samples import many_samples_l1
from analysis.bounds.no_communication import all_data_l1
from analysis.bounds.poisson_servers import (
    THETAS,
    poisson_trace,
    restricted,
    shortfall,
    total_bits_many_samples_l1,
)
from analysis.bounds.structured import monotone_cells


@pytest.mark.parametrize(("s", "Y", "trace"), [(16, 2, 4.3676), (256, 8, 26.414), (1024, 18, 80.37), (4096, 45, 272.3)])
def test_traces_of_four_bits_a_server_at_256_symbols(s: int, Y: int, trace: float) -> None:
    R, V = restricted(s / 256, Y, np.linspace(0, 0.3, 13))
    assert float(poisson_trace(R.max(), V.max(), 256, 1, 4)) == pytest.approx(trace, rel=5e-3)
    if s == 16:
        assert R.max() == pytest.approx(1.16094, rel=1e-3)
        assert V.max() == pytest.approx(6.834e-4, rel=1e-3)


def laws(mean: float, Y: int, theta: float, top: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances of all (u, v) up to top, their scores, and the score restricted to Y and centred."""
    counts = np.arange(top + 1)
    logs = np.array([math.lgamma(k + 1) for k in counts])
    first, second = (np.exp(counts * math.log(a) - logs - a) for a in (mean * (1 + theta), mean * (1 - theta)))
    chance = np.outer(first, second)
    score = counts[:, None] / (1 + theta) - counts[None, :] / (1 - theta)
    inside = np.maximum(counts[:, None], counts[None, :]) <= Y
    return chance, score, score * inside - float((chance * score * inside).sum())


@pytest.mark.parametrize(("mean", "Y", "theta"), [(1 / 16, 2, 0.3), (1.0, 5, 0.0), (1.0, 8, 0.3), (4.0, 12, 0.6)])
def test_R_is_the_largest_squared_mean_for_its_divergence(mean: float, Y: int, theta: float) -> None:
    """No tilt and no single outcome exceeds it, and some comes within a thousandth."""
    R, V = restricted(mean, Y, np.array([theta]))
    chance, score, z = laws(mean, Y, theta, 60)
    inside = np.maximum(np.arange(61)[:, None], np.arange(61)[None, :]) <= Y
    assert V[0] == pytest.approx(float((chance * score**2 * ~inside).sum()), rel=1e-6, abs=1e-9)
    found = [2 * float((chance * z**2).sum())]
    for tilt in np.concatenate([s * np.geomspace(1e-2, 60, 4000) / np.abs(z).max() for s in (1, -1)]):
        weight = chance * np.exp(tilt * z)
        mgf = weight.sum()
        moment = float((weight * z).sum() / mgf)
        found.append(moment**2 / (tilt * moment - math.log(mgf)))
    some = chance > 1e-200
    found += list(z[some] ** 2 / np.log(1 / chance[some]))
    assert R[0] >= max(found)
    assert R[0] <= 1.001 * max(found)


def test_the_grid_of_theta_misses_little() -> None:
    """The suprema over theta are not proved: a grid 25 times finer finds nothing larger by more than 2 in 10 000."""
    fine = np.linspace(0, 0.95, 476)
    for mean, Y in [(0.02, 1), (1 / 16, 2), (1.0, 6), (1.0, 10), (5.0, 15), (16.0, 45)]:
        for coarse, exact in zip(restricted(mean, Y, THETAS), restricted(mean, Y, fine), strict=True):
            for j, D in enumerate(THETAS):
                assert coarse[: j + 1].max() >= (1 - 2e-4) * exact[fine <= D + 1e-9].max()


def test_no_message_of_a_poissonised_server_beats_the_trace() -> None:
    """One pair, 400 random quantisers of its counts: the trace against R, V and the entropy of the message."""
    rng = np.random.default_rng(2)
    tightest = 0.0
    for mean, theta in [(0.3, 0.0), (2.0, 0.4), (8.0, 0.2)]:
        Y = int(mean + 3 * math.sqrt(mean) + 2)
        R, V = restricted(mean, Y, np.array([theta]))
        chance, score, _ = laws(mean, Y, theta, 80)
        for _ in range(400):
            kind = rng.random(score.shape) if rng.random() < 0.5 else score + rng.normal(0, rng.random(), score.shape)
            cuts = np.sort(rng.choice(kind.ravel(), int(rng.integers(1, 6))))
            message = np.searchsorted(cuts, kind.ravel())
            mass = np.bincount(message, chance.ravel())
            mean_score = np.bincount(message, (chance * score).ravel())
            spoken = mass > 0
            trace = float((mean_score[spoken] ** 2 / mass[spoken]).sum())
            bits = max(0.0, float(-(mass[spoken] * np.log2(mass[spoken])).sum()))
            allowed = float(poisson_trace(R[0], V[0], 2, 1, bits))
            tightest = max(tightest, trace / allowed)
            assert trace <= allowed * (1 + 1e-9)
    assert tightest > 0.4  # the bound is not empty


def test_shortfall_is_above_the_chance_and_near_it() -> None:
    for mean, s in [(40.0, 16), (300.0, 256), (20.0, 5)]:
        exact = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(s))
        assert exact <= shortfall(mean, s) <= 1.6 * exact
    assert shortfall(5.0, 0) == 0
    assert shortfall(3.0, 9) == 1


def test_the_bound_falls_with_bits_and_stays_below_free_communication() -> None:
    n, m, s = 64, 1000, 64
    for capped in (True, False):
        values = [total_bits_many_samples_l1(n, m, s, bits, capped).value for bits in (1e2, 1e3, 1e4, 1e5, 1e7)]
        assert all(a >= b for a, b in itertools.pairwise(values))
        assert values[0] > 3 * values[3] > 0
        assert values[-1] <= all_data_l1(n, m * s).value
    hard, soft = (total_bits_many_samples_l1(n, m, s, 1e4, capped).value for capped in (True, False))
    assert 0.9 * hard < soft < hard


def test_exact_bayes_risk_of_all_data_stays_above() -> None:
    """n = 2, one server with 200 samples, all of it sent: uniform theta on [-D, D], exact Bayes l1 risk by sums."""
    s = 200
    bound = total_bits_many_samples_l1(2, 1, s, math.log2(s + 1) + 1, False)
    D = bound.constants["D"]
    assert bound.value > 0.005
    theta = np.linspace(-D, D, 2001)
    k = np.arange(s + 1)[:, None]
    choose = math.lgamma(s + 1) - np.array([math.lgamma(j + 1) + math.lgamma(s - j + 1) for j in range(s + 1)])[:, None]
    joint = np.exp(choose + k * np.log((1 + theta) / 2) + (s - k) * np.log((1 - theta) / 2)) / theta.size
    cumulative = np.cumsum(joint, axis=1)
    median = theta[np.argmax(cumulative >= cumulative[:, -1:] / 2, axis=1)]
    risk = float((joint * np.abs(median[:, None] - theta)).sum())
    assert bound.value <= risk


def test_it_takes_part() -> None:
    """Total bits with several samples were no constraint before; a hard cap keeps the better of two bounds."""
    free = best_lower(256, 2000, 256, "l1")
    bound = best_lower(256, 2000, 256, "l1", bits_total=8000.0)
    assert bound.number == "6.5b"
    assert bound.value > 2.5 * free.value
    for b, number in ((4, "6.5"), (64, "6.5b")):
        best = best_lower(256, 2000, 4096, "l1", bits_per_server=b)
        assert best.number == number
        assert best.value >= many_samples_l1(256, 2000, 4096, b).value
    assert "6.5b" not in {found.number for found in for_problem(256, 2000, 1, "l1", bits_total=8000.0)}
    pieces = best_lower(1 << 16, 2000, 256, "l1", bits_total=8000.0, family="histogram", pieces=256)
    assert pieces.value == pytest.approx(bound.value)
    falling = best_lower(1 << 20, 2000, 256, "l1", bits_total=4000.0, family="monotone")
    assert falling.name == "6.4b monotone, total bits by 6.5b, l1"
    assert falling.value > 1.5 * best_lower(1 << 20, 2000, 256, "l1", family="monotone").value
    assert falling.constants["n_sub"] <= monotone_cells(1 << 20, falling.constants["D"])
    with pytest.raises(ValueError, match="at least 0"):
        total_bits_many_samples_l1(16, 10, 4, -1.0, True)
