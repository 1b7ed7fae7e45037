"""numba loops of `distest.kernels.distances`: buckets one by one, two coordinates a store and four a load."""

from typing import Any

from distest.kernels.distances import (
    BAD_COUNT,
    BAD_NORM,
    BAD_WORD,
    BEYOND,
    ELIAS,
    FIXED,
    FIXED_ENDS,
    INFINITE,
    LONGEST,
    MODE_BITS,
    MODE_ENDS,
    NEAR,
    NORM_BITS,
    NORM_ENDS,
    PARAMETER_BITS,
    PARAMETER_ENDS,
    RICE,
    ROWS,
    SHORTEST,
    TRIED,
    WINDOW,
    ZERO,
    ZERO_TOLD,
)
from distest.kernels.jit._jit import (
    i64,
    inline,
    kernel,
    leading_zeros,
    load_be,
    meeting_of_64,
    store_be,
    trailing_zeros,
    u8,
    u32,
    u64,
)
from distest.kernels.jit._lanes import add, down, f32, float_of, sub
from distest.kernels.jit.bitpack import put, put_long, read
from distest.kernels.jit.prefix import gamma, golomb, omega
from distest.kernels.jit.rounding import values_apart

Array = Any


@inline
def _digits(n: Any) -> Any:
    """Binary digits of a number, 0 for 0."""
    return i64(64) - i64(leading_zeros(u64(n)))


@kernel
def omega_word(n: Any) -> Any:
    """The omega word of n >= 1 below 2^33, and its bits."""
    word, width = u64(0), u64(1)
    while n > 1:
        word |= u64(n) << width
        n = _digits(n)
        width += u64(n)
        n -= 1
    return word, width


@kernel
def told_of(symbols: Array, begin: int, size: int, low: Any, told: Array, gaps: Array) -> tuple[int, int]:
    """Those of symbols begin, ..., begin + size - 1 that have a bit of `low`, or all for 0: themselves, and distances.

    Returns how many, and the sum of the distances.
    """
    if low == u8(0):
        for j in range(size):
            told[j] = symbols[begin + j]
            gaps[j] = 1
        return size, size
    count, before = i64(0), i64(-1)
    for block in range(0, size, 64):
        first = begin + block
        if first + 64 <= symbols.size:
            met = meeting_of_64(symbols, first, low)
            if size - block < 64:
                met &= (u64(1) << u64(size - block)) - u64(1)
        else:
            met = u64(0)
            for j in range(size - block):
                met |= u64((symbols[first + j] & low) != 0) << u64(j)
        while met:
            j = i64(trailing_zeros(met))
            met &= met - u64(1)
            told[count] = symbols[first + j]
            gaps[count] = block + j - before
            before = block + j
            count += 1
    return count, before + 1


