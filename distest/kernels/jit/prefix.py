"""numba loops of `distest.kernels.prefix`: prefix codes, symbol by symbol in rows and by tables in streams.

A position is a bit count from the start of `data`, `limit` the first bit that may not be read. Every loop
checks it before it reads further, so with SPARE bytes behind the data no load leaves the array, whatever the
bits say.
"""

from typing import Any

from distest.kernels.jit._jit import i64, kernel, leading_zeros, load_be, store_be, u8, u64
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
    STARTS_AT,
    SYMBOLS_AT,
    TAKEN,
    TRUNCATED,
    WINDOW,
)

Array = Any
Step = tuple[int, int]


@kernel
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


@kernel
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


@kernel
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


@kernel
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


@kernel
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


@kernel
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


@kernel
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
    if kind == TRUNCATED:
        return phase_in(data, at, limit, a, b)
    if kind == HUFFMAN:
        return huffman(data, at, limit, tables, a)
    if at + a > limit:
        return ENDED, at
    x = i64(read(data, at, a))
    return (x if x < b else INVALID), at + a


@kernel
def decode_rows(
    data: Array, at: int, limit: int, plan: Array, tables: Array, out: Array, ends: Array
) -> Step:
    """Fill out (m, f) row by row and ends (m,) with the bit behind each row; return (rows decoded, 0 or the
    error).

    plan (1 or f, 4) int64 holds kind and three parameters of the code of each column.
    """
    m, f = out.shape
    step = 1 if plan.shape[0] > 1 else 0
    for i in range(m):
        row = 0
        for j in range(f):
            x, at = one(data, at, limit, plan[row, 0], plan[row, 1], plan[row, 2], plan[row, 3], tables)
            if x < 0:
                return i, x
            out[i, j] = x
            row += step
        ends[i] = at
    return m, 0


@kernel
def build_pairs(codes: Array, widths: Array, pairs: Array) -> None:
    """pairs[256 * x + y] = the words of x and y as one, times 64, plus their bits; 63 where above 56."""
    for x in range(256):
        for y in range(256):
            length = i64(widths[x]) + i64(widths[y])
            if widths[x] == 0 or widths[y] == 0 or length > 56:
                pairs[256 * x + y] = u64(63)
            else:
                pairs[256 * x + y] = (((codes[x] << u64(widths[y])) | codes[y]) << u64(6)) | u64(length)


@kernel
def encode_stream(symbols: Array, pairs: Array, codes: Array, widths: Array, out: Array) -> Any:
    """Write the words of uint8 symbols from bit 0 on, eight symbols a store; return the number of bits.

    `out` has 8 bytes to spare behind the last bit. Up to seven bits wait in `acc` between stores.
    """
    acc = u64(0)
    held = u64(0)
    byte = i64(0)
    whole = symbols.size >> 3
    for group in range(whole):
        x = load_be(symbols, 8 * group)
        p = pairs[i64(x >> u64(48))]
        q = pairs[i64((x >> u64(32)) & u64(65535))]
        r = pairs[i64((x >> u64(16)) & u64(65535))]
        s = pairs[i64(x & u64(65535))]
        right = (r & u64(63)) + (s & u64(63))
        length = (p & u64(63)) + (q & u64(63)) + right
        if length <= u64(56):
            word = ((p >> u64(6)) << (q & u64(63))) | (q >> u64(6))
            word = (word << right) | ((r >> u64(6)) << (s & u64(63))) | (s >> u64(6))
            acc |= word << (u64(64) - held - length)
            store_be(out, byte, acc)
            held += length
            byte += i64(held >> u64(3))
            acc <<= held & u64(56)
            held &= u64(7)
            continue
        for i in range(8 * group, 8 * group + 8):
            acc, held, byte = _put(codes[symbols[i]], u64(widths[symbols[i]]), acc, held, byte, out)
    for i in range(8 * whole, symbols.size):
        acc, held, byte = _put(codes[symbols[i]], u64(widths[symbols[i]]), acc, held, byte, out)
    store_be(out, byte, acc)
    return 8 * byte + i64(held)


@kernel
def _put(code: int, width: int, acc: int, held: int, byte: int, out: Array) -> tuple[int, int, int]:
    """One word of 0 to 64 bits, in two halves so that with the bits held back it fits in 64."""
    for half in range(2):
        n = width >> u64(1) if half == 0 else width - (width >> u64(1))
        bits = code >> (width - n) if half == 0 else code
        if n == u64(0):
            continue
        bits &= (u64(1) << n) - u64(1)
        acc |= bits << (u64(64) - held - n)
        store_be(out, byte, acc)
        held += n
        byte += i64(held >> u64(3))
        acc <<= held & u64(56)
        held &= u64(7)
    return acc, held, byte


@kernel
def build_windows(codes: Array, widths: Array, first: Array, taken: Array, found: Array) -> None:
    """For each window of WINDOW bits the whole words that it starts with, eight at most.

    first (2^WINDOW,) uint16 is scratch: width and symbol of the first word. taken[w] = bits of all the words,
    plus 64 times their number; found[w] the symbols, first in the top byte. Zero where even the first word is
    longer.
    """
    for w in range(first.size):
        first[w] = 0
    for x in range(256):
        n = i64(widths[x])
        if 0 < n <= WINDOW:
            start = i64(codes[x]) << (WINDOW - n)
            for w in range(start, start + (1 << (WINDOW - n))):
                first[w] = (n << 8) | x
    for w in range(first.size):
        used = i64(0)
        count = i64(0)
        symbols = u64(0)
        while count < 8:
            entry = i64(first[(w << used) & (first.size - 1)])
            if entry == 0 or used + (entry >> 8) > WINDOW:
                break
            used += entry >> 8
            symbols |= u64(entry & 255) << u64(56 - 8 * count)
            count += 1
        taken[w] = used + 64 * count
        found[w] = symbols


@kernel
def decode_stream(
    data: Array, at: int, limit: int, code: Array, tables: Array, taken: Array, found: Array, out: Array
) -> tuple[int, int, int]:
    """Decode uint8 symbols of one code into out; return (symbols, bit behind them, 0 or the error or TAKEN).

    Four windows a load. A window that starts with a long word takes nothing, and so do those behind it: one
    test after the four finds it, and `one` reads it. TAKEN: a symbol above 255 stands at that bit.
    """
    kind, a, b, c = code[0], code[1], code[2], code[3]
    shift = u64(64 - WINDOW)
    i = i64(0)
    n = out.size
    while i < n:
        if i + 32 <= n and at + 64 <= limit:
            v = load_be(data, at >> 3) << u64(at & 7)
            w = i64(v >> shift)
            e = u64(taken[w])
            store_be(out, i, found[w])
            total = e
            v <<= e & u64(63)
            w = i64(v >> shift)
            e = u64(taken[w])
            store_be(out, i + i64(total >> u64(6)), found[w])
            total += e
            v <<= e & u64(63)
            w = i64(v >> shift)
            e = u64(taken[w])
            store_be(out, i + i64(total >> u64(6)), found[w])
            total += e
            v <<= e & u64(63)
            w = i64(v >> shift)
            e = u64(taken[w])
            store_be(out, i + i64(total >> u64(6)), found[w])
            total += e
            at += i64(total & u64(63))
            i += i64(total >> u64(6))
            if e:
                continue
        x, end = one(data, at, limit, kind, a, b, c, tables)
        if x < 0:
            return i, at, x
        if x > 255:
            return i, at, TAKEN
        out[i] = u8(x)
        i += 1
        at = end
    return i, at, 0
