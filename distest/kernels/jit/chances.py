"""numba loops of `distest.kernels.chances`. No sum changes its order: 32 lanes, each added up from front to back."""

from typing import Any

from distest.kernels.jit._jit import f64, i64, kernel, u8, u64
from distest.kernels.jit.splitmix import GAMMA, mix

Array = Any


@kernel
def tails(x: Array, bound: float, counts: Array, sums: Array, squares: Array) -> None:
    """Add to lane i % 32: how many |x_i| are below a bound, their sum and the sum of their squares, in float64."""
    rows = x.size >> 5
    for row in range(rows):
        for lane in range(32):
            size = abs(f64(x[32 * row + lane]))
            kept = size if size < bound else 0.0
            counts[lane] += i64(size < bound)
            sums[lane] += kept
            squares[lane] += kept * kept
    for i in range(32 * rows, x.size):
        size = abs(f64(x[i]))
        kept = size if size < bound else 0.0
        counts[i & 31] += i64(size < bound)
        sums[i & 31] += kept
        squares[i & 31] += kept * kept


@kernel
def draw(x: Array, unit: float, start: Any, flags: Array, out: Array) -> int:
    """Places kept with chance |x_i| / unit, or 1, by word i of the generator at `start`, rising; how many.

    flags: uint8 scratch, whose size is that of a block. out has an entry to spare.
    """
    found = 0
    scale = 9007199254740992.0  # 2^53
    for base in range(0, x.size, flags.size):
        here = min(flags.size, x.size - base)
        first = start + u64(base) * GAMMA
        for j in range(here):
            size = abs(f64(x[base + j]))
            coin = f64(i64(mix(first + u64(j) * GAMMA) >> u64(11)))
            flags[j] = u8(size >= unit) | u8(coin * unit < size * scale)
        for j in range(here):
            out[found] = base + j
            found += i64(flags[j])
    return found