@kernel
def parameter_of(gaps: Array, total: int) -> Any:
    """The Rice parameter of distances with the sum `total`, and the bits of their words."""
    if gaps.size == 0:
        return i64(0), i64(0)
    furthest = u32(0)
    for i in range(gaps.size):
        furthest = gaps[i] if gaps[i] > furthest else furthest
    least = _digits((i64(furthest) - 1) // (LONGEST + 1))
    middle = _digits(total // gaps.size - 1)
    best, bits = i64(0), i64(-1)
    for step in TRIED:
        b = max(middle + step, least)
        ones = u32(0)
        for i in range(gaps.size):
            ones = add(ones, down(sub(gaps[i], u32(1)), u32(b)))
        cost = i64(ones) + gaps.size * (1 + b)
        if bits < 0 or cost < bits:
            best, bits = b, cost
    return best, bits


@kernel
def mode_of(told: Array, gaps: Array, size: int, width: int, rice: int, near: Array, words: Array) -> int:
    """The shortest mode; rice: bits of the distances in Rice's code."""
    if told.size == 0:
        return ZERO
    elias, rice = i64(0), rice + PARAMETER_BITS
    for i in range(told.size):
        gap = i64(gaps[i])
        elias += i64(near[gap] & u64(63)) if gap < NEAR else i64(omega_word(gap)[1])
        elias += i64(words[0, told[i]] & u64(63))
        rice += i64(words[1, told[i]] & u64(63))
    fixed = width * size - i64(omega_word(told.size + 1)[1])  # less what the others have in common
    if fixed <= elias and fixed <= rice:
        return FIXED
    return ELIAS if elias <= rice else RICE


@inline
def _distance(gap: Any, b: int, near: Array) -> Any:
    """The word of a distance, and its bits; b: Rice's parameter, -1 for omega."""
    if b >= 0:
        rest = u64(gap) - u64(1)
        ones = rest >> u64(b)
        word = (((u64(2) << ones) - u64(2)) << u64(b)) | (rest & ((u64(1) << u64(b)) - u64(1)))
        return word, ones + u64(1) + u64(b)
    if gap < u32(NEAR):
        return near[gap] >> u64(6), near[gap] & u64(63)
    return omega_word(i64(gap))


@kernel
def entries(
    told: Array, gaps: Array, b: int, near: Array, words: Array, acc: Any, held: Any, byte: int, out: Array
) -> tuple[int, int, int]:
    """Write all that is told, two coordinates at once where their words are short; what `put` returns.

    b: Rice's parameter, -1 for omega.
    """
    count = told.size
    i = i64(0)
    while i < count:
        one, n = _distance(gaps[i], b, near)
        level = words[told[i]]
        m = level & u64(63)
        if i + 1 < count:
            other, p = _distance(gaps[i + 1], b, near)
            next_level = words[told[i + 1]]
            q = next_level & u64(63)
            if n + m + p + q <= u64(56):
                word = ((((one << m) | (level >> u64(6))) << p) | other) << q
                acc, held, byte = put(word | (next_level >> u64(6)), n + m + p + q, acc, held, byte, out)
                i += 2
                continue
        acc, held, byte = put_long(one, n, acc, held, byte, out)
        acc, held, byte = put_long(level >> u64(6), m, acc, held, byte, out)
        i += 1
    return acc, held, byte


@kernel
def encode(
    norms: Array, symbols: Array, d: int, bucket: int, width: int, low: Any, code: int, near: Array, words: Array,
    told: Array, gaps: Array, out: Array,
) -> Any:  # fmt: skip
    """Write all buckets from bit 0 on; return the number of bits.

    norms: uint32, their bits. low: the bits of a symbol of which one is set where it is told, 0 where all are. near,
    words: words times 64, plus bits. told, gaps: scratch for a bucket. out: room for all bits, and 8 bytes more.
    """
    acc, held, byte = u64(0), u64(0), i64(0)
    begin = i64(0)
    for place in range(norms.size):
        norm = norms[place]
        size = min(bucket, d - place * bucket) if norm else 0
        count, total = told_of(symbols, begin, size, low, told, gaps)
        mine, far = told[:count], gaps[:count]
        b, bits = i64(0), i64(0)
        if code != ELIAS:
            b, bits = parameter_of(far, total)
        mode = code if norm else ZERO
        if code == SHORTEST:
            mode = mode_of(mine, far, size, width, bits, near, words)
            acc, held, byte = put(u64(mode), u64(MODE_BITS), acc, held, byte, out)
        if code != SHORTEST or mode != ZERO:
            acc, held, byte = put(u64(norm), u64(NORM_BITS), acc, held, byte, out)
        if mode == RICE:
            acc, held, byte = put(u64(b), u64(PARAMETER_BITS), acc, held, byte, out)
        if mode >= ELIAS:
            word, n = omega_word(count + 1)
            acc, held, byte = put(word, n, acc, held, byte, out)
            row = words[0] if mode == ELIAS else words[1]
            acc, held, byte = entries(mine, far, b if mode == RICE else -1, near, row, acc, held, byte, out)
        elif mode == FIXED:
            for j in range(begin, begin + size):
                acc, held, byte = put(u64(symbols[j]), u64(width), acc, held, byte, out)
        begin += size
    store_be(out, byte, acc)
    return 8 * byte + i64(held)


# ---- and back


@inline
def _said(out: Array, at: int, value: Any, adding: bool) -> None:
    out[at] = out[at] + value if adding else value


@kernel
def entry_of(data: Array, at: int, limit: int, b: int) -> tuple[int, int, int, int, int]:
    """A distance (below 1 for none), a sign, the index of a level, the bit behind them, and the bit of the sign.

    b: Rice's parameter, -1 for omega.
    """
    if b < 0:
        gap, at = omega(data, at, limit)
    else:
        gap, at = golomb(data, at, limit, b, i64(1) << b, i64(1) << b)
        gap += 1
    if gap < 1 or at >= limit:
        return i64(0), i64(0), i64(0), at, at
    own = at
    negative = i64(read(data, at, 1))
    if b < 0:
        level, at = omega(data, at + 1, limit)
    else:
        level, at = gamma(data, at + 1, limit)
    return (gap if level > 0 else i64(0)), negative, level, at, own


@kernel
def entries_of(
    data: Array, at: int, limit: int, count: int, begin: int, end: int, b: int, top: int, zero: bool, sign: int,
    windows: Array, row: int, values: Array, adding: bool, out: Array,
) -> tuple[int, int, int]:  # fmt: skip
    """Add or put down `count` coordinates of out[begin:end]; the bit behind them, 0 or what is wrong, and how many bits
    are signs and levels.

    b: Rice's parameter, -1 for omega; windows: from `row` on. Where the first of four windows has no whole word,
    neither have those behind it.
    """
    last, shift, bits = begin - 1, u64(64 - WINDOW), u64(63)
    i, own = i64(0), i64(0)
    while i < count:
        if i + 4 <= count and at + 64 <= limit:
            v = load_be(data, at >> 3) << u64(at & 7)
            e = u64(windows[row + i64(v >> shift)])
            v <<= e & bits
            f = u64(windows[row + i64(v >> shift)])
            v <<= f & bits
            g = u64(windows[row + i64(v >> shift)])
            v <<= g & bits
            h = u64(windows[row + i64(v >> shift)])
            first = last + i64(e >> u64(20))
            second = first + i64(f >> u64(20))
            third = second + i64(g >> u64(20))
            fourth = third + i64(h >> u64(20))
            if h and fourth < end:
                _said(out, first, values[(e >> u64(12)) & u64(255)], adding)
                _said(out, second, values[(f >> u64(12)) & u64(255)], adding)
                _said(out, third, values[(g >> u64(12)) & u64(255)], adding)
                _said(out, fourth, values[(h >> u64(12)) & u64(255)], adding)
                both = ((e & u64(4095)) + (f & u64(4095))) + ((g & u64(4095)) + (h & u64(4095)))
                at += i64(both & bits)
                own += i64(both >> u64(6))
                last = fourth
                i += 4
                continue
        gap, negative, level, at, signed = entry_of(data, at, limit, b)
        if gap < 1:
            return at, BAD_WORD, own
        if gap >= end - last or level > top:
            return at, BEYOND, own
        own += at - signed
        last += gap
        _said(out, last, values[(negative << sign) | (level - (0 if zero else 1))], adding)
        i += 1
    return at, 0, own


@kernel
def bucket_of(
    data: Array, at: int, limit: int, mode: int, begin: int, end: int, width: int, zero: bool, top: int,
    windows: Array, values: Array, adding: bool, out: Array,
) -> tuple[int, int, int]:  # fmt: skip
    """What is behind the norm of a bucket, into out[begin:end]; the bit behind it, 0 or what is wrong, and how many
    bits are signs and levels."""
    size = end - begin
    if mode == FIXED:
        if at + size * width > limit:
            return at, FIXED_ENDS, i64(0)
        for j in range(begin, end):
            _said(out, j, values[read(data, at, width)], adding)
            at += width
        return at, 0, i64(size * width)
    b = i64(-1)
    if mode == RICE:
        if at + PARAMETER_BITS > limit:
            return at, PARAMETER_ENDS, i64(0)
        b = i64(read(data, at, PARAMETER_BITS))
        at += PARAMETER_BITS
    count, at = omega(data, at, limit)
    if count < 1 or count > size + 1:
        return at, BAD_COUNT, i64(0)
    row = i64(min(b + 1, ROWS - 1)) << WINDOW
    return entries_of(
        data, at, limit, count - 1, begin, end, b, top, zero, width - 1, windows, row, values, adding, out
    )


@kernel
def decode(
    data: Array, at: int, limit: int, bucket: int, width: int, zero: bool, top: int, code: int, windows: Array,
    kind: int, steps: int, levels: Array, every: Array, values: Array, scale: Any, adding: bool, out: Array,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Read all buckets into out, or add them; the bit behind them, 0 or what is wrong, the bucket where, and how many
    bits are signs and levels.

    every: all symbols, GROUP at least; values: scratch for what they mean. kind, steps, levels: as `values_apart` takes
    them.
    """
    place, own = i64(0), i64(0)
    for begin in range(0, out.size, bucket):
        end = min(out.size, begin + bucket)
        if not adding:
            for j in range(begin, end):
                out[j] = f32(0)
        mode = i64(code)
        if code == SHORTEST:
            if at + MODE_BITS > limit:
                return at, MODE_ENDS, place, own
            mode = i64(read(data, at, MODE_BITS))
            at += MODE_BITS
        if mode != ZERO:
            if at + NORM_BITS > limit:
                return at, NORM_ENDS, place, own
            norm = u32(read(data, at, NORM_BITS))
            at += NORM_BITS
            if norm >= u32(INFINITE):
                return at, BAD_NORM, place, own
            if norm == u32(0):
                if code == SHORTEST:
                    return at, ZERO_TOLD, place, own
            else:
                size = every.size
                values_apart(
                    every, 0, size, kind, width, steps, float_of(norm), levels, f32(1), False, f32(1), values, values, 0
                )  # fmt: skip
                if adding:
                    for j in range(values.size):
                        values[j] *= scale
                at, status, signed = bucket_of(
                    data, at, limit, mode, begin, end, width, zero, top, windows, values, adding, out
                )
                if status:
                    return at, status, place, own
                own += signed
        place += 1
    return at, 0, place, own
