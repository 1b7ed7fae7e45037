"""Merging: from cells with masses to O(k) intervals that fit almost as well as the best k do.

One loop for two losses. A round pairs neighbours, keeps the ceil((1 + 1/d)k) pairs that would lose most
as they are and merges all others; an odd last interval is carried over, and of equal losses the first ones are
kept, so every reader finds the same intervals. Rounds go on while there are more than 2 ceil((1 + 1/d)k) + spare
intervals; from there on every round makes progress, because spare >= 1.

An interval of the result that contains a jump of the best k pieces was merged in a round in which at least k/d of
the kept pairs had no jump and lost more, together at most the best loss. So in squared l2 each of at most k such
intervals costs at most d/k of the best loss, and all others at most the best loss together: (1 + d) in all.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError
from distest.kernels import merging as kernel
from distest.learning.fitting import oblivious
from distest.learning.fitting.cells import Cells, Floats, Ints, cells_of


def of_samples(symbols: Ints, counts: Ints, n: int) -> tuple[Cells, Ints]:
    """The occupied symbols and the gaps between them as cells, and their masses, int64 (L,), L <= 2N + 1.

    symbols: int64 (N,), rising, at least one, 0..n-1; counts: int64 (N,). Linear time.
    """
    gap = np.diff(symbols, prepend=-1, append=n) > 1  # before every symbol, and behind the last
    place = np.arange(symbols.size) + np.cumsum(gap[:-1])  # each symbol has its cell, behind the gaps up to it
    masses = np.zeros(int(place[-1]) + 1 + int(gap[-1]), np.int64)
    masses[place] = counts
    edges = np.full(masses.size + 1, n)
    edges[0] = 0
    edges[place] = symbols
    edges[place + 1] = symbols + 1
    return cells_of(edges), masses


def l2(cells: Cells, masses: NDArray[np.integer] | Floats, k: int, d: float = 1.0, spare: int = 1) -> Cells:
    """At most 2 ceil((1 + 1/d)k) + spare intervals whose l2 loss is at most sqrt(1 + d) that of the best k.

    masses: (L,), flat inside each cell; the intervals are unions of cells. The best k pieces are any function
    with at most k pieces, their jumps at any symbols. So for N samples of p the expected l2 error of the flattened
    samples is at most sqrt(1 + d) times the distance of p to k pieces, plus (1 + sqrt(1 + d))/sqrt(N).
    O(L + k log L) time. Raises UsageError unless k >= 1, d > 0 and spare >= 1.

    Source: Acharya, Diakonikolas, Hegde, Li, Schmidt, "Fast and near-optimal algorithms for approximating
    distributions by histograms" (2015).
    """
    densities = masses / cells.widths
    densities *= masses
    squares = _before(densities)
    sums = _before(masses)

    def losses(bounds: Ints) -> Floats:
        return kernel.square_losses(squares, sums, cells.edges, bounds)

    return _merge(cells, losses, k, d, spare)


def l1(cells: Cells, masses: NDArray[np.integer] | Floats, k: int, d: float = 1.0, spare: int = 1) -> Cells:
    """At most 2 ceil((1 + 1/d)k) + spare intervals, merged by the largest discrepancy of an interval inside.

    The loss of a pair is the largest difference between the mass of an interval and what a flat law gives it,
    that is max - min over prefixes, the empty one included, of mass minus share of the width. Noise of N samples is
    of order 1/sqrt(N) there, however many symbols. With d = 1 the expected l1 error is of order sqrt(k/N) plus at
    most four times the distance of p to k pieces: docs/bounds.md, H1 and H2, with constants; on exact masses it is at
    most 2 + 2d times that distance: S5b. O(L log L) time; arguments and errors as in `l2`.

    Source: Acharya, Diakonikolas, Li, Schmidt, "Sample-optimal density estimation in nearly-linear time" (2017).
    """
    sums = _before(masses)

    def losses(bounds: Ints) -> Floats:
        return kernel.discrepancies(sums, cells.edges, bounds)

    return _merge(cells, losses, k, d, spare)


def total(cells: Cells, masses: NDArray[np.integer] | Floats, merged: Cells) -> Floats:
    """The masses of merged cells, float64."""
    return np.diff(_before(masses)[np.searchsorted(cells.edges, merged.edges)])


def _merge(cells: Cells, losses: Callable[[Ints], Floats], k: int, d: float, spare: int) -> Cells:
    """The loop; losses(bounds) tells what every union of the cells bounds[j] .. bounds[j + 1] - 1 would lose."""
    if k < 1 or not 0 < d < math.inf or spare < 1:
        raise UsageError(f"merging takes k >= 1 pieces, d > 0 and spare >= 1, got k={k}, d={d}, spare={spare}")
    keep = math.ceil((1 + 1 / oblivious.exact(d)) * k)
    kept = np.arange(len(cells) + 1)
    while kept.size - 1 > 2 * keep + spare:
        pairs = (kept.size - 1) // 2
        stays = np.ones(kept.size, bool)
        stays[1 : 2 * pairs : 2] = _largest(losses(kept[: 2 * pairs + 1 : 2]), keep)
        kept = kept[stays]
    return cells_of(cells.edges[kept])


def _largest(losses: Floats, keep: int) -> NDArray[np.bool_]:
    """Which of more than `keep` losses are the `keep` largest; of equal ones the first."""
    least = np.partition(losses, losses.size - keep)[losses.size - keep]
    chosen: NDArray[np.bool_] = losses > least
    chosen[np.flatnonzero(losses == least)[: keep - np.count_nonzero(chosen)]] = True
    return chosen


def _before(values: NDArray[np.integer] | Floats) -> Floats:
    """Sums of all values before each place, one more place than values; exact for integers below 2^53 in all."""
    sums = np.zeros(values.size + 1)
    np.cumsum(values, out=sums[1:])
    return sums
