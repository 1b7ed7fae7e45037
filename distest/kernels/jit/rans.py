"""numba loops of `distest.kernels.rans`: eight coders in registers; otherwise round after round with all in memory.

Numbers and indices are unsigned and 64 bits wide in here: nothing is promoted, and numba does not look for negative
indices, which costs as much as the rest. The numbers stay below 2^32.
"""

from typing import Any

from distest.kernels.jit._jit import inline, kernel, load_be, u8, u16, u32, u64

Array = Any


@kernel
def counts(symbols: Array, tables: Array) -> None:
    """Add to tables (8, 256) how often each symbol occurs: eight, since one count waits for its last change."""
    whole = symbols.size >> 3
    for group in range(whole):
        x = load_be(symbols, 8 * group)
        tables[0, x >> u64(56)] += 1
        tables[1, (x >> u64(48)) & u64(255)] += 1
        tables[2, (x >> u64(40)) & u64(255)] += 1
        tables[3, (x >> u64(32)) & u64(255)] += 1
        tables[4, (x >> u64(24)) & u64(255)] += 1
        tables[5, (x >> u64(16)) & u64(255)] += 1
        tables[6, (x >> u64(8)) & u64(255)] += 1
        tables[7, x & u64(255)] += 1
    for i in range(8 * whole, symbols.size):
        tables[0, symbols[i]] += 1


@inline
def put(x: Any, e: Any, pushes: Array, words: Array, p: Any) -> Any:
    """Write the symbol of entry e: the new number, and the place of the word written last."""
    inverse, pair = pushes[e << u64(1)], pushes[(e << u64(1)) | u64(1)]
    f = pair & u64(65535)
    words[p - u64(1)] = u16(x & u64(65535))
    moves = u64((x >> u64(20)) >= f)
    x = x >> (moves << u64(4))
    q = (x * inverse) >> u64(44)
    return x + (pair >> u64(16)) + q * (u64(4096) - f), p - moves


@inline
def step(x: Any, entry: Any) -> Any:
    """The number behind the symbol of an entry, before it takes a word."""
    return (((entry >> u64(8)) & u64(4095)) + u64(1)) * (x >> u64(12)) + (entry >> u64(20))


@inline
def filled(x: Any, words: Array, p: Any) -> Any:
    """The number with a word taken where it is short, and the place of the next word."""
    short = x < u64(65536)
    longer = (x << u64(16)) | u64(words[p])
    return (longer if short else x), p + u64(short)


@inline
def written(
    x: Any, i: Any, symbols: Array, many: bool, which: Array, shift: Any, pushes: Array, words: Array, p: Any
) -> Any:
    """The number with symbol i written, and the place of the word written last."""
    e = u64(symbols[i])
    if many:
        e = (e << shift) | u64(which[i])
    return put(x, e, pushes, words, p)


@inline
def eight_written(
    a: Any, b: Any, c: Any, d: Any, g: Any, h: Any, j: Any, m: Any, i: Any,
    symbols: Array, many: bool, which: Array, shift: Any, pushes: Array, words: Array, p: Any,
) -> Any:  # fmt: skip
    """`written` for symbols i + 7 .. i; `many` is spelled out by the caller, so that no loop asks for it."""
    m, p = written(m, i + u64(7), symbols, many, which, shift, pushes, words, p)
    j, p = written(j, i + u64(6), symbols, many, which, shift, pushes, words, p)
    h, p = written(h, i + u64(5), symbols, many, which, shift, pushes, words, p)
    g, p = written(g, i + u64(4), symbols, many, which, shift, pushes, words, p)
    d, p = written(d, i + u64(3), symbols, many, which, shift, pushes, words, p)
    c, p = written(c, i + u64(2), symbols, many, which, shift, pushes, words, p)
    b, p = written(b, i + u64(1), symbols, many, which, shift, pushes, words, p)
    a, p = written(a, i, symbols, many, which, shift, pushes, words, p)
    return a, b, c, d, g, h, j, m, p


