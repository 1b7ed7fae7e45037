"""Limits for vectors: their values, what known codes lose against them, and codes that attain or respect them."""

import math

import numpy as np
import pytest

from analysis.bounds import gradient_limits as limits
from distest.bits import BitReader
from distest.coins import from_seed
from distest.sgd import dither
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.correlated import Correlated
from distest.sgd.compressors.eden import Eden
from distest.sgd.compressors.hadamard_dither import HadamardDither

KEY = from_seed(5)[0]
LLOYD_MAX = (0.363380, 0.117482, 0.034548, 0.009501, 0.002505, 0.000644, 0.000163, 0.0000411851)


def measured(compressor: Compressor, d: int = 1 << 18) -> tuple[float, float]:
    """Error over energy and bits a coordinate of a Gaussian vector."""
    x = np.random.default_rng(0).standard_normal(d).astype(np.float32)
    sent = compressor.encode(x, 0, KEY)
    y = compressor.decode(BitReader(sent.data, sent.n_bits), d, 0, KEY.public)
    return float(np.square(y - x, dtype=float).sum() / np.square(x, dtype=float).sum()), sent.n_bits / d


def test_values() -> None:
    assert limits.vector_nmse(2).value == 1 / 16
    assert limits.unbiased_nmse(1).value == pytest.approx(1 / 3)
    assert limits.unbiased_nmse(0).value == math.inf
    assert limits.unbiased_nmse(1e-6).value == pytest.approx(0.7213 / 1e-6, rel=1e-3)
    assert limits.separate_mean_nmse(2, 8).value == pytest.approx(1 / 120)
    assert limits.pooled_mean_nmse(0.5, 6).value == pytest.approx(4.0**-3)
    assert limits.unbiased_nmse(2000).value >= 0


@pytest.mark.parametrize(("bits", "ratio"), [(1, 1.71), (2, 2.00), (3, 2.25), (4, 2.45), (8, 2.70)])
def test_lloyd_max_loses_what_is_known(bits: int, ratio: float) -> None:
    loss = LLOYD_MAX[bits - 1] / (1 - LLOYD_MAX[bits - 1])
    assert loss / limits.unbiased_nmse(bits).value == pytest.approx(ratio, rel=0.005)
    assert LLOYD_MAX[bits - 1] > limits.vector_nmse(bits).value
    found, used = measured(Eden(bits))
    assert found / limits.unbiased_nmse(used).value == pytest.approx(ratio, rel=0.03)
    least, _ = measured(Eden(bits, scale="least"))
    assert limits.vector_nmse(used).value < least < found


@pytest.mark.parametrize(("bits", "ratio"), [(1.0, 1.65), (2.0, 1.46), (3.0, 1.43)])
def test_dither_loses_a_quarter_of_a_bit(bits: float, ratio: float) -> None:
    found, used = measured(HadamardDither(bits))
    assert found / limits.unbiased_nmse(used).value == pytest.approx(ratio, rel=0.03)
    assert limits.excess_bits(found, used) == pytest.approx(0.2546, abs=0.01)


def test_fine_steps_lose_pi_e_over_6() -> None:
    step = 1 / 16
    loss = step**2 / 12
    entropy = 0.5 * math.log2(2 * math.pi * math.e * (1 + loss)) - math.log2(step)
    assert loss / limits.unbiased_nmse(entropy).value == pytest.approx(math.pi * math.e / 6, rel=1e-3)
    assert dither.bits_of(step) == pytest.approx(entropy, abs=0.025)  # less: what is beyond 3.5 is told apart elsewhere


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_every_compressor_here_keeps_the_limits(bits: int) -> None:
    for compressor in (Eden(bits), Correlated(bits), HadamardDither(float(bits))):
        found, used = measured(compressor, 1 << 14)
        assert found > limits.unbiased_nmse(used).value
        assert limits.excess_bits(found, used) > 0.2


