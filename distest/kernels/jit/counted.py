"""numba loop of `distest.kernels.counted`."""

from typing import Any

from distest.kernels.jit._jit import i64, kernel
from distest.kernels.jit.bitpack import read
from distest.kernels.jit.prefix import gamma
from distest.kernels.prefix import ENDED, INVALID

Array = Any


@kernel
def decode_rows(data: Array, at: int, limit: int, s: int, width: int, out: Array, lengths: Array) -> tuple[int, int]:
    """Fill out (m, s) and lengths (m,) row by row; how many rows were read, and the status."""
    for row in range(out.shape[0]):
        start = at
        number, at = gamma(data, at, limit)
        if number < 0:
            return row, number
        if number - 1 > s:
            return row, INVALID
        if at + (number - 1) * width > limit:
            return row, ENDED
        for j in range(number - 1):
            out[row, j] = i64(read(data, at, width))
            at += width
        lengths[row] = at - start
    return out.shape[0], 0
