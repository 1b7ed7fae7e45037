"""numba loops of `distest.kernels.merging`."""

from typing import Any

from distest.kernels.jit._jit import kernel

Array = Any


@kernel
def square_losses(squares: Array, sums: Array, edges: Array, bounds: Array, out: Array) -> None:
    """out[i] = what interval i loses in squared l2."""
    for i in range(out.size):
        a, b = bounds[i], bounds[i + 1]
        total = sums[b] - sums[a]
        lost = squares[b] - squares[a] - total / (edges[b] - edges[a]) * total
        out[i] = lost if lost > 0 else 0.0


@kernel
def discrepancies(sums: Array, edges: Array, bounds: Array, out: Array) -> None:
    """out[i] = the largest discrepancy of an interval inside interval i."""
    for i in range(out.size):
        a, b = bounds[i], bounds[i + 1]
        level = (sums[b] - sums[a]) / (edges[b] - edges[a])
        high = low = 0.0
        for x in range(a + 1, b):
            ahead = sums[x] - sums[a] - level * (edges[x] - edges[a])
            high = max(high, ahead)
            low = min(low, ahead)
        out[i] = high - low
