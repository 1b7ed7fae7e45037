"""Planes: symbols of 1 to 8 bits in blocks of 512, laid out so that packing needs no shuffles.

A width is cut into a part of 4 bits, one of 2 and one of 1, from the most significant bit on, as its binary digits
say (8 is whole bytes). A part of w bits of a block takes 64 w bytes: byte j holds those of the symbols j, j + 64 w,
j + 128 w, ..., the first in its highest bits. Parts follow each other, then comes the next block. The last symbols,
fewer than 512, stand in order, most significant bit first. So N symbols take N times width bits.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels import bitpack
from distest.kernels._lazy import jitted, worth_compiling

BLOCK = 512
Bytes = NDArray[np.uint8]


def pack(symbols: Bytes, width: int, out: Bytes) -> None:
    """Write symbols below 2^width to the first ceil(N width / 8) bytes of out."""
    whole = symbols.size - symbols.size % BLOCK
    n_bytes = whole * width // 8
    if whole and worth_compiling(whole):
        jitted("planes").pack(np.ascontiguousarray(symbols[:whole]), width, out[:n_bytes])
    elif whole:
        out[:n_bytes] = _packed(symbols[:whole].reshape(-1, BLOCK), width).ravel()
    tail, n_bits = bitpack.pack_symbols(np.ascontiguousarray(symbols[whole:]), width)
    out[n_bytes : n_bytes + (n_bits + 7) // 8] = tail[: (n_bits + 7) // 8]


def unpack(data: Bytes, width: int, count: int) -> Bytes:
    """`count` symbols from the first bit of data on, uint8; data holds them and bitpack.SPARE bytes behind."""
    symbols = np.empty(count, np.uint8)
    whole = count - count % BLOCK
    n_bytes = whole * width // 8
    if whole and worth_compiling(whole):
        jitted("planes").unpack(data[:n_bytes], width, symbols[:whole])
    elif whole:
        symbols[:whole] = _unpacked(data[:n_bytes].reshape(-1, 64 * width), width).ravel()
    symbols[whole:] = bitpack.unpack_symbols(data[n_bytes:], width, count - whole)
    return symbols


def _parts(width: int) -> list[tuple[int, int]]:
    """(bits, shift) of each part."""
    if width == 8:
        return [(8, 0)]
    return [(part, width & (part - 1)) for part in (4, 2, 1) if width & part]


def _packed(blocks: Bytes, width: int) -> Bytes:
    parts = []
    for part, shift in _parts(width):
        rows = ((blocks >> shift) & ((1 << part) - 1)).reshape(-1, 8 // part, 64 * part)
        parts.append(np.bitwise_or.reduce(rows << _rights(part), axis=1))
    return np.hstack(parts).astype(np.uint8)


def _unpacked(data: Bytes, width: int) -> Bytes:
    blocks, at = np.zeros((len(data), BLOCK), np.uint8), 0
    for part, shift in _parts(width):
        rows = (data[:, None, at : at + 64 * part] >> _rights(part)) & ((1 << part) - 1)
        blocks |= (rows << shift).astype(np.uint8).reshape(-1, BLOCK)
        at += 64 * part
    return blocks


def _rights(part: int) -> Bytes:
    """How far each row of a part stands from the right end of its bytes, uint8 (8 / part, 1)."""
    return np.arange(8 - part, -1, -part, dtype=np.uint8)[:, None]
