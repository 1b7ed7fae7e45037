"""Coordinates kept by chance: with chance |x_i| / unit where that is below 1, and always otherwise.

Sums are taken in 32 lanes, coordinate i in lane i mod 32 from front to back, then the lanes in order, so that numpy and
the kernels get the same bits.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling
from distest.kernels.splitmix import GAMMA

Vector = NDArray[np.float32]
Places = NDArray[np.int64]

LANES = 32
_BLOCK = 4096


def tails(x: Vector, bound: float) -> tuple[int, float, float]:
    """How many |x_i| are below a bound, their sum and the sum of their squares, in float64."""
    counts, sums, squares = np.zeros(LANES, np.int64), np.zeros(LANES), np.zeros(LANES)
    if worth_compiling(x.size):
        jitted("chances").tails(x, float(bound), counts, sums, squares)
    else:
        sizes = np.abs(x.astype(np.float64))
        below = sizes < bound
        counts[0] = np.count_nonzero(below)
        lanes = np.zeros((-(-x.size // LANES), LANES))
        lanes.ravel()[: x.size] = np.where(below, sizes, 0.0)
        for row in lanes:
            sums += row
            squares += row * row
    return int(counts.sum()), _in_order(sums), _in_order(squares)


def draw(x: Vector, unit: float, words: NDArray[np.uint64]) -> Places:
    """Places kept, rising: word i (its upper 53 bits as a fraction) is held against |x_i| / unit. 0 is never kept."""
    sizes = np.abs(x.astype(np.float64))
    coins = (words >> np.uint64(11)).astype(np.float64)
    return np.flatnonzero((sizes >= unit) | (coins * unit < sizes * 2.0**53))


def draw_by_key(x: Vector, unit: float, key: int, party: int) -> Places:
    """draw with the words of `splitmix.words(key, range(party, party + 1), d)`, in one pass, for long vectors."""
    start = np.uint64((key + (party << 32) * int(GAMMA)) % (1 << 64))
    out = np.empty(x.size + 1, np.int64)
    found = jitted("chances").draw(x, float(unit), start, np.empty(_BLOCK, np.uint8), out)
    return out[:found].copy()


def _in_order(lanes: NDArray[np.float64]) -> float:
    total = 0.0
    for lane in lanes.tolist():
        total += lane
    return total
