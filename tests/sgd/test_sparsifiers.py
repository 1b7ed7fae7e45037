"""What sparsifiers keep, what they lose and what they cost, by formula; and options that are refused."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import catalog
from distest.bits import BitReader, Messages
from distest.coins import from_seed
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.sgd import indices, values
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.chunk_top import ChunkTop
from distest.sgd.compressors.random_k import RandomK, drawn
from distest.sgd.compressors.threshold import Threshold
from distest.sgd.compressors.top_k import TopK

COINS = from_seed(23)[0]
Vector = NDArray[np.float32]
X: Vector = np.random.default_rng(1).standard_t(3, 5000).astype(np.float32)


def there_and_back(compressor: Compressor, x: Vector, worker: int = 0) -> tuple[Messages, Vector]:
    sent = compressor.encode(x, worker, COINS)
    return sent, compressor.decode(BitReader(sent.data, sent.n_bits), x.size, worker, COINS.public)


def loss(x: Vector, y: Vector) -> float:
    return float(np.square(y.astype(np.float64) - x).sum() / np.square(x, dtype=np.float64).sum())


@pytest.mark.parametrize(("precision", "width", "more"), [("float32", 32, 0), ("float16", 16, 9)])
def test_top_k_keeps_the_largest_and_costs_indices_and_values(precision: Any, width: int, more: int) -> None:
    sent, y = there_and_back(TopK(density=0.03, values=precision), X)
    order = np.argsort(-np.abs(X), kind="stable")[:150]
    wanted = np.zeros_like(X)
    wanted[order] = X[order]
    assert np.flatnonzero(y).tolist() == sorted(order.tolist())
    assert np.abs(y - wanted).max() <= (0 if width == 32 else 2.0**-11 * np.abs(X).max())
    assert sent.n_bits == indices.n_bits(np.sort(order), X.size) + 150 * width + more
    assert loss(X, y) < 1 - 150 / X.size  # Gaussians lose less, constants exactly this
    flat = np.full(1000, 2, np.float32)
    assert loss(flat, there_and_back(TopK(k=250), flat)[1]) == pytest.approx(0.75, rel=1e-12)


def test_public_coins_make_indices_free_and_private_ones_do_not() -> None:
    public, _ = there_and_back(RandomK(k=100), X)
    assert public.n_bits == 3200
    private, y = there_and_back(RandomK(k=100, draw="private", scaled=False), X)
    places = np.flatnonzero(y)
    assert np.array_equal(y[places], X[places])
    assert private.n_bits == 3200 + indices.n_bits(places, X.size)
    other, _ = there_and_back(RandomK(k=100), X, worker=1)
    assert other.to_bytes() != public.to_bytes()


@pytest.mark.parametrize(("d", "k"), [(5, 2), (5, 3), (6, 3), (4, 4), (1, 1)])
def test_every_set_has_the_same_chance(d: int, k: int) -> None:
    """20,000 sets and a chi-square statistic within 6 deviations: refused with chance below 1e-5."""
    runs = 20_000
    sets = dict.fromkeys(itertools.combinations(range(d), k), 0)
    for run in range(runs):
        sets[tuple(drawn(k, d, run, COINS.public).tolist())] += 1
    expected = runs / len(sets)
    statistic = sum((count - expected) ** 2 / expected for count in sets.values())
    free = len(sets) - 1
    assert abs(statistic - free) <= 6 * math.sqrt(2 * free) + 1e-9


@pytest.mark.parametrize(("scaled", "wanted"), [(True, 9.0), (False, 0.9)])
def test_random_k_loses_exactly_its_share_on_average(scaled: bool, wanted: float) -> None:
    """1000 workers, 5 standard errors: refused with chance 6e-7."""
    found = [loss(X, there_and_back(RandomK(density=0.1, scaled=scaled), X, worker)[1]) for worker in range(1000)]
    assert abs(np.mean(found) - wanted) <= 5 * np.std(found) / len(found) ** 0.5
    assert RandomK(density=0.1, scaled=scaled).distortion(X.size) == pytest.approx(wanted, rel=1e-6)


def test_a_threshold_keeps_what_reaches_it() -> None:
    _, y = there_and_back(Threshold(threshold=1.5, unit="absolute"), X)
    assert np.array_equal(y, np.where(np.abs(X) >= 1.5, X, 0))
    rms = float(np.sqrt(np.square(X, dtype=np.float64).mean()))
    _, y = there_and_back(Threshold(threshold=0.5), X)
    assert np.array_equal(y, np.where(np.abs(X) >= np.float32(0.5 * rms), X, 0))
    assert loss(X, y) <= 0.25
    none, y = there_and_back(Threshold(threshold=1e30), X)
    assert none.n_bits == 1
    assert not y.any()


def test_chunk_top_keeps_one_of_each_chunk() -> None:
    sent, y = there_and_back(ChunkTop(chunk=64), X)
    assert sent.n_bits == 79 * (6 + 32)
    for start in range(0, X.size, 64):
        part, kept = X[start : start + 64], y[start : start + 64]
        assert np.flatnonzero(kept).tolist() == [int(np.argmax(np.abs(part)))]
        assert kept.sum() == part[np.argmax(np.abs(part))]
    ties = np.array([1, -2, 2, 0, 0, 0, -1], np.float32)
    assert there_and_back(ChunkTop(chunk=3), ties)[1].tolist() == [0, -2, 0, 0, 0, 0, -1]
    last = bitpack.pack(np.array([0, 0, 1], np.uint64), np.full(3, 2, np.uint8))
    bad = Messages.one([Messages(*last, 1, 6), values.write(np.ones(3, np.float32), "float32")])
    with pytest.raises(WireError, match="behind the end"):
        ChunkTop(chunk=3).decode(BitReader(bad.data, bad.n_bits), 7, 0, COINS.public)


def test_scaled_halves_keep_eleven_bits_of_large_and_small_values() -> None:
    for scale in (1e-44, 1e-38, 1e-3, 1.0, 65504.0, 1e30, 3.4e38):
        x = (X / np.abs(X).max() * np.float32(scale)).astype(np.float32)
        sent = values.write(x, "float16")
        assert sent.n_bits == 9 + 16 * x.size
        y = values.read(BitReader(sent.data, sent.n_bits), x.size, "float16")
        assert bool(np.isfinite(y).all())
        assert loss(x, y) <= values.error("float16", x.size)


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "top_k", "density": 0.0},
        {"name": "top_k", "density": 1.01},
        {"name": "top_k", "k": -1},
        {"name": "random_k", "density": float("nan")},
        {"name": "threshold", "threshold": -1.0},
        {"name": "threshold", "threshold": float("inf")},
        {"name": "chunk_top", "chunk": 0},
    ],
    ids=str,
)
def test_impossible_options_are_refused_in_a_sentence(spec: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=spec["name"]):
        catalog.build("compressor", spec)


@pytest.mark.parametrize("name", ["top_k", "random_k"])
def test_more_coordinates_than_there_are_cannot_be_kept(name: str) -> None:
    compressor = catalog.build("compressor", {"name": name, "k": 11})
    compressor.check(11)
    with pytest.raises(UsageError, match=f"{name} keeps k=11 coordinates of a vector that has d=10"):
        compressor.check(10)
