"""numba loops of `distest.kernels.dither`; unsigned indices, because numba looks for negative ones otherwise."""

from typing import Any

import numpy as np

from distest.kernels.jit._jit import i32, inline, kernel, u8, u64

Array = Any
f32: Any = np.float32


@inline
def piece(words: Array, place: Any) -> Any:
    """The 16 bits of a place."""
    return (words[place >> u64(2)] >> (u64(48) - (place & u64(3)) * u64(16))) & u64(65535)


@inline
def shift(h: Any) -> Any:
    """The dither of 16 bits, in steps."""
    return (f32(i32(h)) - f32(32767.5)) * f32(2.0**-16)


@kernel
def quantised(z: Array, words: Array, first: int, inverse: Any, most: int, symbols: Array, contexts: Array) -> None:
    """Symbols and contexts."""
    top = f32(most)
    for i in range(u64(z.size)):
        h = piece(words, u64(first) + i)
        k = np.floor(z[i] * inverse + shift(h) + f32(0.5))
        k = k + top if abs(k) <= top else top + top + f32(1)
        symbols[i] = u8(i32(k))
        contexts[i] = u8(h >> u64(12))


@kernel
def restored(symbols: Array, words: Array, first: int, step: Any, most: int, out: Array) -> None:
    """Numbers from symbols."""
    for i in range(u64(out.size)):
        out[i] = (f32(i32(symbols[i]) - i32(most)) - shift(piece(words, u64(first) + i))) * step


@kernel
def nearest(z: Array, edges: Array, out: Array) -> None:
    """Edges counted one by one, on a piece of z at a time; where there are more than 15, every 16th and then 15 more.

    A search of few steps cannot be vectorised, and counting can.
    """
    gap = 16 if edges.size > 15 else 1
    for start in range(0, z.size, 1024):
        part, counts = z[start : start + 1024], out[start : start + 1024]
        for i in range(part.size):
            counts[i] = u8(0)
        for j in range(gap - 1, edges.size, gap):
            edge = edges[j]
            for i in range(part.size):
                counts[i] += u8(part[i] >= edge)
        if gap == 16:
            for i in range(part.size):
                base = u64(counts[i]) << u64(4)
                more = u64(0)
                for j in range(u64(15)):
                    more += u64(edges[base + j] <= part[i])
                counts[i] = u8(base + more)
