"""Count sketches of int64 vectors: insert and query, with hashes of two characters by tables.

Key i has the characters i mod size and i div size; row j hashes it to low[j, i mod size] ^ high[j, i div size] ^
both[j, i mod size + i div size]. With independent uniform tables any four keys have independent hashes (Thorup,
Zhang), and keys in order read the tables in order. The upper bit of a hash is a sign, the other 31 choose a column.

Source: Charikar, Chen, Farach-Colton, "Finding frequent items in data streams" (2002); Thorup, Zhang, "Tabulation based
4-universal hashing with applications to second moment estimation" (2004), Theorem 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint32]
SIZE = 1 << 9  # keys with the same high character: what a row needs stays in the first cache


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Hash tables of keys 0..d-1 for some rows: low (rows, SIZE), high (rows, h), both (rows, h + SIZE - 1)."""

    d: int
    low: Hashes
    high: Hashes
    both: Hashes

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.low.shape[0])


def words_of(d: int) -> int:
    """Random uint32 that a row needs."""
    high = -(-d // SIZE)
    return SIZE + high + high + SIZE - 1


def tables(d: int, rows: int, words: Hashes) -> Tables:
    """The tables of uniform words, uint32 (rows, words_of(d))."""
    high = -(-d // SIZE)
    low, top, both = np.split(words.reshape(rows, -1), [SIZE, SIZE + high], axis=1)
    return Tables(d, *(np.ascontiguousarray(part) for part in (low, top, both)))


def insert(values: Ints, hashes: Tables, table: Ints) -> None:
    """table[j, column_j(i)] += sign_j(i) values[i] for all rows j; values int64 (d,), table int64 (rows, columns)."""
    if worth_compiling(values.size):
        scratch, columns = np.empty(SIZE, np.int64), np.empty(SIZE, np.uint32)
        jitted("sketch").insert(values, hashes.low, hashes.high, hashes.both, scratch, columns, table)
        return
    for row in range(hashes.rows):
        place, flip = _places(hashes, row, table.shape[1])
        np.add.at(table[row], place, (values ^ flip) - flip)


def query(table: Ints, hashes: Tables, steps: Ints) -> Ints:
    """Median over rows of sign_j(i) table[j, column_j(i)], int64 (d,). steps: of `median_network(rows)`."""
    if worth_compiling(hashes.d):
        out = np.empty(hashes.d, np.int64)
        scratch, flips = np.empty((hashes.rows, SIZE), np.int64), np.empty(SIZE, np.int64)
        columns = np.empty(SIZE, np.uint32)
        jitted("sketch").query(table, hashes.low, hashes.high, hashes.both, steps, scratch, flips, columns, out)
        return out
    found = np.empty((hashes.rows, hashes.d), np.int64)
    for row in range(hashes.rows):
        place, flip = _places(hashes, row, table.shape[1])
        found[row] = (table[row][place] ^ flip) - flip
    for i, j in steps.tolist():
        found[[i, j]] = np.minimum(found[i], found[j]), np.maximum(found[i], found[j])
    middle: Ints = found[hashes.rows // 2]
    return middle


def median_network(rows: int) -> Ints:
    """Pairs (i, j), i < j, that put the median of an odd number of rows into the middle one, int64 (steps, 2).

    Batcher's merge exchange sort without the steps that the middle does not depend on.
    """
    pairs: list[tuple[int, int]] = []
    t = (rows - 1).bit_length()
    p = 1 << t >> 1
    while p:
        q, r, gap = 1 << t >> 1, 0, p
        while True:
            pairs += [(i, i + gap) for i in range(rows - gap) if i & p == r]
            if q == p:
                break
            gap, q, r = q - p, q >> 1, p
        p >>= 1
    needed, kept = {rows // 2}, []
    for i, j in reversed(pairs):
        if i in needed or j in needed:
            needed |= {i, j}
            kept.append((i, j))
    return np.array(kept[::-1], np.int64).reshape(-1, 2)


def _places(hashes: Tables, row: int, columns: int) -> tuple[Ints, Ints]:
    """Columns, and 0 or -1, of all keys in a row."""
    top, low = np.divmod(np.arange(hashes.d), SIZE)
    found = hashes.low[row][low] ^ hashes.high[row][top] ^ hashes.both[row][low + top]
    place = (found & np.uint32(0x7FFFFFFF)).astype(np.int64) * columns >> 31
    return place, -(found >> np.uint32(31)).astype(np.int64)
