"""Chances of gspar: the closed form against bisection, densities and errors of the greedy rule, both roads alike."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.bits import BitReader
from distest.coins import from_seed
from distest.errors import UsageError
from distest.kernels import chances as door
from distest.kernels import splitmix
from distest.sgd.chances import by_density, by_variance
from distest.sgd.compressors.gspar import Gspar

Vector = NDArray[np.float32]
D = 100_000


def vector(law: str, d: int = D, seed: int = 0) -> Vector:
    rng = np.random.default_rng(seed)
    if law == "gauss":
        x = rng.standard_normal(d)
    elif law == "t3":
        x = rng.standard_t(3, d)
    else:
        x = np.exp(2 * rng.standard_normal(d)) * rng.choice([-1, 1], d)
    return x.astype(np.float32)


def error(x: Vector, unit: float) -> float:
    """Mean squared error over |x|^2: sum of (1 / p - 1) x^2."""
    a = np.abs(x.astype(np.float64))
    below = a[a < unit]
    return float((unit * below - below**2).sum() / np.square(a).sum())


def density(x: Vector, unit: float) -> float:
    return float(np.minimum(np.abs(x.astype(np.float64)) / unit, 1).mean())


@pytest.mark.parametrize("law", ["gauss", "t3", "lognormal"])
@pytest.mark.parametrize("eps", [0.01, 0.3, 1.0, 20.0])
def test_the_closed_form_is_what_bisection_finds(law: str, eps: float) -> None:
    x = vector(law, 5000)
    low, high = 0.0, 1e12
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if error(x, middle) < eps else (low, middle)
    unit = by_variance(x, eps)
    assert unit == pytest.approx(low, rel=1e-10)
    assert error(x, unit) == pytest.approx(eps, rel=1e-10)
    # and what sorting finds: the smallest k with a_{k+1} T1(k) <= eps G + T2(k)
    a = np.sort(np.abs(x.astype(np.float64)))[::-1]
    first, second = np.cumsum(a[::-1])[::-1], np.cumsum(a[::-1] ** 2)[::-1]
    k = int(np.argmax(a * first <= eps * second[0] + second))
    assert np.count_nonzero(a >= unit) == k
    assert unit == pytest.approx((eps * second[0] + second[k]) / first[k], rel=1e-12)


def spread(found: list[float]) -> tuple[float, float]:
    """The least and the largest, two percent further out."""
    return 0.98 * min(found), 1.02 * max(found)


@pytest.mark.parametrize(
    ("law", "share", "reached"),
    [
        ("gauss", 0.01, (1.0, 1.0, 1.0)),
        ("t3", 0.10, (0.995, 1.0, 1.0)),
        ("lognormal", 0.01, (0.9516, 0.9999, 1.0)),
        ("lognormal", 0.05, (0.8162, 0.994, 1.0)),
        ("lognormal", 0.10, (0.7180, 0.978, 0.9999)),
    ],
)
def test_densities_after_no_one_and_two_passes(law: str, share: float, reached: tuple[float, ...]) -> None:
    """Two passes are enough. The first of lognormal: Phi(ln(1/share)/2 - 1) + (1 - Phi(ln(1/share)/2 + 1)) / share."""
    if law == "lognormal":
        z = math.log(1 / share) / 2
        phi = [math.erfc(-part / 2**0.5) / 2 for part in (z - 1, -z - 1)]
        assert phi[0] + phi[1] / share == pytest.approx(reached[0], abs=1e-3)
    vectors = [vector(law, D, seed) for seed in range(9)]
    for passes, part in enumerate(reached):
        found = [density(x, by_density(x, share, passes)) / share for x in vectors]
        assert float(np.median(found)) == pytest.approx(part, rel=0.02)
        assert max(found) <= 1 + 1e-12
    assert min(found) >= 0.999


@pytest.mark.parametrize(
    ("law", "share", "factor"),
    [
        ("gauss", 0.01, 64.0),
        ("gauss", 0.05, 12.8),
        ("t3", 0.01, 42.7),
        ("t3", 0.05, 8.55),
        ("lognormal", 0.01, 2.19),
        ("lognormal", 0.05, 1.116),
        ("lognormal", 0.10, 1.03),
    ],
)
def test_second_moments_at_a_density(law: str, share: float, factor: float) -> None:
    """Within two percent for Gaussians; the squares of heavy tails differ from vector to vector, and by much."""
    found = []
    for seed in range(9):
        x = vector(law, D, seed)
        unit = by_density(x, share, 2)
        found.append(1 + error(x, unit))
        assert error(x, unit) <= Gspar(density=share).distortion(x.size)
        best = by_variance(x, error(x, unit))  # the fewest coordinates for this error
        assert density(x, best) == pytest.approx(density(x, unit), rel=1e-3)
    least, most = spread(found)
    assert least <= factor <= most
    if law == "gauss":
        assert found == pytest.approx([factor] * 9, rel=0.02)


@pytest.mark.parametrize("spec", [{"eps": 0.5}, {"eps": 4.0}, {"density": 0.1}])
def test_measured_errors_are_the_formula(spec: dict[str, float]) -> None:
    """400 messages; 5 standard errors refuse a right compressor with chance 6e-7."""
    x, gspar = vector("t3", 500), Gspar(**spec)  # type: ignore[arg-type]
    wanted = error(x, gspar.unit(x))
    if "eps" in spec:
        assert wanted == pytest.approx(spec["eps"], rel=1e-6)
    runs, losses = 400, []
    mean = np.zeros(x.size)
    for run in range(runs):
        coins = from_seed(run)[0]
        sent = gspar.encode(x, 0, coins)
        y = gspar.decode(BitReader(sent.data, sent.n_bits), x.size, 0, coins.public).astype(np.float64)
        losses.append(np.square(y - x).sum() / np.square(x, dtype=np.float64).sum())
        mean += y / runs
    assert abs(np.mean(losses) - wanted) <= 5 * np.std(losses) / runs**0.5
    off = np.square(mean - x).sum() / np.square(x, dtype=np.float64).sum()
    assert off == pytest.approx(wanted / runs, rel=0.5)  # unbiased: the error of the mean is that of one over runs


def test_bits_are_near_the_authors_count_with_signs_and_counts() -> None:
    x = vector("lognormal")
    gspar = Gspar(density=0.01)
    sent = gspar.encode(x, 0, from_seed(1)[0])
    unit = gspar.unit(x)
    exact = int(np.count_nonzero(np.abs(x) >= unit))
    others = density(x, unit) * D - exact
    assert gspar.paper_bits(x) == pytest.approx(exact * (32 + math.log2(D)) + others * math.log2(D) + 32)
    # gaps cost about log2(d / kept) + 1.5 <= log2 d - 4 bits here; each other coordinate has a sign and a flag
    assert sent.n_bits < gspar.paper_bits(x)
    assert sent.n_bits > exact * 32 + (exact + others) * (math.log2(100) + 1) * 0.97


def test_kernels_and_numpy_get_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    for d in (1, 31, 32, 33, 5000):
        x = vector("lognormal", d)
        for bound in (0.0, 0.3, 2.0, math.inf):
            found = []
            for awake in (True, False):
                monkeypatch.setattr(door, "worth_compiling", lambda count, awake=awake: awake)
                found.append(door.tails(x, bound))
            assert found[0] == found[1]
        for unit in (0.1, 3.0, 1e30):
            words = splitmix.words(12345, range(9, 10), d)[0]
            assert np.array_equal(door.draw(x, unit, words), door.draw_by_key(x, unit, 12345, 9))


@pytest.mark.parametrize("spec", [{"density": 0.0}, {"density": 1.5}, {"eps": -1.0}, {"eps": math.inf}, {"passes": -1}])
def test_impossible_options_are_refused(spec: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="gspar"):
        Gspar(**spec)  # type: ignore[arg-type]
