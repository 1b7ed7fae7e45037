"""Pack numbers into a bit string and read them back: most significant bit first, no gaps.

Every array of bytes made here ends in `SPARE` zero bytes, so a kernel may load 64 bits anywhere inside it.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling

SPARE = 16
Bytes = NDArray[np.uint8]
Codes = NDArray[np.uint64]


def room(n_bits: int) -> Bytes:
    """Zeroed bytes for n_bits bits and the spare behind them."""
    return np.zeros((n_bits + 7) // 8 + SPARE, np.uint8)


def pack(code: Codes, width: NDArray[np.uint8]) -> tuple[Bytes, int]:
    """The low width[i] (0..64) bits of each code[i], end to end.

    code (N,) uint64, width (N,) uint8. Returns the bytes (with SPARE) and the exact number of bits.
    Raises ValueError for a width above 64 or arrays that do not match.
    """
    if code.shape != width.shape or code.ndim != 1:
        raise ValueError(f"one width a code word: got shapes {code.shape} and {width.shape}")
    if width.size and int(width.max()) > 64:
        raise ValueError(f"a code word has at most 64 bits, got width {int(width.max())}")
    n_bits = int(width.sum(dtype=np.int64))
    out = room(n_bits)
    if worth_compiling(n_bits):
        jitted("bitpack").pack(np.ascontiguousarray(code), np.ascontiguousarray(width), out, 0)
        return out, n_bits
    wide = width.astype(np.int64)
    owner = np.repeat(np.arange(code.size), wide)
    place = np.cumsum(wide)[owner] - 1 - np.arange(n_bits)
    bits = (code[owner] >> place.astype(np.uint64)) & np.uint64(1)
    out[: (n_bits + 7) // 8] = np.packbits(bits.astype(np.uint8))
    return out, n_bits


def unpack(data: Bytes, at: int, width: int, count: int) -> Codes:
    """`count` fields of `width` bits (0..64) from bit `at` on, as uint64; data holds them and SPARE behind."""
    out = np.zeros(count, np.uint64)
    if width == 0 or count == 0:
        return out
    if worth_compiling(count * width):
        jitted("bitpack").unpack(data, at, width, out)
        return out
    first = at // 8
    bits = np.unpackbits(data[first : (at + count * width + 7) // 8])[at - 8 * first :][: count * width]
    padded = np.zeros((count, 64), np.uint8)
    padded[:, 64 - width :] = bits.reshape(count, width)
    out[:] = np.packbits(padded, axis=1).view(">u8").ravel()
    return out


def cut(data: Bytes, at: int, n_bits: int) -> Bytes:
    """n_bits bits from bit `at` on, moved to a whole byte; SPARE bytes behind. What follows them means nothing.

    data holds them and SPARE behind. No copy where `at` is a whole byte already.
    """
    if at % 8 == 0:
        return data[at // 8 :]
    whole = n_bits // 64
    out = np.zeros(8 * whole + 8 + SPARE, np.uint8)
    out[: 8 * whole] = unpack(data, at, 64, whole).byteswap().view(np.uint8)
    rest = n_bits - 64 * whole
    if rest:
        last = unpack(data, at + 64 * whole, rest, 1) << np.uint64(64 - rest)
        out[8 * whole : 8 * whole + 8] = last.byteswap().view(np.uint8)
    return out


def append(source: Bytes, n_bits: int, out: Bytes, at: int) -> int:
    """Copy the first n_bits bits of source to out from bit `at` on; return the bit behind the last."""
    if n_bits == 0:
        return at
    if at % 8 == 0 or worth_compiling(n_bits):
        n_bytes = (n_bits + 7) // 8
        if at % 8 == 0:
            out[at // 8 : at // 8 + n_bytes] = source[:n_bytes]
            return at + n_bits
        return int(jitted("bitpack").append(source, n_bits, out, at))
    first, end = at // 8, (at + n_bits + 7) // 8
    bits = np.unpackbits(out[first:end])
    bits[at - 8 * first :][:n_bits] = np.unpackbits(source[: (n_bits + 7) // 8])[:n_bits]
    out[first:end] = np.packbits(bits)
    return at + n_bits


def pack_symbols(symbols: Bytes, width: int) -> tuple[Bytes, int]:
    """uint8 symbols of one width 1..8, end to end: the fast road past `Words`.

    Returns the bytes (with SPARE) and the number of bits. Raises ValueError where a symbol needs more bits.
    """
    if not 1 <= width <= 8:
        raise ValueError(f"symbols of one byte have widths 1 to 8, got {width}")
    count = symbols.size
    n_bits = count * width
    out = np.empty((n_bits + 7) // 8 + SPARE, np.uint8)
    out[-SPARE:] = 0
    n_bytes = (n_bits + 7) // 8
    if width == 8:
        out[:n_bytes] = symbols
        return out, n_bits
    if worth_compiling(n_bits):
        whole = count & ~63
        fits = _pack_whole(symbols[:whole], width, out)
        if whole < count:  # the last few symbols, padded to sixty-four
            tail = np.zeros(64, np.uint8)
            tail[: count - whole] = symbols[whole:]
            last = np.zeros(64 + SPARE, np.uint8)
            fits &= _pack_whole(tail, width, last)
            start = whole * width // 8
            out[start:n_bytes] = last[: n_bytes - start]
        out[n_bytes:] = 0
    else:
        fits = count == 0 or int(symbols.max()) < 1 << width
        bits = np.unpackbits(symbols.reshape(-1, 1), axis=1)[:, 8 - width :]
        out[:n_bytes] = np.packbits(bits)
    if not fits:
        raise ValueError(f"symbol {int(symbols.max())} does not fit in {width} bits")
    return out, n_bits


def _pack_whole(symbols: Bytes, width: int, out: Bytes) -> bool:
    """Pack a multiple of 64 symbols of widths 1..7 with the kernels; whether all fit."""
    kernels = jitted("bitpack")
    return bool(kernels.pack_ones(symbols, out) if width == 1 else kernels.pack_symbols(symbols, width, out))


def unpack_symbols(data: Bytes, width: int, count: int) -> Bytes:
    """`count` symbols of one width 1..8 from the first bit on, as uint8; data holds them and SPARE behind."""
    if not 1 <= width <= 8:
        raise ValueError(f"symbols of one byte have widths 1 to 8, got {width}")
    n_bytes = (count * width + 7) // 8
    if width == 8:
        return data[:count].copy()
    if width == 1:
        return np.unpackbits(data[:n_bytes], count=count)
    if worth_compiling(count * width):
        out = np.empty((count + 7) & ~7, np.uint8)
        jitted("bitpack").unpack_symbols(data, width, out)
        return out[:count]
    bits = np.zeros((count, 8), np.uint8)
    bits[:, 8 - width :] = np.unpackbits(data[:n_bytes], count=count * width).reshape(count, width)
    return np.packbits(bits, axis=1).ravel()
