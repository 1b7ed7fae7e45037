"""Compressors that rotate: what they err and cost, at fixed seeds; statistical bounds are 4 standard errors or more."""

import hashlib
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from distest.bits import BitReader, Messages
from distest.coins import Coins, from_seed
from distest.errors import UsageError, WireError
from distest.kernels import hadamard
from distest.sgd import dither, levels, rotation
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.correlated import Correlated
from distest.sgd.compressors.eden import Eden
from distest.sgd.compressors.hadamard_dither import HadamardDither
from distest.sgd.problem import Vector

KEY = from_seed(11)[0]
D = 1 << 17
DISTORTIONS = (0.363380, 0.117482, 0.034548, 0.009501, 0.002505, 0.000644, 0.000163, 0.000041)
DOORS = ("hadamard", "dither", "rans", "bitpack", "prefix")


def drawn(law: str, d: int = D, seed: int = 0) -> Vector:
    rng = np.random.default_rng(seed)
    if law == "gauss":
        x = rng.standard_normal(d)
    elif law == "t3":
        x = rng.standard_t(3, d)
    else:
        x = rng.choice([-1, 1], d) * np.exp(2 * rng.standard_normal(d))
    return x.astype(np.float32)


def through(compressor: Compressor, x: Vector, worker: int = 0, coins: Coins = KEY) -> tuple[Vector, int]:
    sent = compressor.encode(x, worker, coins)
    reader = BitReader(sent.data, sent.n_bits)
    y = compressor.decode(reader, x.size, worker, coins.public)
    assert reader.unread() == 0
    return y, sent.n_bits


def loss(y: NDArray[Any], x: Vector) -> float:
    wide = x.astype(np.float64)
    return float(np.square(y - wide).sum() / np.square(wide).sum())


# ---- the rotation


