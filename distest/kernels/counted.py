"""Loops of counted rows: how many symbols, one more than that in Elias gamma, then the symbols at a fixed width."""

import numpy as np
from numpy.typing import NDArray

from distest.kernels import bitpack, prefix
from distest.kernels._lazy import jitted, worth_compiling

Ints = NDArray[np.int64]


def decode_rows(data: NDArray[np.uint8], at: int, limit: int, m: int, s: int, width: int) -> tuple[Ints, Ints, int]:
    """m rows of at most s symbols of `width` bits from bit `at` on: int64 (m, s), -1 behind a row's last symbol.

    Also the bits of each row, int64 (rows read,), and a status: 0, prefix.ENDED or prefix.INVALID (a row of more than
    s symbols). data has bitpack.SPARE bytes behind the last one that holds bits before `limit`.
    """
    out, lengths = np.full((m, s), -1, np.int64), np.zeros(m, np.int64)
    if worth_compiling(m * s):
        rows, status = jitted("counted").decode_rows(data, at, limit, s, width, out, lengths)
        return out, lengths[:rows], status
    gamma = (prefix.Column(prefix.GAMMA, shortest=1),)
    for row in range(m):
        number, length, status = prefix.decode_rows(data, at, limit, 1, 1, gamma)
        if status:
            return out, lengths[:row], status
        count = int(number[0, 0]) - 1
        if count > s:
            return out, lengths[:row], prefix.INVALID
        at += int(length[0])
        if at + count * width > limit:
            return out, lengths[:row], prefix.ENDED
        out[row, :count] = bitpack.unpack(data, at, width, count)
        at += count * width
        lengths[row] = int(length[0]) + count * width
    return out, lengths, 0
