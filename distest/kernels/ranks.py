"""Ranks of multisets: y_0 <= y_1 <= ... <= y_{s-1} in 0..n-1 to sum_j C(y_j + j, j + 1), and back.

The map is one to one onto 0..C(n + s - 1, s) - 1 (the combinatorial number system of the strictly rising y_j
+ j). Rows whose rank fits in 63 bits are done side by side with tables; others one by one with Python
integers, along a lattice path where s is not small against n, else with one binomial a sample.

Source: Lehmer, "The machine tools of combinatorics" (1964); Cover, "Enumerative source encoding" (1973).
"""

from bisect import bisect_right
from functools import lru_cache
from math import comb, exp, lgamma, log

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
TABLE = 1 << 22  # entries of a table at most


def count(n: int, s: int) -> int:
    """Number of multisets of s symbols out of n."""
    return comb(n + s - 1, s)


def tabled(n: int, s: int) -> bool:
    """Whether ranks fit in 63 bits and their table in memory; `rank_rows` and `sorted_rows` are for these."""
    return n * s <= TABLE and (s <= 1 or n <= 2 or min(n, s) < 64) and count(n, s) < 1 << 63


@lru_cache(maxsize=8)
def _table(n: int, s: int) -> Ints:
    """C(y + j, j + 1) at [j, y], by running sums."""
    table = np.empty((s, n), np.int64)
    table[0] = np.arange(n)
    for j in range(1, s):
        np.cumsum(table[j - 1], out=table[j])
    table.flags.writeable = False
    return table


def rank_rows(y: Ints, n: int) -> Ints:
    """Rank of each row of y (m, s), its samples sorted; int64 (m,)."""
    m, s = y.shape
    ranks = np.zeros(m, np.int64)
    for j in range(s):
        ranks += _table(n, s)[j][y[:, j]]
    return ranks


def sorted_rows(ranks: Ints, n: int, s: int) -> Ints:
    """Rows of sorted samples of given ranks, int64 (m, s)."""
    y = np.empty((ranks.size, s), np.int64)
    left = ranks.copy()
    for j in range(s - 1, 0, -1):
        row = _table(n, s)[j]
        y[:, j] = np.searchsorted(row, left, side="right") - 1
        left -= row[y[:, j]]
    y[:, :1] = left[:, None]  # C(y, 1) = y
    return y


def rank(y: list[int], n: int) -> int:
    """Rank of one sorted list, of any size."""
    if _sparse(n, len(y)):
        return sum(comb(sample + j, j + 1) for j, sample in enumerate(y))
    total, j, here = 0, len(y) - 1, n - 1
    term = comb(here + j, j + 1)
    while j >= 0 and here > 0:
        if y[j] == here:
            total += term
            term, j = term * (j + 1) // (here + j), j - 1
        else:
            term, here = term * (here - 1) // (here + j), here - 1
    return total


def unrank(number: int, n: int, s: int) -> list[int]:
    """The sorted list of s samples of a rank below count(n, s)."""
    y = [0] * s
    if _sparse(n, s):
        high = n - 1
        for j in range(s - 1, -1, -1):
            high = _greatest(number, j, high)
            y[j] = high
            number -= comb(high + j, j + 1)
        return y
    j, here = s - 1, n - 1
    term = comb(here + j, j + 1)
    while j >= 0 and here > 0:
        if term <= number:
            y[j] = here
            number -= term
            term, j = term * (j + 1) // (here + j), j - 1
        else:
            term, here = term * (here - 1) // (here + j), here - 1
    return y


def _sparse(n: int, s: int) -> bool:
    """Whether a binomial a sample is cheaper than a step of the path a symbol."""
    return 16 * s < n


def _greatest(number: int, j: int, high: int) -> int:
    """The greatest y in 0..high with C(y + j, j + 1) <= number: guessed in floats, found in integers."""
    if number == 0 or high == 0:
        return 0
    guess = min(int(exp((log(number) + lgamma(j + 2)) / (j + 1)) - j / 2), high)  # y + j/2 is near the root
    low, above, step = guess, guess, 1
    while low > 0 and comb(low + j, j + 1) > number:
        low, step = max(low - step, 0), 2 * step
    step = 1
    while above <= high and comb(above + j, j + 1) <= number:
        above, step = min(above + step, high + 1), 2 * step
    low = max(low, 0)
    return low + bisect_right(range(low, above), number, key=lambda y: comb(y + j, j + 1)) - 1
