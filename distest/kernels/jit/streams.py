"""numba loops of `distest.kernels.prefix`: long streams of small symbols by tables, several at a time.

Positions and bounds as in `prefix.py` of this folder, which reads the words that are too long for the tables.
"""

from typing import Any

from distest.kernels.jit._jit import i64, kernel, load_be, store_be, u8, u64
from distest.kernels.jit.bitpack import put, put_long
from distest.kernels.jit.prefix import one
from distest.kernels.prefix import TAKEN, WINDOW

Array = Any


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
            acc, held, byte = put(word, length, acc, held, byte, out)
            continue
        for i in range(8 * group, 8 * group + 8):
            acc, held, byte = put_long(codes[symbols[i]], u64(widths[symbols[i]]), acc, held, byte, out)
    for i in range(8 * whole, symbols.size):
        acc, held, byte = put_long(codes[symbols[i]], u64(widths[symbols[i]]), acc, held, byte, out)
    store_be(out, byte, acc)
    return 8 * byte + i64(held)


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
    test after the four finds it, and `one` reads it. The next load is under way while the four are looked up,
    and what is or-ed in twice is the same bits. TAKEN: a symbol above 255 stands at that bit.

    Source of the way to refill: Giesen, "Reading bits in far too many ways" (2018), variant 4.
    """
    kind, a, b, c = code[0], code[1], code[2], code[3]
    shift = u64(64 - WINDOW)
    i = i64(0)
    n = out.size
    while i < n:
        e = u64(0)
        if i + 32 <= n and at + 64 <= limit:
            v = load_be(data, at >> 3) << u64(at & 7)  # the first `held` bits of it count
            held = u64(56 - (at & 7))
            byte = (at >> 3) + 7
            ahead = load_be(data, byte)
            while i + 32 <= n and at + 64 <= limit:
                v |= ahead >> held
                byte += i64((u64(63) - held) >> u64(3))
                held |= u64(56)
                ahead = load_be(data, byte)
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
                v <<= e & u64(63)
                held -= total & u64(63)
                at += i64(total & u64(63))
                i += i64(total >> u64(6))
                if e == u64(0):
                    break
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
