"""Count sketches of gradients: a table of integers that adds up exactly, and the heavy coordinates in it.

A sketch has `rows` rows of `columns` counters; row j adds sign_j(i) v_i to the counter that its hash gives to
coordinate i. Vectors are first rounded to multiples of 2^-shift, the same for all workers, so that tables add up in
int64 without a rounding: whoever holds the sum of the tables finds the same candidates, bit for bit.

Source: Charikar, Chen, Farach-Colton, "Finding frequent items in data streams" (2002); Ivkin et al., "Communication-
efficient distributed SGD with sketching" (2019).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.kernels import sketch as loops
from distest.sgd.problem import Vector

Ints = NDArray[np.int64]
VALUE_BITS = 30
MOST_COLUMNS = 1 << 24
MOST_ADDED = 1 << 32  # coordinates times workers: below 2^62 whatever the hashes do
_PART = 21  # bits of the parts in which counters are squared


@dataclass(frozen=True, slots=True, eq=False)
class CountSketch:
    """The hashes of one sketch; tables are int64 (rows, columns) arrays of the caller. Made by `count_sketch`."""

    columns: int
    tables: loops.Tables
    steps: Ints

    @property
    def d(self) -> int:
        """Coordinates of a vector."""
        return self.tables.d

    @property
    def rows(self) -> int:
        """Rows, an odd number."""
        return self.tables.rows

    def insert(self, values: Ints) -> Ints:
        """The table of int64 (d,) values: linear, so that tables of several vectors may be added."""
        if values.shape != (self.d,):
            raise UsageError(f"this sketch takes vectors of {self.d} coordinates, got shape {values.shape}")
        table = np.zeros((self.rows, self.columns), np.int64)
        loops.insert(np.ascontiguousarray(values, np.int64), self.tables, table)
        return table

    def query(self, table: Ints) -> Ints:
        """What the table says of each coordinate, the median over rows, int64 (d,).

        One row is right on average with variance (|v|^2 - v_i^2) / columns.
        """
        return loops.query(table, self.tables, self.steps)

    def norm_squared(self, table: Ints) -> int:
        """The median over rows of the sum of squares of the counters, exactly: about |v|^2."""
        return sorted(_square(row) for row in table)[self.rows // 2]


def check_shape(rows: int, columns: int) -> None:
    """Raise UsageError unless rows is odd, 1..63, and columns 1..2^24."""
    if rows % 2 == 0 or not 1 <= rows <= 63:
        raise UsageError(f"a sketch has an odd number of rows from 1 to 63, for there to be a median, got {rows}")
    if not 1 <= columns <= MOST_COLUMNS:
        raise UsageError(f"a sketch has 1 to 2^24 columns, got {columns}")


def count_sketch(d: int, rows: int, columns: int, coins: PublicCoins) -> CountSketch:
    """The sketch that public coins choose.

    rows: odd, 1..63, so that there is a median. columns: 1..2^24; each has its chance within 2^-31.
    """
    check_shape(rows, columns)
    if not 1 <= d <= 1 << 31:
        raise UsageError(f"a sketch takes vectors of 1 to 2^31 coordinates, got d={d}")
    halves = rows * loops.words_of(d)
    words = coins.fold("sketch").common((halves + 1) // 2)
    both = np.stack((words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)), axis=1).astype(np.uint32)
    hashes = loops.tables(d, rows, both.ravel()[:halves].reshape(rows, -1))
    return CountSketch(columns, hashes, loops.median_network(rows))


def shift_for(largest: float, d: int, workers: int = 1) -> int:
    """The shift with largest * 2^shift in [2^29, 2^30), for which no sum overflows.

    largest: the largest magnitude of any worker's vector. UsageError for d * workers above 2^32.
    """
    if d * workers > MOST_ADDED:
        raise UsageError(f"sketches of d={d} coordinates of {workers} workers may overflow: at most 2^32 numbers")
    return VALUE_BITS - math.frexp(largest)[1] if largest > 0 else 0


def fixed_point(x: Vector, shift: int) -> Ints:
    """x in multiples of 2^-shift, to the nearest (ties to even), int64."""
    return np.rint(np.ldexp(x.astype(np.float64), shift)).astype(np.int64)


def sketch_snr(v: Vector, k: int, columns: int) -> float:
    """|v|_(k) sqrt(columns) / |v|, the k-th largest magnitude over the error of a row; 0 for v = 0.

    Above 2 or so the k largest of v are found among few more candidates; below 1 the sketch says little of them.
    UsageError for k outside 1..d.
    """
    if not 1 <= k <= v.size:
        raise UsageError(f"a vector of d={v.size} coordinates has no {k}-th largest")
    sizes = np.abs(v.astype(np.float64))
    norm = float(np.linalg.norm(sizes))
    return float(np.partition(sizes, v.size - k)[v.size - k]) * math.sqrt(columns) / norm if norm else 0.0


def candidates(estimates: Ints, k: int) -> Ints:
    """Indices of the k estimates of largest magnitude, rising; among equals the lowest."""
    d = estimates.size
    if not 0 <= k <= d:
        raise UsageError(f"{k} candidates of d={d} coordinates cannot be chosen")
    if k == 0:
        return np.zeros(0, np.int64)
    sizes = np.abs(estimates)
    least = np.partition(sizes, d - k)[d - k]
    keep = sizes > least
    keep[np.flatnonzero(sizes == least)[: k - int(np.count_nonzero(keep))]] = True
    return np.flatnonzero(keep)


def heavymix(sketch: CountSketch, table: Ints, k: int, coins: PublicCoins) -> Ints:
    """k indices, rising: those with estimate^2 >= (norm of the table)^2 / k, and others that public coins choose.

    Where more than k estimates are that large, the k largest of them. Everything is decided in integers.

    Source: Ivkin et al. (2019), Algorithm 1 (where the square of the estimate is missing); the cap is ours.
    """
    if not 1 <= k <= sketch.d:
        raise UsageError(f"heavymix chooses 1 to d={sketch.d} coordinates, got k={k}")
    estimates = sketch.query(table)
    square = sketch.norm_squared(table)
    least = math.isqrt(max(0, -(-square // k) - 1)) + 1 if square else 1  # the least integer with least^2 k >= square
    heavy = np.flatnonzero(np.abs(estimates) >= least)
    if heavy.size >= k:
        return np.asarray(heavy[candidates(estimates[heavy], k)])
    rest = np.ones(sketch.d, np.bool_)
    rest[heavy] = False
    others = np.flatnonzero(rest)
    order = np.argsort(coins.fold("heavymix").common(others.size), kind="stable")
    return np.sort(np.concatenate((heavy, others[order[: k - heavy.size]])))


def _square(row: Ints) -> int:
    """Sum of the squares of a row, whatever their size, from parts of 21 bits."""
    mask = (1 << _PART) - 1
    parts = [row & mask, row >> _PART & mask, row >> 2 * _PART]
    return sum(int(np.dot(parts[i], parts[j])) << _PART * (i + j) for i in range(3) for j in range(3))
