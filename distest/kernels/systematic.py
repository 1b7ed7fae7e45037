"""Loops of systematic sampling: sets of `size` symbols with given inclusion probabilities, one random offset a set.

Symbol x owns the integers start[x] .. start[x + 1] - 1, at most T of them, size * T in all. A server with
offset u below T watches the symbols that own u, u + T, ..., u + (size - 1) T: exactly `size` different ones,
and x is among them with probability (start[x + 1] - start[x]) / T. Integers throughout, so everybody gets the
same sets.

Source: Madow, "On the theory of systematic sampling, II" (1949).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling
from distest.kernels.below import below

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """period: T, below 2^32. start: int64 (n + 1,), start[0] = 0, ascending in steps of 1..T, start[n] = size * T."""

    period: int
    start: Ints

    @property
    def chance(self) -> NDArray[np.float64]:
        """Inclusion probability of each symbol, float64 (n,)."""
        return np.diff(self.start) / self.period


def encode(samples: NDArray[np.int32], words: NDArray[np.uint64], sets: Sets) -> NDArray[np.uint8]:
    """1 + place of each server's sample in its set, 0 where it is outside; samples and words (m,), uint8 (m,)."""
    width = np.diff(sets.start)
    turn, rest = np.divmod(sets.start[:-1], sets.period)
    out = np.empty(samples.size, np.uint8)
    if worth_compiling(4 * samples.size):
        args = np.ascontiguousarray(samples), np.ascontiguousarray(words), sets.period
        jitted("systematic").encode(*args, width, turn, rest, out)
        return out
    late = below(words, sets.period).astype(np.int64) - rest[samples]
    next_one = late < 0
    inside = late + sets.period * next_one < width[samples]
    out[:] = np.where(inside, turn[samples] + next_one + 1, 0)
    return out


def members(word: int, sets: Sets) -> Ints:
    """The symbols of the set that a word draws, int64 (size,), in the order of their places."""
    offset = int(below(np.array([word], np.uint64), sets.period)[0])
    points = np.arange(offset, int(sets.start[-1]), sets.period)
    return np.searchsorted(sets.start, points, "right") - 1


def count(codes: NDArray[np.uint8], words: NDArray[np.uint64], sets: Sets) -> tuple[Ints, Ints]:
    """How many servers named each symbol, and how many watched it, int64 (n,) each; the mirror of encode."""
    n = sets.start.size - 1
    rest = sets.start % sets.period
    breaks = np.sort(rest[:-1])
    named, cells = np.zeros(n, np.int64), np.zeros(n + 1, np.int64)
    if worth_compiling(4 * codes.size):
        args = np.ascontiguousarray(codes), np.ascontiguousarray(words), sets.period
        jitted("systematic").count(*args, sets.start, breaks, named, cells)
    else:
        offsets = below(words, sets.period).astype(np.int64)
        said = codes > 0
        points = offsets[said] + sets.period * (codes[said].astype(np.int64) - 1)
        named += np.bincount(np.searchsorted(sets.start, points, "right") - 1, minlength=n)
        cells += np.bincount(np.searchsorted(breaks, offsets, "right"), minlength=n + 1)
    under = np.cumsum(cells)[np.searchsorted(breaks, rest)]  # offsets below rest[x]
    wraps = rest[:-1] + np.diff(sets.start) >= sets.period
    return named, under[1:] - under[:-1] + codes.size * wraps
