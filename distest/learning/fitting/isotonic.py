"""Isotonic regression: the nearest monotone function. Never farther, in any l_p, from a function that is monotone."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError

Floats = NDArray[np.float64]
Shape = Literal["falling", "rising", "unimodal"]


def falling(masses: NDArray[Any], widths: NDArray[np.int64]) -> Floats:
    """The non-increasing levels, float64 (L,), that are nearest to masses / widths in l2 with weights `widths`.

    masses: (L,), integers, which are compared exactly, or floats;
    widths: (L,), at least 1. Neighbours whose levels rise are pooled until none do; a pool's level is its mass
    over its width, so masses are kept. As a map of functions it preserves order and sums, hence it never
    increases an l1 distance.

    Source: Ayer, Brunk, Ewing, Reid, Silverman, "An empirical distribution function for sampling with incomplete
    information" (1955), pool adjacent violators.
    """
    pools: list[tuple[Any, int, int]] = []  # mass, width, cells
    for mass, width in zip(masses.tolist(), widths.tolist(), strict=True):
        size = 1
        while pools and pools[-1][0] * width < mass * pools[-1][1]:
            before = pools.pop()
            mass, width, size = mass + before[0], width + before[1], size + before[2]
        pools.append((mass, width, size))
    levels = np.array([mass / width for mass, width, _ in pools], np.float64)
    return np.repeat(levels, [size for _, _, size in pools])


def rising(masses: NDArray[Any], widths: NDArray[np.int64]) -> Floats:
    """As `falling` for non-decreasing levels."""
    return falling(masses[::-1], widths[::-1])[::-1]


def fit(masses: NDArray[Any], widths: NDArray[np.int64], shape: Shape, first: int = 0) -> Floats:
    """The nearest levels of a shape; "unimodal" rises on the cells below `first` and falls from there on.

    Neither side bounds the other, for the largest level may stand on either, so each is fitted by itself.
    """
    if shape == "falling":
        return falling(masses, widths)
    if shape == "rising":
        return rising(masses, widths)
    return np.concatenate((rising(masses[:first], widths[:first]), falling(masses[first:], widths[first:])))


def check_mode(shape: Shape, mode: int, n: int) -> None:
    """Raise UsageError where a unimodal law on n symbols cannot have its mode there."""
    if shape == "unimodal" and not 0 <= mode < n:
        raise UsageError(f"a unimodal law on n={n} symbols has its mode at one of 0 to {n - 1}, got mode={mode}")
