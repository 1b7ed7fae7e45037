"""numba loops of `distest.kernels.prefix`: prefix codes, symbol by symbol.

A position is a bit count from the start of `data`, `limit` the first bit that may not be read. Every loop
checks it before it reads further, so with SPARE bytes behind the data no load leaves the array, whatever the
bits say.
"""

from typing import Any

from distest.kernels.jit._jit import i64, inline, kernel, leading_zeros, load_be, u64
from distest.kernels.jit.bitpack import read
from distest.kernels.prefix import (
    DELTA,
    ENDED,
    GAMMA,
    GOLOMB,
    HIGH,
    HUFFMAN,
    INVALID,
    LOOKUP,
    LOOKUP_AT,
    MOST_ONES,
    OMEGA,
    SIGNED_HIGH,
    SIGNED_OMEGA,
    STARTS_AT,
    SYMBOLS_AT,
    TRUNCATED,
)

Array = Any
Step = tuple[int, int]


@inline
def phase_in(data: Array, at: int, limit: int, short: int, cutoff: int) -> Step:
    """One word of a truncated binary code: `short` bits, and one more from the cutoff on."""
    if at + short > limit:
        return ENDED, at
    r = i64(read(data, at, short))
    at += short
    if r >= cutoff:
        if at >= limit:
            return ENDED, at
        r = 2 * r + i64(read(data, at, 1)) - cutoff
        at += 1
    return r, at


@inline
def gamma(data: Array, at: int, limit: int) -> Step:
    """z zeros, then the z + 1 bits of the value."""
    v = load_be(data, at >> 3) << u64(at & 7)
    if v >> u64(36):  # at most 27 zeros: the whole word is here
        z = i64(leading_zeros(v))
        end = at + 2 * z + 1
        if end > limit:
            return ENDED, at
        return i64(v >> u64(63 - 2 * z)), end
    z = i64(leading_zeros(read(data, at, 64)))
    if at + z >= limit:
        return ENDED, at
    if z > 62:
        return INVALID, at
    if at + 2 * z + 1 > limit:
        return ENDED, at
    x = i64(read(data, at + z, z + 1))
    if x > HIGH:
        return INVALID, at
    return x, at + 2 * z + 1


@inline
def delta(data: Array, at: int, limit: int) -> Step:
    """The gamma word of the number of bits, then the bits below the leading one."""
    length, at = gamma(data, at, limit)
    if length < 0:
        return length, at
    if length > 63:
        return INVALID, at
    low = length - 1
    if at + low > limit:
        return ENDED, at
    x = (i64(1) << low) | i64(read(data, at, low))
    if x > HIGH:
        return INVALID, at
    return x, at + low


@inline
def omega(data: Array, at: int, limit: int) -> Step:
    """Groups that each give the length of the next, behind them a zero."""
    x = i64(1)
    while True:
        if at >= limit:
            return ENDED, at
        if read(data, at, 1) == u64(0):
            return x, at + 1
        if x > 62:
            return INVALID, at
        if at + x + 1 > limit:
            return ENDED, at
        width = x + 1
        x = i64(read(data, at, width))
        at += width
        if x > HIGH:
            return INVALID, at


@inline
def signed_omega(data: Array, at: int, limit: int) -> Step:
    """The omega word of a size plus 1, behind it a sign where the size is not 0; as one number, folded."""
    x, at = omega(data, at, limit)
    if x < 2:
        return (x if x < 0 else i64(0)), at
    if at >= limit:
        return ENDED, at
    folded = 2 * x - 3 + i64(read(data, at, 1))
    return (folded if folded <= SIGNED_HIGH else i64(INVALID)), at + 1


@inline
def golomb(data: Array, at: int, limit: int, short: int, cutoff: int, m: int) -> Step:
    """A run of ones (the quotient), a zero, the remainder in truncated binary."""
    quotient = i64(0)
    while True:
        v = load_be(data, at >> 3) << u64(at & 7)
        ones = i64(leading_zeros(~v))
        if ones < 57:  # the zero is among the bits that are really here
            break
        if at + 57 > limit:
            return ENDED, at
        quotient += 57
        at += 57
        if quotient >= MOST_ONES:
            return INVALID, at
    quotient += ones
    at += ones + 1
    if at > limit:
        return ENDED, at
    if quotient >= MOST_ONES:
        return INVALID, at
    r, at = phase_in(data, at, limit, short, cutoff)
    if r < 0:
        return r, at
    return quotient * m + r, at


@inline
def huffman(data: Array, at: int, limit: int, tables: Array, offset: int) -> Step:
    """A canonical word: looked up where it is short, else compared with the last word of each length."""
    v = load_be(data, at >> 3) << u64(at & 7)
    entry = tables[offset + LOOKUP_AT + i64(v >> u64(64 - LOOKUP))]
    if entry:
        end = at + (entry & 255)
        if end > limit:
            return ENDED, at
        return entry >> 8, end
    v = read(data, at, 64)
    longest = tables[offset]
    length = max(tables[offset + 1], LOOKUP + 1)
    while length <= longest and v > u64(tables[offset + 1 + length]):
        length += 1
    if length > longest:
        return (INVALID if at < limit else ENDED), at
    if at + length > limit:
        return ENDED, at
    index = u64(tables[offset + STARTS_AT + length]) + (v >> u64(64 - length))
    return tables[offset + SYMBOLS_AT + i64(index)], at + length


@inline
def one(data: Array, at: int, limit: int, kind: int, a: int, b: int, c: int, tables: Array) -> Step:
    """One symbol and the bit behind it; in place of the symbol ENDED or INVALID."""
    if kind == GAMMA:
        return gamma(data, at, limit)
    if kind == GOLOMB:
        return golomb(data, at, limit, a, b, c)
    if kind == DELTA:
        return delta(data, at, limit)
    if kind == OMEGA:
        return omega(data, at, limit)
    if kind == SIGNED_OMEGA:
        return signed_omega(data, at, limit)
    if kind == TRUNCATED:
        return phase_in(data, at, limit, a, b)
    if kind == HUFFMAN:
        return huffman(data, at, limit, tables, a)
    if at + a > limit:
        return ENDED, at
    x = i64(read(data, at, a))
    return (x if x < b else INVALID), at + a


@kernel
def decode_rows(data: Array, at: int, limit: int, plan: Array, tables: Array, out: Array, lengths: Array) -> Step:
    """Fill out (m, f) row by row and lengths (m,) with the bits of each; return (rows decoded, 0 or the
    error).

    plan (1 or f, 4) int64 holds kind and three parameters of the code of each column.
    """
    m, f = out.shape
    step = 1 if plan.shape[0] > 1 else 0
    for i in range(m):
        row = 0
        start = at
        for j in range(f):
            x, at = one(data, at, limit, plan[row, 0], plan[row, 1], plan[row, 2], plan[row, 3], tables)
            if x < 0:
                return i, x
            out[i, j] = x
            row += step
        lengths[i] = at - start
    return m, 0
