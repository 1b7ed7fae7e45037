"""Integers wider than 64 bits as rows of 64-bit words, and back: for codes that number whole rows."""

import numpy as np
from numpy.typing import NDArray

from distest.kernels.bitpack import Bytes, Codes


def widths(n_bits: int) -> list[int]:
    """Widths of the words of an integer of n_bits bits, the short one first; [0] for none."""
    return [n_bits - 64 * ((n_bits - 1) // 64), *[64] * ((n_bits - 1) // 64)] if n_bits else [0]


def split(values: list[int], n_bits: int) -> tuple[Codes, NDArray[np.uint8]]:
    """Each value below 2^n_bits as one row of words: code uint64 (m, w), width uint8 (m, w)."""
    each = widths(n_bits)
    n_bytes = 8 * len(each)
    joined = b"".join([value.to_bytes(n_bytes, "big") for value in values])
    code = np.frombuffer(joined, ">u8").astype(np.uint64).reshape(len(values), len(each))
    return code, np.tile(np.array(each, np.uint8), (len(values), 1))


def join(code: Codes) -> list[int]:
    """The reverse of split: one integer a row."""
    n_bytes = 8 * code.shape[1]
    joined = code.astype(">u8").tobytes()
    return [int.from_bytes(joined[i : i + n_bytes], "big") for i in range(0, len(joined), n_bytes)]


def gather(data: Bytes, at: int, m: int, each: list[int]) -> Codes:
    """m rows of words of given widths (0 to 64) from bit `at` on, uint64 (m, w); data has SPARE behind."""
    out = np.empty((m, len(each)), np.uint64)
    first = at + sum(each) * np.arange(m, dtype=np.int64)
    for j, width in enumerate(each):
        if width == 0:
            out[:, j] = 0
            continue
        byte, shift = first >> 3, (first & 7).astype(np.uint64)
        word = np.zeros(m, np.uint64)
        for k in range(8):
            word = (word << np.uint64(8)) | data[byte + k]
        word <<= shift
        word |= data[byte + 8].astype(np.uint64) >> (np.uint64(8) - shift)
        out[:, j] = word >> np.uint64(64 - width)
        first += width
    return out
