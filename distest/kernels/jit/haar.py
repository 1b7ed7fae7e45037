"""numba loops of `distest.kernels.haar`."""

from typing import Any

from distest.kernels.haar import SPAN
from distest.kernels.jit._jit import i64, kernel, leading_zeros, u64
from distest.kernels.jit.bitpack import read
from distest.kernels.jit.prefix import gamma, golomb
from distest.kernels.prefix import ENDED, INVALID

Array = Any


@kernel
def rounded(
    samples: Array, t: int, steps: Array, shifts: Array, words: Array, counts: Array, places: Array, values: Array
) -> int:
    """Non-zero multiples of each row, coarse nodes first; their total number."""
    total = 0
    s = samples.shape[1]
    for i in range(samples.shape[0]):
        row = samples[i]
        begin = total
        offset = 0
        for j in range(t, 0, -1):
            step, shift = steps[j - 1], shifts[j - 1]
            first = (i64(1) << i64(t - j)) - 1
            rank = offset
            k = 0
            while k < s:
                node = row[k] >> j
                excess = i64(0)
                while k < s and row[k] >> j == node:
                    excess += 1 - 2 * i64((row[k] >> (j - 1)) & 1)
                    k += 1
                if excess != 0:
                    rest = abs(excess) << shift
                    size = i64(0)
                    if rest >= step:
                        size = rest // step
                        rest -= size * step
                    if i64(((words[i, rank] >> u64(32)) * u64(step)) >> u64(32)) < rest:
                        size += 1
                    if size > 0:
                        places[total] = first + i64(node)
                        values[total] = size if excess > 0 else -size
                        total += 1
                rank += 1
            offset += min(i64(s), first + 1)
        counts[i] = total - begin
    return total


@kernel
def add_up(data: Array, at: int, limit: int, places: int, most: int, sums: Array, lengths: Array) -> tuple[int, int]:
    """Add the multiples of all messages to sums, book the bits of each message; a status, and the bits of multiples."""
    own = i64(0)
    least = max(i64(1), i64(places) >> SPAN)
    for i in range(lengths.size):
        start = at
        count, at = gamma(data, at, limit)
        if count < 0:
            return i64(count), own
        count -= 1
        if count > places:
            return i64(INVALID), own
        m = max(69 * places // (100 * (count + 1)), least)
        short = 63 - i64(leading_zeros(u64(m)))
        cutoff = (i64(2) << short) - m
        place = i64(-1)
        for _ in range(count):
            gap, at = golomb(data, at, limit, short, cutoff, m)
            if gap < 0:
                return i64(gap), own
            begun = at
            size, at = gamma(data, at, limit)
            if size < 0:
                return i64(size), own
            if at >= limit:
                return i64(ENDED), own
            if size > most or gap >= places - 1 - place:
                return i64(INVALID), own
            place += gap + 1
            sums[place] += size - 2 * size * i64(read(data, at, 1))
            at += 1
            own += at - begun
        lengths[i] = at - start
    return i64(0), own