@pytest.mark.parametrize("t", [0, 1, 3, 4, 5, 6, 9, 11])
def test_the_transform_is_the_matrix_and_both_roads_give_the_same_bits(t: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = drawn("gauss", 1 << t)
    words = np.random.default_rng(1).integers(0, 1 << 64, (1 << t) // 64 + 1, dtype=np.uint64)
    found = []
    for worth in (False, True):
        monkeypatch.setattr("distest.kernels.hadamard.worth_compiling", lambda n_items, worth=worth: worth)
        y = x.copy()
        hadamard.transform(y)
        z = x.copy()
        hadamard.flip(z, words)
        found.append((y.tobytes(), z.tobytes()))
    assert found[0] == found[1]
    index = np.arange(1 << t)
    matrix = 1.0 - 2.0 * (np.bitwise_count(index[:, None] & index) % 2)
    assert np.allclose(y, matrix @ x, atol=1e-4)
    signs = np.array([1 - 2 * (int(words[i // 64]) >> (63 - i % 64) & 1) for i in range(1 << t)])
    assert np.array_equal(z, x * signs)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 100, 127, 128, 129, 255, 300, 1000, 5000, 70_000, D + 1])
def test_segments_pad_nothing_and_turning_back_gives_the_vector(d: int) -> None:
    for block in (128, 1 << 12, 1 << 16):
        parts = rotation.segments(d, block)
        assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
        assert parts[-1].stop == d
        assert len(parts) <= d // block + math.log2(block / 64)
        x = drawn("t3", d)
        y, factors = rotation.turned(x, block, KEY.public, 3)
        for part in parts:
            assert math.isclose(np.linalg.norm(y[part]), np.linalg.norm(x[part]), rel_tol=1e-5)
        back = rotation.turned_back(y.copy(), 1 / factors, block, KEY.public, 3)
        assert np.abs(back - x).max() <= 1e-5 * np.abs(x).max()
    if d > 2:
        assert not np.allclose(y, rotation.turned(x, 1 << 16, KEY.public, 4)[0])


def test_a_spike_is_spread_over_its_segment() -> None:
    for d in (1 << 12, 4000, 4100):
        for place in (0, d // 2, d - 1):
            x = np.zeros(d, np.float32)
            x[place] = 1
            y = np.abs(rotation.turned(x, 1 << 16, KEY.public, 0)[0])
            part = next(p for p in rotation.segments(d, 1 << 16) if p.start <= place < p.stop)
            assert y[part].max() <= 6 / (part.stop - part.start) ** 0.5 + 1e-6
            assert y.sum() == pytest.approx(y[part].sum())


def test_sums_have_one_order() -> None:
    x = np.random.default_rng(0).standard_normal(5000)
    assert rotation.total(x) == pytest.approx(math.fsum(x), rel=1e-12)
    lanes = np.zeros(1024)
    for i in range(0, 5000, 1024):
        lanes[: x[i : i + 1024].size] += x[i : i + 1024]
    while lanes.size > 1:
        lanes = lanes[: lanes.size // 2] + lanes[lanes.size // 2 :]
    assert rotation.total(x) == lanes[0]


@pytest.mark.parametrize("scale", [0.0, 5e-324, 1e-310, 1.0, 1 / 3, 3.4e38, 1e300])
def test_scales_travel_in_32_bits(scale: float) -> None:
    for up in (False, True):
        sent = rotation.sent_scale(scale, up)
        packed = rotation.pack_scales(np.array([sent]))
        assert packed.n_bits == 32
        assert rotation.read_scales(BitReader(packed.data, 32), 1)[0] == sent
        assert abs(sent - scale) <= scale * 2.0 ** (-20 if up else -21) or scale < 1e-300
        assert sent >= scale or not up


# ---- levels and laws


@pytest.mark.parametrize("bits", range(1, 9))
def test_levels_are_those_of_lloyd_and_max(bits: int) -> None:
    """Newton's method on the conditions: each level the mean of its cell, each edge the middle of two levels."""
    c = stats.norm.ppf(0.5 + 0.5 * (np.arange(1 << (bits - 1)) + 0.5) / (1 << (bits - 1))) * 3**0.5
    for _ in range(60):
        t = np.concatenate(([0.0], (c[1:] + c[:-1]) / 2, [np.inf]))
        density, tail = stats.norm.pdf(t), stats.norm.sf(t)
        mass = tail[:-1] - tail[1:]
        mean = (density[:-1] - density[1:]) / mass
        if np.abs(mean - c).max() < 1e-11:
            break
        low = density[:-1] * (mean - t[:-1]) / mass / 2
        high = np.append(density[1:-1] * (t[1:-1] - mean[:-1]) / mass[:-1] / 2, 0.0)
        low[0] = 0
        jacobian = np.diag(low + high - 1) + np.diag(low[1:], -1) + np.diag(high[:-1], 1)
        c = c - np.linalg.solve(jacobian, mean - c)
    assert np.abs(levels.levels(bits)[1 << (bits - 1) :] - c).max() < 1e-6
    assert abs(1 - 2 * float((mass * c * c).sum()) - DISTORTIONS[bits - 1]) < 1e-6
    assert abs(_distortion(bits) - DISTORTIONS[bits - 1]) < 1e-5


def _distortion(bits: int) -> float:
    """Of the tabled levels, from the cells that the tabled edges make."""
    c, t = levels.levels(bits).astype(float), levels.edges(bits).astype(float)
    t = np.concatenate(([-np.inf], t, [np.inf]))
    mass = np.diff(stats.norm.cdf(t))
    first = -np.diff(stats.norm.pdf(t))
    return float(1 - 2 * (c * first).sum() + (c * c * mass).sum())


def test_the_normal_law_is_right_to_13_digits() -> None:
    x = np.linspace(-8, 8, 4001)
    assert np.abs(dither.normal_cdf(x) - stats.norm.cdf(x)).max() < 1e-13
    assert dither.normal_cdf(np.array([-9.0, 9.0])).tolist() == [0, 1]


@pytest.mark.parametrize("step", [4.0, 2.5723, 1.0824, 0.5224])
def test_bits_are_the_mutual_information_with_uniform_noise(step: float) -> None:
    """H(k | u) = h(z + uniform) - log2 step: Zamir and Feder (1992). Bins of the dither cost 0.002 at most."""

    def part(v: float) -> float:
        density = (stats.norm.cdf(v + step / 2) - stats.norm.cdf(v - step / 2)) / step
        return -density * math.log2(density) if density > 0 else 0.0

    exact = 2 * integrate.quad(part, 0, 8 + step, limit=200)[0] - math.log2(step)
    assert exact - 0.002 <= dither.bits_of(step) <= exact + 0.002


def test_steps_take_the_bits_asked_for() -> None:
    for bits, step in ((1.0, 2.5723), (2.0, 1.0824), (3.0, 0.5224)):
        assert dither.step_for(bits) == pytest.approx(step, abs=0.004)
        assert bits - 0.002 <= dither.bits_of(dither.step_for(bits)) <= bits
    steps = [dither.step_for(bits) for bits in np.arange(0.25, 7.01, 0.25)]
    assert steps == sorted(steps, reverse=True)


# ---- EDEN


@pytest.mark.parametrize(("bits", "expected"), [(1, 0.5708), (2, 0.1331), (3, 0.0358), (4, 0.0096)])
def test_eden_errs_as_its_levels_say(bits: int, expected: float) -> None:
    """Within 3 %; lognormal energy is in few places, so that rotated coordinates are no Gaussians, and it errs less."""
    assert expected == pytest.approx(DISTORTIONS[bits - 1] / (1 - DISTORTIONS[bits - 1]), rel=0.01)
    for law in ("gauss", "t3", "lognormal"):
        x = drawn(law)
        y, n_bits = through(Eden(bits), x)
        assert n_bits == bits * D + 32 * 2
        assert loss(y, x) == pytest.approx(expected, rel=0.03) or (law == "lognormal" and loss(y, x) < expected)
        z, _ = through(Eden(bits, scale="least"), x)
        assert loss(z, x) == pytest.approx(DISTORTIONS[bits - 1], rel=0.03) or law == "lognormal"
        assert loss(z, x) <= loss(y, x)


def test_eden_is_exact_along_the_vector_and_nearly_unbiased_across() -> None:
    x = drawn("t3", 1024)
    draws = 300
    mean = np.zeros(x.size)
    for t in range(draws):
        y, _ = through(Eden(1), x, coins=KEY.fold(t))
        assert y.astype(float) @ x == pytest.approx(float(np.square(x, dtype=float).sum()), rel=1e-5)
        mean += y / draws
    assert loss(mean, x) <= 1.5 * 0.5708 / draws


def test_independent_rotations_of_workers_average_out() -> None:
    """W equal vectors: the error falls as 1 / W, here to 1/8 within 10 %."""
    x = drawn("gauss", 1 << 14)
    for compressor, alone in ((Eden(1), 0.5708), (HadamardDither(1.0), dither.step_for(1.0) ** 2 / 12)):
        mean = np.mean([through(compressor, x, worker)[0] for worker in range(8)], axis=0)
        assert loss(mean, x) == pytest.approx(alone / 8, rel=0.1)


# ---- the flagship


@pytest.mark.parametrize(("bits", "expected"), [(1.0, 0.551), (2.0, 0.0977), (3.0, 0.0227)])
def test_dither_errs_and_costs_what_theory_says_whatever_the_law(bits: float, expected: float) -> None:
    """All side bits counted. A squared error of d coordinates has relative deviation sqrt(0.8 / d) = 0.0025."""
    compressor = HadamardDither(bits)
    for law in ("gauss", "t3", "lognormal"):
        x = drawn(law)
        y, n_bits = through(compressor, x)
        assert n_bits / D == pytest.approx(bits, rel=0.03)
        assert loss(y, x) == pytest.approx(expected, rel=0.03)
        assert loss(y, x) == pytest.approx(compressor.distortion(D), rel=0.0125)


def test_errors_are_uniform_and_know_nothing_of_the_vector() -> None:
    """Kolmogorov's distance of D errors after the rotation to uniform, below 2.5 / sqrt(D): fails by chance in 1e-5."""
    for law in ("gauss", "lognormal"):
        x = drawn(law, 1 << 16)
        compressor = HadamardDither(step=2.0)
        y, _ = through(compressor, x)
        turned, rms = rotation.turned(x, 1 << 16, KEY.public, 0)[0], np.linalg.norm(x) / 2**8
        error = (rotation.turned(y, 1 << 16, KEY.public, 0)[0] - turned) / (2.0 * rms) + 0.5
        assert stats.kstest(error, "uniform").statistic < 2.5 / 2**8
        assert abs(np.corrcoef(error, turned)[0, 1]) < 4.5 / 2**8


@pytest.mark.parametrize(("bits", "slots"), [(2, 1), (3, 3), (4, 7)])
@pytest.mark.parametrize("law", ["gauss", "t3", "lognormal"])
def test_flagship_beats_stochastic_rounding_at_equal_bits(bits: int, slots: int, law: str) -> None:
    """Against buckets of 512 scaled by their maximum, levels j / slots: at its packed width, and at its entropy.

    Not at the entropy of lognormal coordinates, which are nearly sparse: there rotation spreads what was cheap to say.
    """
    x = drawn(law)
    buckets = x.reshape(-1, 512).astype(float)
    top = np.abs(buckets).max(axis=1, keepdims=True)
    code = np.floor(buckets / top * slots + np.random.default_rng(1).random(buckets.shape))
    rounded = (code * top / slots).ravel()
    masses = np.unique(code, return_counts=True)[1] / D
    entropy = -float((masses * np.log2(masses)).sum()) + 32 / 512
    costs = [bits + 32 / 512, entropy] if law != "lognormal" else [bits + 32 / 512]
    for cost in costs:
        y, n_bits = through(HadamardDither(min(7.0, max(0.25, cost - 0.01))), x)
        assert n_bits / D <= cost
        assert 1.6 * loss(y, x) < loss(rounded, x)


def test_far_multiples_travel_one_by_one_and_both_roads_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    z = drawn("gauss", 5000)
    z[[3, 700, 4999]] = [40, -25, 9]
    x = rotation.turned_back(z, np.ones(len(rotation.segments(5000, 128))), 128, KEY.public, 2)
    found = []
    for worth in (False, True):
        for door in DOORS:
            monkeypatch.setattr(f"distest.kernels.{door}.worth_compiling", lambda n_items, worth=worth: worth)
        for compressor in (HadamardDither(step=0.25, block=128), Eden(3, block=128), Correlated(2, block=128)):
            sent = compressor.encode(x, 2, KEY)
            y = compressor.decode(BitReader(sent.data, sent.n_bits), x.size, 2, KEY.public)
            found.append((sent.to_bytes(), sent.n_bits, y.tobytes()))
            if isinstance(compressor, HadamardDither):
                segment = 40 * 0.25 / 128**0.5  # the largest scale is that of 40 among 127 of size 1
                turned = rotation.turned(y, 128, KEY.public, 2)[0]
                assert np.abs(turned - rotation.turned(x, 128, KEY.public, 2)[0]).max() <= 0.5 * segment * 1.1
    assert found[:3] == found[3:]


def test_zero_segments_cost_their_scale_alone() -> None:
    x = np.zeros(D, np.float32)
    assert through(HadamardDither(), x)[1] == 64
    x[:100] = 1
    y, n_bits = through(HadamardDither(), x)
    assert not y[1 << 16 :].any()
    assert n_bits < 2.1 * (1 << 16)


@pytest.mark.parametrize("size", [3.4e38, 1e-30, 1e-40, 1.4e-45])
def test_size_does_not_matter(size: float) -> None:
    x = np.where(drawn("gauss", 4096) > 0, np.float32(size), -np.float32(size))
    for compressor, expected in ((Eden(4), 0.0096), (HadamardDither(4.0), HadamardDither(4.0).distortion(4096))):
        y, _ = through(compressor, x)
        if size > 1e-38:
            assert loss(y, x) <= expected * 1.2
        else:
            assert np.abs(y.astype(float) - x).max() <= size * 1.5 + 1.5e-45


# ---- correlated


def nmse(compressor: Compressor, xs: NDArray[np.float32], coins: Coins) -> float:
    """Of the mean, times W: 1 for every vector lost."""
    said = np.mean([through(compressor, x, worker, coins)[0] for worker, x in enumerate(xs)], axis=0, dtype=float)
    error = np.square(said - xs.mean(axis=0, dtype=float)).sum()
    return float(error / np.square(xs, dtype=float).sum() * len(xs))


@pytest.mark.parametrize(("bits", "workers"), [(1, 8), (2, 8), (4, 5)])
def test_correlated_rounding_beats_independent_rounding(bits: int, workers: int) -> None:
    apart = np.stack([drawn("gauss", 1 << 13, seed) for seed in range(workers)])
    same = np.repeat(apart[:1], workers, axis=0)
    for xs, low, high in ((apart, 0.2, 0.3 if bits == 1 else 0.65), (same, 0.05, 1.2 / workers)):
        with_, without = (nmse(Correlated(bits, group), xs, KEY) for group in (workers, 1))
        assert low * without < with_ < high * without


def test_a_group_has_one_worker_in_each_stratum_and_each_is_uniform() -> None:
    compressor = Correlated(workers=5)
    for group in (range(5), range(10, 15)):
        u = np.stack([compressor._uniform(4001, worker, KEY) for worker in group])
        assert bool((np.sort((u * 5).astype(int), axis=0) == np.arange(5)[:, None]).all())
        for row in u:
            assert stats.kstest(row, "uniform").pvalue > 1e-4
        order = np.argsort(u[:3], axis=0)
        counts = np.unique(order[0] * 9 + order[1] * 3 + order[2], return_counts=True)[1]
        assert stats.chisquare(counts).pvalue > 1e-4
        assert counts.size == 6


def test_correlated_costs_its_width_and_a_scale_a_segment() -> None:
    assert through(Correlated(3), drawn("gauss", 1000))[1] == 3000 + 32 * len(rotation.segments(1000, 1 << 16))


# ---- what is refused


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Eden(0), "1 to 8 bits"), (lambda: Eden(9), "1 to 8 bits"),
        (lambda: Eden(scale="best"), "'unbiased' or 'least'"),  # type: ignore[arg-type]  # refused on purpose
        (lambda: Eden(block=1000), "power of two from 128 to 65536"),
        (lambda: HadamardDither(block=64), "power of two from 128 to 65536"),
        (lambda: HadamardDither(0.1), "0.25 to 7.0 bits"), (lambda: HadamardDither(math.nan), "0.25 to 7.0 bits"),
        (lambda: HadamardDither(step=0.01), "steps from 0.03125 to 16.0"),
        (lambda: HadamardDither(step=-1.0), "steps from"), (lambda: Correlated(0), "1 to 8 bits"),
        (lambda: Correlated(workers=0), "1 to 256 workers"), (lambda: Correlated(workers=257), "1 to 256 workers"),
        (lambda: Correlated(block=1 << 17), "power of two"),
    ],
)  # fmt: skip
def test_bad_parameters_are_one_sentence(make: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compressor", [Eden(2), HadamardDither(2.0), Correlated(2)], ids=lambda c: type(c).__name__)
def test_damaged_bits_are_a_finite_vector_or_refused(compressor: Compressor) -> None:
    rng = np.random.default_rng(4)
    x = drawn("t3", 900)
    sent = compressor.encode(x, 0, KEY)
    for case in range(200):
        data, n_bits = sent.data.copy(), sent.n_bits
        if case % 2:
            n_bits = int(rng.integers(0, n_bits))
        else:
            data[rng.integers(0, (n_bits // 8) if case % 4 else 16, 2)] = rng.integers(0, 256, 2)
        try:
            y = compressor.decode(BitReader(data, n_bits), 900, 0, KEY.public)
        except WireError:
            continue
        assert case % 2 == 0
        assert np.isfinite(y).all()
    for scale in (math.nan, math.inf, -1.0):
        bad = rotation.pack_scales(np.full(len(rotation.segments(900, 1 << 16)), scale))
        data = np.concatenate((bad.data[: bad.n_bits // 8], sent.data[bad.n_bits // 8 :]))
        with pytest.raises(WireError, match="scale"):
            compressor.decode(BitReader(data, sent.n_bits), 900, 0, KEY.public)
    with pytest.raises(WireError):
        compressor.decode(BitReader(Messages.of_bytes(b"").data, 0), 1 << 40, 0, KEY.public)


@pytest.mark.parametrize(
    ("compressor", "said"),
    [
        (Eden(3), "892554de108b6464"),
        (HadamardDither(2.0), "caaf6202b481a240"),
        (HadamardDither(step=0.1), "beb852c942b54e11"),
        (Correlated(2), "d456d060ead023b9"),
    ],
    ids=["eden", "hadamard_dither", "small steps", "correlated"],
)
def test_messages_are_frozen(compressor: Compressor, said: str) -> None:
    """Made of sums, products, quotients and roots, the same everywhere; a change belongs in the changelog."""
    x = (np.arange(9001) % 61 - 30).astype(np.float32) ** 3
    sent = compressor.encode(x, 7, KEY)
    y = compressor.decode(BitReader(sent.data, sent.n_bits), x.size, 7, KEY.public)
    assert hashlib.sha256(sent.to_bytes() + y.tobytes()).hexdigest()[:16] == said


def test_far_multiples_behind_segments_of_zeros_find_their_places() -> None:
    block = 128
    parts = rotation.segments(900, block)
    z = drawn("gauss", 900)
    for i in (0, 2, 3):
        z[parts[i]] = 0
    z[[130, 255, 600, 899]] = [60, -50, 70, -40]
    x = rotation.turned_back(z.copy(), np.ones(len(parts)), block, KEY.public, 0)
    y, _ = through(HadamardDither(step=0.05, block=block), x)
    turned = rotation.turned(y, block, KEY.public, 0)[0]
    assert np.abs(turned - z).max() <= 0.5 * 0.05 * 70 / 128**0.5 * 1.2
    assert np.flatnonzero(np.abs(turned) > 20).tolist() == [130, 255, 600, 899]
