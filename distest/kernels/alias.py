"""Samples of a pmf from uniform words, by an alias table with integer thresholds.

The table has 2^t >= n cells, so the top t bits of a word choose a cell exactly; the other bits are held against an
integer. A pmf is first rounded to multiples of 2^-62, so the law that is drawn is a fixed dyadic one.

Source: Walker, "An efficient method for generating discrete random variables with general distributions" (1977);
Vose (1991) for the linear construction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.kernels import splitmix
from distest.kernels._lazy import jitted, worth_compiling


@dataclass(frozen=True, slots=True)
class AliasTable:
    """cell_bits: t >= 1. threshold: uint64 (2^t,), out of 2^63. other: int32 (2^t,)."""

    cell_bits: int
    threshold: NDArray[np.uint64]
    other: NDArray[np.int32]

    def sample(self, words: NDArray[np.uint64]) -> NDArray[np.int32]:
        """One symbol a word, int32 of the same shape."""
        out = np.empty(words.shape, np.int32)
        if worth_compiling(words.size):
            flat = np.ascontiguousarray(words).reshape(-1)
            jitted("alias").sample(flat, self.cell_bits, self.threshold, self.other, out.reshape(-1))
            return out
        cell = (words >> np.uint64(64 - self.cell_bits)).astype(np.int32)
        rest = (words << np.uint64(self.cell_bits)) >> np.uint64(1)
        out[...] = np.where(rest < self.threshold[cell], cell, self.other[cell])
        return out

    def draw(self, key: int, parties: range) -> NDArray[np.int32]:
        """sample(splitmix.words(key, parties, 1)) in one pass, int32 (len(parties), 1)."""
        if not worth_compiling(len(parties)):
            return self.sample(splitmix.words(key, parties, 1))
        out = np.empty((len(parties), 1), np.int32)
        place = np.uint64(key), np.uint64(parties.start), np.uint64(parties.step)
        jitted("alias").draw(*place, self.cell_bits, self.threshold, self.other, out.reshape(-1))
        return out


def table(pmf: NDArray[np.float64]) -> AliasTable:
    """The alias table of a pmf float64 (n,), 2 <= n < 2^31."""
    cell_bits = max(1, int(pmf.size - 1).bit_length())
    cells = 1 << cell_bits
    unit = 62 - cell_bits  # a cell's share is 2^unit, all cells together 2^62
    share = 1 << unit
    # round to multiples of 2^-62 of the whole, then hand the rest, below n 2^-63 and the pmf's own, to the heaviest
    mass = np.zeros(cells, np.int64)
    mass[: pmf.size] = np.rint(np.ldexp(pmf, 62)).astype(np.int64)
    mass[int(np.argmax(pmf))] += (1 << 62) - int(mass.sum())
    threshold = np.zeros(cells, np.int64)
    other = np.zeros(cells, np.int32)
    if worth_compiling(cells):
        stack = np.zeros(cells, np.int64)
        jitted("alias").build(mass, np.int64(share), threshold, other, stack)
    else:
        _build(mass.tolist(), share, threshold, other)
    scaled = threshold.astype(np.uint64) << np.uint64(63 - unit)
    return AliasTable(cell_bits, scaled, other)


def _build(mass: list[int], share: int, threshold: NDArray[np.int64], other: NDArray[np.int32]) -> None:
    """The twin of the kernel, for tables too small to wake numba."""
    small = [i for i, v in enumerate(mass) if v < share]
    large = [i for i, v in enumerate(mass) if v >= share]
    while small and large:
        i, j = small.pop(), large[-1]
        threshold[i], other[i] = mass[i], j
        mass[j] -= share - mass[i]
        if mass[j] < share:
            large.pop()
            small.append(j)
    for i in small + large:
        threshold[i], other[i] = share, i
