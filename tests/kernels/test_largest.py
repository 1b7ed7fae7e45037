"""The largest magnitudes: against sorting, on both roads, with ties, zeros, infinities and NaN."""

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.kernels import largest as door

Vector = NDArray[np.float32]


def naive(x: Vector, k: int) -> NDArray[np.int64]:
    return np.sort(np.lexsort((np.arange(x.size), -np.abs(x)))[:k])


def vectors() -> list[Vector]:
    rng = np.random.default_rng(0)
    plain = rng.standard_normal(5000).astype(np.float32)
    periodic = np.where(np.arange(1 << 17) % 4 == 0, np.float32(9), rng.random(1 << 17, np.float32))
    late = np.concatenate([np.full(100_000, 3, np.float32), plain])  # the sample's bound is far too low
    return [
        plain[:1],
        plain[:63],
        plain[:64],
        plain[:65],
        plain,
        np.round(plain * 4).astype(np.float32),  # many ties
        np.zeros(3000, np.float32),
        np.where(np.arange(3000) % 100 == 0, np.float32(-1e-45), np.float32(0)),
        np.append(plain, np.float32(np.inf)),
        periodic.astype(np.float32),
        late,
        -late,
    ]


@pytest.mark.parametrize("awake", [True, False])
@pytest.mark.parametrize("x", vectors(), ids=lambda x: str(x.size))
def test_it_is_what_sorting_finds(x: Vector, awake: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "worth_compiling", lambda count: awake)
    d = x.size
    for k in {0, 1, d // 1000, d // 100, d // 3, d - 1, d}:
        found = door.largest(x, k)
        assert found.dtype == np.int64
        assert np.array_equal(found, naive(x, k))
    for bound in (0.0, 0.25, 0.5, 3.0, 1e30):
        assert np.array_equal(door.at_least(x, bound), np.flatnonzero(np.abs(x) >= np.float32(bound)))


def test_a_bound_that_was_too_high_is_mended_by_the_radix_select(monkeypatch: pytest.MonkeyPatch) -> None:
    x = vectors()[9]
    for k in (1, 700, 32_768, 32_769, 100_000):
        assert door._radix(x.view(np.uint32), k) == np.sort(np.abs(x))[::-1][k - 1].view(np.uint32)
    monkeypatch.setattr(door, "_guess", lambda bits, k: 0x7F800000)
    monkeypatch.setattr(door, "worth_compiling", lambda count: True)
    assert np.array_equal(door.largest(x, 700), naive(x, 700))


@pytest.mark.parametrize("awake", [True, False])
def test_nan_and_impossible_numbers_are_refused(awake: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "worth_compiling", lambda count: awake)
    x = np.ones(100_000, np.float32)
    x[77] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        door.largest(x, 10)
    for k in (-1, 100_001):
        with pytest.raises(ValueError, match="cannot be kept"):
            door.largest(x, k)
