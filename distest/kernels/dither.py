"""Loops of quantisers: the nearest of some levels; and multiples of a step under a dither that the reader knows.

The dither of place i is u = (h - 32767.5) / 65536 of a step, h the 16 bits of word i div 4 from bit 48 - 16 (i mod 4)
on. A number z becomes k = floor(z / step + u + 1/2) and is restored as (k - u) step, which is off by a number that is
uniform on half a step to either side whatever z is, up to 2^-17 of a step. float32, one order of operations.

Source: Schuchman, "Dither signals and their effect on quantization noise" (1964); Zamir, Feder, "On universal
quantization by randomized uniform/lattice quantizers" (1992).
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling

Floats = NDArray[np.float32]
Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

CONTEXTS = 16  # the upper four bits of h


def pieces(words: Words, first: int, count: int) -> NDArray[np.uint16]:
    """The 16 bits of places first .. first + count - 1."""
    part: NDArray[np.uint16] = words[first // 4 : (first + count + 3) // 4].astype(">u8").view(">u2").astype(np.uint16)
    return part[first % 4 :][:count]


def shifts(h: NDArray[np.uint16]) -> Floats:
    """The dither u of 16 bits, in steps, exactly."""
    return (h.astype(np.float32) - np.float32(32767.5)) * np.float32(2.0**-16)


def multiples(z: Floats, h: NDArray[np.uint16], inverse: np.float32) -> NDArray[np.int64]:
    """k of numbers z under the dithers of h, with inverse = 1 / step."""
    k: NDArray[np.int64] = np.floor(z * inverse + shifts(h) + np.float32(0.5)).astype(np.int64)
    return k


def quantised(
    z: Floats, words: Words, first: int, inverse: np.float32, most: int, symbols: Bytes, contexts: Bytes
) -> None:
    """symbols[i] = k + most where |k| <= most, else 2 most + 1; contexts[i] = the upper four bits of the dither.

    z: float32 (n,), at places first, first + 1, ...; below 2^31 steps. most: at most 127.
    """
    if worth_compiling(16 * z.size):
        jitted("dither").quantised(z, words, first, inverse, most, symbols, contexts)
        return
    h = pieces(words, first, z.size)
    k = multiples(z, h, inverse)
    symbols[:] = np.where(np.abs(k) <= most, k + most, 2 * most + 1)
    contexts[:] = h >> 12


def contexts_of(words: Words, first: int, contexts: Bytes) -> None:
    """As `quantised` for the contexts alone."""
    contexts[:] = pieces(words, first, contexts.size) >> 12


def restored(symbols: Bytes, words: Words, first: int, step: np.float32, most: int, out: Floats) -> None:
    """out[i] = (symbols[i] - most - u) step."""
    if worth_compiling(16 * symbols.size):
        jitted("dither").restored(symbols, words, first, step, most, out)
        return
    k = (symbols.astype(np.int32) - most).astype(np.float32)
    out[:] = (k - shifts(pieces(words, first, symbols.size))) * step


def nearest(z: Floats, edges: Floats, out: Bytes) -> None:
    """out[i] = how many of the edges are at most z[i]; edges float32 (2^b - 1,) ascending, b <= 8."""
    if worth_compiling(16 * z.size):
        jitted("dither").nearest(z, edges, out)
        return
    out[:] = np.searchsorted(edges, z, side="right")