@inline
def taken(x: Any, i: Any, out: Array, many: bool, which: Array, slots: Array, words: Array, p: Any) -> Any:
    """The number with symbol i read, and the place of the next word."""
    place = x & u64(4095)
    if many:
        place |= u64(which[i]) << u64(12)
    e = u64(slots[place])
    out[i] = u8(e)
    return filled(step(x, e), words, p)


@kernel
def encode(symbols: Array, which: Array, bits: int, pushes: Array, states: Array, words: Array) -> Any:
    """Fill words from their end; return where they begin. states: the first and then the last numbers.

    words: one more than symbols; the first may be written and does not count. bits: of a context.
    """
    p = u64(words.size)
    many = which.size > 0
    shift = u64(bits)
    lanes = u64(states.size)
    i = u64(symbols.size)
    rest = i % lanes
    while i > u64(0) and (lanes != u64(8) or i % lanes > u64(0)):
        size = rest if rest > u64(0) else lanes
        i -= size
        rest = u64(0)
        for j in range(size):
            k = size - u64(1) - u64(j)
            x, p = written(u64(states[k]), i + k, symbols, many, which, shift, pushes, words, p)
            states[k] = u32(x)
    if i == u64(0):
        return p
    a, b, c, d = u64(states[0]), u64(states[1]), u64(states[2]), u64(states[3])
    g, h, j, m = u64(states[4]), u64(states[5]), u64(states[6]), u64(states[7])
    if many:
        while i > u64(0):
            i -= u64(8)
            a, b, c, d, g, h, j, m, p = eight_written(
                a, b, c, d, g, h, j, m, i, symbols, True, which, shift, pushes, words, p
            )
    else:
        while i > u64(0):
            i -= u64(8)
            a, b, c, d, g, h, j, m, p = eight_written(
                a, b, c, d, g, h, j, m, i, symbols, False, which, shift, pushes, words, p
            )
    states[0], states[1], states[2], states[3] = u32(a), u32(b), u32(c), u32(d)
    states[4], states[5], states[6], states[7] = u32(g), u32(h), u32(j), u32(m)
    return p


@kernel
def decode(words: Array, count: int, which: Array, slots: Array, states: Array, out: Array) -> Any:
    """Read symbols into out; return the number of words used, above `count` where they ended early.

    words: `count`, and one more for each coder. states: the numbers before and behind.
    """
    n = u64(out.size)
    many = which.size > 0
    lanes = u64(states.size)
    most = u64(count)
    p = u64(0)
    i = u64(0)
    if lanes == u64(8):
        whole = n - n % u64(8)
        a, b, c, d = u64(states[0]), u64(states[1]), u64(states[2]), u64(states[3])
        g, h, j, m = u64(states[4]), u64(states[5]), u64(states[6]), u64(states[7])
        while i < whole and p <= most:
            a, p = taken(a, i, out, many, which, slots, words, p)
            b, p = taken(b, i + u64(1), out, many, which, slots, words, p)
            c, p = taken(c, i + u64(2), out, many, which, slots, words, p)
            d, p = taken(d, i + u64(3), out, many, which, slots, words, p)
            g, p = taken(g, i + u64(4), out, many, which, slots, words, p)
            h, p = taken(h, i + u64(5), out, many, which, slots, words, p)
            j, p = taken(j, i + u64(6), out, many, which, slots, words, p)
            m, p = taken(m, i + u64(7), out, many, which, slots, words, p)
            i += u64(8)
        states[0], states[1], states[2], states[3] = u32(a), u32(b), u32(c), u32(d)
        states[4], states[5], states[6], states[7] = u32(g), u32(h), u32(j), u32(m)
    while i < n and p <= most:
        size = lanes if lanes <= n - i else n - i
        for j in range(size):
            k = u64(j)
            x, p = taken(u64(states[k]), i + k, out, many, which, slots, words, p)
            states[k] = u32(x)
        i += size
    return p
