"""Walsh-Hadamard transforms of float32 vectors, in place, with one order of operations: the same bits on every machine.

The butterfly of half-width 1 comes first, then 2, 4, ...; each is a + b and a - b rounded to float32 once, and LLVM may
not contract or reorder them.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling

Floats = NDArray[np.float32]


def transform(x: Floats) -> None:
    """x <- H x with H[i, j] = (-1)^(i . j), not scaled; x float32 (2^t,), contiguous. Its own inverse up to 2^t."""
    if x.size & (x.size - 1) or x.size == 0 or x.dtype != np.float32 or not x.flags.c_contiguous:
        raise ValueError(f"a transform needs 2^t contiguous float32 numbers, got {x.size} of {x.dtype}")
    if worth_compiling(16 * x.size):
        jitted("hadamard").transform(x)
        return
    half = 1
    while half < x.size:
        pairs = x.reshape(-1, 2, half)
        pairs[:] = np.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), axis=1)
        half *= 2


def flip(x: Floats, words: NDArray[np.uint64]) -> None:
    """Turn the sign of x[i] where bit 63 - i mod 64 of words[i div 64] is set; x float32 (n,), words ceil(n / 64)."""
    if words.size * 64 < x.size:
        raise ValueError(f"{x.size} signs are 64 a word, got {words.size} words")
    if worth_compiling(x.size):
        jitted("hadamard").flip(x.view(np.uint32), words)
        return
    bits = np.unpackbits(words.astype(">u8").view(np.uint8), count=x.size)
    x.view(np.uint32)[:] ^= bits.astype(np.uint32) << np.uint32(31)
