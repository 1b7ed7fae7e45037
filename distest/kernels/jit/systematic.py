"""numba loops of `distest.kernels.systematic`."""

from typing import Any

from distest.kernels.jit._jit import i64, inline, kernel, u8, u64
from distest.kernels.jit.below import below

Array = Any


@kernel
def encode(samples: Array, words: Array, period: int, width: Array, turn: Array, rest: Array, out: Array) -> None:
    """out[i] = 1 + place of samples[i] in the set of offset words[i], else 0."""
    for i in range(out.size):
        x = samples[i]
        late = i64(below(words[i], u64(period))) - rest[x]
        next_one = i64(late < 0)
        inside = i64(late + period * next_one < width[x])
        out[i] = u8((turn[x] + next_one + 1) * inside)


@inline
def not_above(values: Array, bound: Any) -> Any:
    """How many of ascending values are at most `bound`."""
    low, size = 0, values.size
    while size > 0:
        half = size >> 1
        step = i64(values[low + half] <= bound)
        low += step * (half + 1)
        size = half - step * (1 - (size & 1))
    return low


@kernel
def count(codes: Array, words: Array, period: int, start: Array, breaks: Array, named: Array, cells: Array) -> None:
    """named[x] += servers that named x; cells[k] += offsets at or above k of the breaks and below the others."""
    for i in range(codes.size):
        offset = i64(below(words[i], u64(period)))
        cells[not_above(breaks, offset)] += 1
        if codes[i] > 0:
            named[not_above(start, offset + period * (i64(codes[i]) - 1)) - 1] += 1