def test_correlated_codes_of_equal_vectors_beat_separate_ones_and_keep_the_pooled_limit() -> None:
    """Why X3 is not a limit of all codes: 64 workers with one vector."""
    x = np.random.default_rng(1).standard_normal(1 << 12).astype(np.float32)
    codes = Correlated(2, workers=64, block=1 << 12)
    sent = [codes.encode(x, worker, KEY) for worker in range(64)]
    said = [codes.decode(BitReader(m.data, m.n_bits), x.size, i, KEY.public) for i, m in enumerate(sent)]
    loss = float(np.square(np.mean(said, axis=0, dtype=float) - x).sum() / np.square(x, dtype=float).sum())
    used = sent[0].n_bits / x.size
    assert limits.pooled_mean_nmse(used, 64).value < loss < limits.separate_mean_nmse(used, 64).value


def test_gaussian_means_need_bits() -> None:
    free = limits.gaussian_mean_l2(100, 50, 1e6, half_width=1e6).value
    assert free == pytest.approx(100 / 50, rel=1e-6)
    tight = [limits.gaussian_mean_l2(100, 50, k, half_width=1e6).value for k in (10, 20, 72)]
    assert tight[0] == pytest.approx(2 * tight[1], rel=1e-6)
    assert tight[2] == pytest.approx(free, rel=0.01)
    assert limits.gaussian_mean_l2(1, 1, 0, half_width=2.0).value == pytest.approx(4 / math.pi**2)


def test_one_bit_a_coordinate_respects_the_bound_for_gaussian_means() -> None:
    """Signs of N(theta, 1) samples, theta from the prior; the bound at k = d is that of all the data."""
    rng = np.random.default_rng(2)
    d, workers, width = 400, 200, 0.5
    grid = np.linspace(-width, width, 2001)
    mass = np.cos(math.pi * grid / (2 * width)) ** 2
    theta = rng.choice(grid, d, p=mass / mass.sum())
    up = (rng.standard_normal((workers, d)) + theta > 0).mean(axis=0)
    guess = np.clip((up - 0.5) * math.sqrt(2 * math.pi), -width, width)
    bound = limits.gaussian_mean_l2(d, workers, d, half_width=width).value
    assert bound < float(np.square(guess - theta).sum()) < 3 * bound


def test_places_of_sparse_vectors() -> None:
    assert limits.support_bits(10, 3).value == pytest.approx(math.log2(120))
    assert limits.support_bits(10, 3, 32).value == pytest.approx(math.log2(120) + 96)
    assert limits.support_bits(10, 0).value == 0
    assert limits.support_bits(10_000_000, 10_000).value / 10_000 == pytest.approx(11.41, abs=0.01)
    assert limits.index_efficiency(10_000_000, 10_000, 10_000 * 24) == pytest.approx(11.41 / 24, rel=1e-3)


def test_bounds_say_what_they_are() -> None:
    made = [
        limits.vector_nmse(1), limits.unbiased_nmse(1), limits.separate_mean_nmse(1, 2), limits.pooled_mean_nmse(1, 2),
        limits.gaussian_mean_l2(3, 2, 1), limits.support_bits(5, 2),
    ]  # fmt: skip
    assert [bound.number for bound in made] == ["X1", "X2", "X3", "X4", "X5", "X6"]
    assert {bound.unit for bound in made} == {"nmse", "l2_squared", "bits"}
    assert all(bound.kind == "lower" and bound.holds_at_finite_size for bound in made)


def test_what_is_refused() -> None:
    for ask in (
        lambda: limits.vector_nmse(-1), lambda: limits.unbiased_nmse(math.nan), lambda: limits.pooled_mean_nmse(1, 0),
        lambda: limits.gaussian_mean_l2(0, 1, 1), lambda: limits.gaussian_mean_l2(1, 1, 1, sigma=0),
        lambda: limits.support_bits(3, 4), lambda: limits.index_efficiency(3, 2, 0),
        lambda: limits.excess_bits(0, 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"needs? "):
            ask()
