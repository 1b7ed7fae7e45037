"""Huffman codes from integer weights, the same on every machine: depths, canonical words, tables for the
decoder.

Source: Huffman, "A method for the construction of minimum-redundancy codes" (1952); van Leeuwen, "On the
construction of Huffman trees" (1976), two queues; Schwartz and Kallick, "Generating a canonical prefix
encoding" (1964).
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling
from distest.kernels.bitpack import Bytes, Codes
from distest.kernels.prefix import LOOKUP, LOOKUP_AT, STARTS_AT, SYMBOLS_AT, Ints

LONGEST = 64
PYTHON = 16  # a weight in the Python loop costs about as much as this many in a numpy pass


def lengths(weights: Ints) -> Bytes:
    """Bits of the word of each symbol, uint8 (n,), for weights int64 (n,) that are not negative and sum below
    2^62.

    Least total weight of all prefix codes; among equals the longest word is shortest, and of two symbols of
    equal weight the lower one has no longer word. A lone symbol has 1 bit. Where a word would need more than
    64 bits the weights are halved, rounding up, until none does.
    """
    n = weights.size
    if n == 1:
        return np.ones(1, np.uint8)
    order = np.argsort(-weights, kind="stable")[::-1]
    rising = weights[order]
    while True:
        depths = _depths(rising)
        if int(depths.max()) <= LONGEST:
            break
        rising = rising - rising // 2  # keeps the order
    out = np.empty(n, np.uint8)
    out[order] = depths
    return out


def _depths(rising: Ints) -> Ints:
    n = rising.size
    weights, parent = np.zeros(2 * n - 1, np.int64), np.zeros(2 * n - 1, np.int64)
    weights[:n] = rising
    if worth_compiling(PYTHON * n):
        jitted("huffman").depths(weights, parent)
        return parent[:n]
    total, up = rising.tolist(), [0] * (2 * n - 1)
    leaf, inner = 0, n
    for node in range(n, 2 * n - 1):
        sum_of_two = 0
        for _ in range(2):
            if leaf < n and (inner == node or total[leaf] <= total[inner]):
                picked, leaf = leaf, leaf + 1
            else:
                picked, inner = inner, inner + 1
            sum_of_two += total[picked]
            up[picked] = node
        total.append(sum_of_two)
    up[2 * n - 2] = 0
    for node in range(2 * n - 3, -1, -1):
        up[node] = up[up[node]] + 1
    return np.array(up[:n], np.int64)


def canonical(bits: Bytes) -> tuple[Codes, NDArray[np.int64]]:
    """Words uint64 (n,) for given lengths uint8 (n,), and the symbols in the order of their words.

    Words ascend with (length, symbol). The lengths are those of some prefix code (the caller has looked).
    """
    order = np.argsort(bits, kind="stable")
    codes = np.empty(bits.size, np.uint64)
    counts = np.bincount(bits, minlength=LONGEST + 1)
    first, at = 0, 0
    for length in range(1, LONGEST + 1):
        count = int(counts[length])
        codes[order[at : at + count]] = np.arange(count, dtype=np.uint64) + np.uint64(first if count else 0)
        first, at = (first + count) << 1, at + count
    return codes, order


def table(bits: Bytes, codes: Codes, order: Ints) -> Ints:
    """What a HUFFMAN column needs, one int64 array.

    Longest length; for each length 0..64 the greatest 64 bits that start with a word of at most this length
    (in place of the length 0: the shortest length); for each length the index of its first word less that
    word; 2^LOOKUP entries symbol * 256 + length, 0 where the word is longer; the symbols in the order of
    their words.
    """
    out = np.zeros(SYMBOLS_AT + bits.size, np.int64)
    last, starts = out[1:STARTS_AT].view(np.uint64), out[STARTS_AT:LOOKUP_AT].view(np.uint64)
    shortest, longest = int(bits[order[0]]), int(bits[order[-1]])
    ends = np.searchsorted(bits[order], np.arange(LONGEST + 2))
    greatest = 0
    for length in range(shortest, longest + 1):
        low, high = int(ends[length]), int(ends[length + 1])
        if high > low:
            greatest = ((int(codes[order[high - 1]]) + 1) << (64 - length)) - 1
            starts[length] = (low - int(codes[order[low]])) % (1 << 64)
        last[length] = greatest
    out[0], out[1] = longest, shortest
    short = order[: int(ends[LOOKUP + 1])]
    wide = bits[short].astype(np.int64)
    filled = np.repeat(short << 8 | wide, 1 << (LOOKUP - wide))
    out[LOOKUP_AT : LOOKUP_AT + filled.size] = filled
    out[SYMBOLS_AT:] = order
    return out
