"""numba loops of `distest.kernels.bitpack`. Most significant bit first, no gaps, bit positions in and out."""

from typing import Any

from distest.kernels.jit._jit import (
    above_one_of_64,
    bits_of_64,
    i64,
    inline,
    kernel,
    load_be,
    store_be,
    store_le,
    u8,
    u64,
)

Array = Any


@kernel
def pack(code: Array, width: Array, out: Array, at: int) -> int:
    """OR the low width[i] bits of each code[i] into out from bit `at` on; return the bit behind the last.

    `out` is zero from bit `at` on and has 8 bytes to spare behind the last bit.
    """
    held = at & 7  # bits already in the accumulator
    byte = at >> 3
    acc = u64(out[byte]) << u64(56) if held else u64(0)
    for i in range(code.size):
        w = i64(width[i])
        if w == 0:
            continue
        c = code[i]
        if w < 64:
            c &= (u64(1) << u64(w)) - u64(1)
        free = 64 - held
        if w <= free:
            acc |= c << u64(free - w) if free - w < 64 else u64(0)
            held += w
            if held == 64:
                store_be(out, byte, acc)
                byte += 8
                acc = u64(0)
                held = 0
        else:
            acc |= c >> u64(w - free)
            store_be(out, byte, acc)
            byte += 8
            held = w - free
            acc = c << u64(64 - held)
    if held:
        store_be(out, byte, acc)
    return byte * 8 + held


@inline
def put(code: int, width: int, acc: int, held: int, byte: int, out: Array) -> tuple[int, int, int]:
    """Write a word of 1 to 56 bits at bit `held` of out[byte]; acc: the up to seven bits there, the highest of it.

    `code` has no other bits. Store acc once more behind the last word; out has 8 bytes to spare.
    """
    acc |= code << (u64(64) - held - width)
    store_be(out, byte, acc)
    held += width
    byte += i64(held >> u64(3))
    acc <<= held & u64(56)
    return acc, held & u64(7), byte


@inline
def put_long(code: int, width: int, acc: int, held: int, byte: int, out: Array) -> tuple[int, int, int]:
    """As `put`, 0 to 64 bits, in two halves so that with the bits held back it fits in 64; code: other bits may be."""
    for half in range(2):
        n = width >> u64(1) if half == 0 else width - (width >> u64(1))
        bits = code >> (width - n) if half == 0 else code
        if n:
            acc, held, byte = put(bits & ((u64(1) << n) - u64(1)), n, acc, held, byte, out)
    return acc, held, byte


@kernel
def append(source: Array, n_bits: int, out: Array, at: int) -> int:
    """Copy n_bits bits of source (bit 0 on) to out from bit `at` on; return the bit behind the last.

    The unused bits of source's last byte are zero; both arrays have 8 bytes to spare.
    """
    shift = at & 7
    byte = at >> 3
    n_bytes = (n_bits + 7) >> 3
    if shift == 0:
        for i in range(n_bytes):  # a slice would need numba to allocate
            out[byte + i] = source[i]
        return at + n_bits
    high = u64(out[byte]) << u64(56)
    whole = n_bits >> 6
    for i in range(whole):
        word = load_be(source, 8 * i)
        store_be(out, byte + 8 * i, high | (word >> u64(shift)))
        high = word << u64(64 - shift)
    carry = u8(high >> u64(56))
    for i in range(8 * whole, n_bytes):
        s = source[i]
        out[byte + i] = carry | u8(s >> u8(shift))
        carry = u8(s << u8(8 - shift))
    if ((at + n_bits + 7) >> 3) > byte + n_bytes:
        out[byte + n_bytes] = carry
    return at + n_bits


@inline
def read(data: Array, at: int, width: int) -> Any:
    """The `width` bits (0 to 64) at bit `at`; data has 9 bytes to spare behind the last bit."""
    if width == 0:
        return u64(0)
    byte = at >> 3
    shift = u64(at & 7)
    word = load_be(data, byte) << shift
    if width > 64 - i64(shift):
        word |= u64(data[byte + 8]) >> (u64(8) - shift)
    return word >> u64(64 - width)


@kernel
def unpack(data: Array, at: int, width: int, out: Array) -> int:
    """Read out.size fields of `width` bits from bit `at` on; return the bit behind the last."""
    for i in range(out.size):
        out[i] = read(data, at, width)
        at += width
    return at


@kernel
def pack_symbols(symbols: Array, width: int, out: Array) -> Any:
    """Pack uint8 symbols of one width 1..7 from bit 0 on, eight at a time; False if one does not fit.

    symbols.size is a multiple of 8 and out has 8 bytes to spare. Eight bytes become 8 * width bits by three
    halvings: pairs of bytes, pairs of pairs, the two halves.
    """
    fits = u64((1 << width) - 1) * u64(0x0101010101010101)
    s1, s2, s3 = u64(8 - width), u64(16 - 2 * width), u64(4 * width)
    up = u64(64 - 8 * width)
    too_wide = u64(0)
    for i in range(symbols.size >> 3):
        x = load_be(symbols, 8 * i)
        too_wide |= x & ~fits
        x = ((x & u64(0xFF00FF00FF00FF00)) >> s1) | (x & u64(0x00FF00FF00FF00FF))
        x = ((x & u64(0xFFFF0000FFFF0000)) >> s2) | (x & u64(0x0000FFFF0000FFFF))
        x = ((x >> u64(32)) << s3) | (x & u64(0xFFFFFFFF))
        store_be(out, width * i, x << up)
    return too_wide == u64(0)


@kernel
def pack_ones(symbols: Array, out: Array) -> bool:
    """pack_symbols at width 1, sixty-four at a time; symbols.size is a multiple of 64."""
    too_wide = u64(0)
    for i in range(symbols.size >> 6):
        too_wide |= above_one_of_64(symbols, 64 * i)
        store_le(out, 8 * i, bits_of_64(symbols, 64 * i))
    return too_wide == u64(0)  # type: ignore[no-any-return]


@kernel
def unpack_symbols(data: Array, width: int, out: Array) -> None:
    """The reverse of pack_symbols: out.size (a multiple of 8) symbols of one width 1..7 from bit 0 on."""
    s1, s2, s3 = u64(8 - width), u64(16 - 2 * width), u64(4 * width)
    m1 = u64((1 << width) - 1) * u64(0x0001000100010001)
    m2 = u64((1 << (2 * width)) - 1) * u64(0x0000000100000001)
    m3 = u64((1 << (4 * width)) - 1)
    up = u64(64 - 8 * width)
    for i in range(out.size >> 3):
        x = load_be(data, width * i) >> up
        x = ((x >> s3) << u64(32)) | (x & m3)
        x = ((x & (m2 << u64(2 * width))) << s2) | (x & m2)
        x = ((x & (m1 << u64(width))) << s1) | (x & m1)
        store_be(out, 8 * i, x)
