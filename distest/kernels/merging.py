"""Loops of merging: what intervals of cells would lose if they were flat.

sums: masses of all cells before each edge, float64 (L + 1,); edges int64 (L + 1,); bounds: places of edges, int64 (I +
1,), rising: interval i is cells bounds[i] .. bounds[i + 1] - 1.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def square_losses(squares: Floats, sums: Floats, edges: Ints, bounds: Ints) -> Floats:
    """Sum over the cells of mass^2/width less the same for the whole interval, at least 0, float64 (I,).

    squares: sums of mass^2/width before each edge, float64 (L + 1,).
    """
    if worth_compiling(bounds.size):
        out = np.empty(bounds.size - 1, np.float64)
        jitted("merging").square_losses(squares, sums, edges, bounds, out)
        return out
    total, width = np.diff(sums[bounds]), np.diff(edges[bounds])
    return np.asarray(np.maximum(np.diff(squares[bounds]) - total / width * total, 0), np.float64)


def discrepancies(sums: Floats, edges: Ints, bounds: Ints) -> Floats:
    """Max - min over the edges inside, and the first, of mass before the edge less its flat share, float64 (I,)."""
    if worth_compiling(int(bounds[-1] - bounds[0])):
        out = np.empty(bounds.size - 1, np.float64)
        jitted("merging").discrepancies(sums, edges, bounds, out)
        return out
    first, last, sizes = bounds[:-1], bounds[-1], np.diff(bounds)
    start = int(bounds[0])
    level = np.repeat(np.diff(sums[bounds]) / np.diff(edges[bounds]), sizes)
    mass = sums[start:last] - np.repeat(sums[first], sizes)
    ahead = mass - level * (edges[start:last] - np.repeat(edges[first], sizes))  # 0 at the first edge
    return np.asarray(np.maximum.reduceat(ahead, first - start) - np.minimum.reduceat(ahead, first - start), np.float64)
