"""numba loops of `distest.kernels.rans`: eight coders in registers, then what is left one by one.

Numbers and indices are unsigned and 64 bits wide in here: nothing is promoted, and numba does not look for negative
indices, which costs as much as the rest. The numbers stay below 2^32.
"""

from typing import Any

from distest.kernels.jit._jit import inline, kernel, u8, u16, u32, u64

Array = Any


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


@kernel
def encode(symbols: Array, which: Array, pushes: Array, states: Array, words: Array) -> Any:
    """Fill words from their end; return where they begin. states: the first and then the last numbers.

    words: one more than symbols; the first may be written and does not count.
    """
    p = u64(words.size)
    n = u64(symbols.size)
    many = which.size > 0
    lanes = u64(states.size)
    whole = n - n % u64(8) if lanes == u64(8) else u64(0)
    i = n
    while i > whole:
        i -= u64(1)
        e = u64(symbols[i])
        if many:
            e |= u64(which[i]) << u64(8)
        x, p = put(u64(states[i % lanes]), e, pushes, words, p)
        states[i % lanes] = u32(x)
    if whole == u64(0):
        return p
    a, b, c, d = u64(states[0]), u64(states[1]), u64(states[2]), u64(states[3])
    g, h, j, m = u64(states[4]), u64(states[5]), u64(states[6]), u64(states[7])
    while i > u64(0):
        i -= u64(8)
        if many:
            m, p = put(m, u64(symbols[i + u64(7)]) | (u64(which[i + u64(7)]) << u64(8)), pushes, words, p)
            j, p = put(j, u64(symbols[i + u64(6)]) | (u64(which[i + u64(6)]) << u64(8)), pushes, words, p)
            h, p = put(h, u64(symbols[i + u64(5)]) | (u64(which[i + u64(5)]) << u64(8)), pushes, words, p)
            g, p = put(g, u64(symbols[i + u64(4)]) | (u64(which[i + u64(4)]) << u64(8)), pushes, words, p)
            d, p = put(d, u64(symbols[i + u64(3)]) | (u64(which[i + u64(3)]) << u64(8)), pushes, words, p)
            c, p = put(c, u64(symbols[i + u64(2)]) | (u64(which[i + u64(2)]) << u64(8)), pushes, words, p)
            b, p = put(b, u64(symbols[i + u64(1)]) | (u64(which[i + u64(1)]) << u64(8)), pushes, words, p)
            a, p = put(a, u64(symbols[i]) | (u64(which[i]) << u64(8)), pushes, words, p)
        else:
            m, p = put(m, u64(symbols[i + u64(7)]), pushes, words, p)
            j, p = put(j, u64(symbols[i + u64(6)]), pushes, words, p)
            h, p = put(h, u64(symbols[i + u64(5)]), pushes, words, p)
            g, p = put(g, u64(symbols[i + u64(4)]), pushes, words, p)
            d, p = put(d, u64(symbols[i + u64(3)]), pushes, words, p)
            c, p = put(c, u64(symbols[i + u64(2)]), pushes, words, p)
            b, p = put(b, u64(symbols[i + u64(1)]), pushes, words, p)
            a, p = put(a, u64(symbols[i]), pushes, words, p)
    states[0], states[1], states[2], states[3] = u32(a), u32(b), u32(c), u32(d)
    states[4], states[5], states[6], states[7] = u32(g), u32(h), u32(j), u32(m)
    return p


@kernel
def decode(words: Array, count: int, which: Array, slots: Array, states: Array, out: Array) -> Any:
    """Read symbols into out; return the number of words used, above `count` where they ended early.

    words: `count` and eight more.
    """
    n = u64(out.size)
    many = which.size > 0
    lanes = u64(states.size)
    whole = n - n % u64(8) if lanes == u64(8) else u64(0)
    most = u64(count)
    low = u64(4095)
    p = u64(0)
    i = u64(0)
    if whole > u64(0):
        a, b, c, d = u64(states[0]), u64(states[1]), u64(states[2]), u64(states[3])
        g, h, j, m = u64(states[4]), u64(states[5]), u64(states[6]), u64(states[7])
        while i < whole and p <= most:
            if many:
                e = u64(slots[(u64(which[i]) << u64(12)) | (a & low)])
                out[i] = u8(e)
                a, p = filled(step(a, e), words, p)
                e = u64(slots[(u64(which[i + u64(1)]) << u64(12)) | (b & low)])
                out[i + u64(1)] = u8(e)
                b, p = filled(step(b, e), words, p)
                e = u64(slots[(u64(which[i + u64(2)]) << u64(12)) | (c & low)])
                out[i + u64(2)] = u8(e)
                c, p = filled(step(c, e), words, p)
                e = u64(slots[(u64(which[i + u64(3)]) << u64(12)) | (d & low)])
                out[i + u64(3)] = u8(e)
                d, p = filled(step(d, e), words, p)
                e = u64(slots[(u64(which[i + u64(4)]) << u64(12)) | (g & low)])
                out[i + u64(4)] = u8(e)
                g, p = filled(step(g, e), words, p)
                e = u64(slots[(u64(which[i + u64(5)]) << u64(12)) | (h & low)])
                out[i + u64(5)] = u8(e)
                h, p = filled(step(h, e), words, p)
                e = u64(slots[(u64(which[i + u64(6)]) << u64(12)) | (j & low)])
                out[i + u64(6)] = u8(e)
                j, p = filled(step(j, e), words, p)
                e = u64(slots[(u64(which[i + u64(7)]) << u64(12)) | (m & low)])
                out[i + u64(7)] = u8(e)
                m, p = filled(step(m, e), words, p)
            else:
                e = u64(slots[a & low])
                out[i] = u8(e)
                a, p = filled(step(a, e), words, p)
                e = u64(slots[b & low])
                out[i + u64(1)] = u8(e)
                b, p = filled(step(b, e), words, p)
                e = u64(slots[c & low])
                out[i + u64(2)] = u8(e)
                c, p = filled(step(c, e), words, p)
                e = u64(slots[d & low])
                out[i + u64(3)] = u8(e)
                d, p = filled(step(d, e), words, p)
                e = u64(slots[g & low])
                out[i + u64(4)] = u8(e)
                g, p = filled(step(g, e), words, p)
                e = u64(slots[h & low])
                out[i + u64(5)] = u8(e)
                h, p = filled(step(h, e), words, p)
                e = u64(slots[j & low])
                out[i + u64(6)] = u8(e)
                j, p = filled(step(j, e), words, p)
                e = u64(slots[m & low])
                out[i + u64(7)] = u8(e)
                m, p = filled(step(m, e), words, p)
            i += u64(8)
        states[0], states[1], states[2], states[3] = u32(a), u32(b), u32(c), u32(d)
        states[4], states[5], states[6], states[7] = u32(g), u32(h), u32(j), u32(m)
    while i < n and p <= most:
        k = i % lanes
        base = u64(which[i]) << u64(12) if many else u64(0)
        e = u64(slots[base | (u64(states[k]) & low)])
        out[i] = u8(e)
        x, p = filled(step(u64(states[k]), e), words, p)
        states[k] = u32(x)
        i += u64(1)
    return p
