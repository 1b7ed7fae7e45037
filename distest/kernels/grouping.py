"""Loops of the grouping protocol: server i watches `size` symbols from i * size (mod n) on."""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling


def _starts(block: range, n: int, size: int) -> tuple[int, int]:
    """First watched symbol of the block's first server, and how far the next server's lies on."""
    return block.start * size % n, block.step * size % n


def encode(samples: NDArray[np.int32], block: range, n: int, size: int) -> NDArray[np.uint8]:
    """1 + position of each server's sample in its group, 0 where it is outside.

    samples int32 (len(block),), size at most 255 and at most n. Returns uint8 (len(block),).
    """
    start, stride = _starts(block, n, size)
    if worth_compiling(samples.size):
        out = np.empty(samples.size, np.uint8)
        jitted("grouping").encode(np.ascontiguousarray(samples), start, stride, n, size, out)
        return out
    at = (start + stride * np.arange(samples.size)) % n
    d = (samples - at) % n
    return np.where(d < size, d + 1, 0).astype(np.uint8)


def count(codes: NDArray[np.uint8], block: range, n: int, size: int) -> NDArray[np.int64]:
    """How many servers of a block named each symbol, int64 (n,); codes uint8 (len(block),), 0..size."""
    start, stride = _starts(block, n, size)
    if worth_compiling(codes.size):
        tally = np.zeros(n, np.int64)
        jitted("grouping").count(np.ascontiguousarray(codes), start, stride, n, tally)
        return tally
    at = (start + stride * np.arange(codes.size)) % n
    said = codes > 0
    symbols = (at[said] + codes[said] - 1) % n
    return np.bincount(symbols, minlength=n)


def watchers(m: int, n: int, size: int) -> NDArray[np.int64]:
    """How many of servers 0..m-1 watch each symbol, int64 (n,): m * size visits laid end to end around the domain."""
    full, rest = divmod(m * size, n)
    return full + (np.arange(n) < rest).astype(np.int64)
