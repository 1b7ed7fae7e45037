"""What learning a k-histogram by merged cells costs at most: true bounds with all constants, for every size.

p is flat on pieces with `jumps` <= k - 1 jumps between them, N samples in all, of which the N1 of stage 1 choose the
cells, at most `per_cell` of them a cell. The bounds are safe and loose: measured errors are many times smaller.
H1 to H6 are the propositions of docs/bounds.md, section H.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_TWICE = 3.0 + 2.0 * math.sqrt(2.0)  # (1 + sqrt 2)^2


def jumps_of(p: Floats) -> int:
    """Return in how many places p_x differs from p_(x-1) by more than rounding."""
    return int(np.count_nonzero(np.abs(np.diff(p)) > 1e-12 * np.maximum(p[1:], p[:-1])))


def interval_norm(intervals: int, n_samples: int) -> float:
    """Return a bound on E sup of sum |q(I) - p(I)| over so many disjoint intervals I, q the law of N samples (H1).

    Of order sqrt(intervals/N) whatever the number of symbols and whatever p; at most 2.
    """
    ends, root = 2.0 * intervals, math.sqrt(n_samples)
    finest = max(0, n_samples - 1).bit_length()  # blocks of mass 1/N and less
    tail = 2.0 * ends / (1 << finest)
    below = tail + _fourth(ends, float(1 << finest), n_samples, 2.0)
    best = 2.0
    for level in range(finest, -1, -1):  # blocks of mass 2^-level add up as they are, finer ones by levels
        blocks = float(1 << level)
        best = min(best, math.sqrt(blocks - 1.0) / root + below)
        below += min(math.sqrt(blocks), math.sqrt(ends), root * _fourth(ends, blocks, n_samples, 1.0)) / root
    return best


def _fourth(ends: float, blocks: float, n_samples: int, factor: float) -> float:
    """Return (2K)^(3/4) (factor (3/M + 1/N))^(1/4) / sqrt N: what 2K ends pick among M blocks, by fourth moments."""
    return float(ends**0.75 * (factor * (3.0 / blocks + 1.0 / n_samples)) ** 0.25 / math.sqrt(n_samples))


def merged_l1(k: int, jumps: int, n_samples: int, cells: float = math.inf, per_interval: float = 0.0) -> float:
    """Return a bound on the l1 error of `merging.l1` with d = 1, spare = 1 for p with `jumps` < k jumps (H2).

    cells: a bound on the l1 error of the masses of all cells. per_interval: what the masses of any interval may be
    off beside what sampling does. The loss of flattening inside the cells comes on top. Not capped at 2.
    """
    pieces, kept = 4 * k + 1 + jumps, 3 * (2 * k - jumps)
    share = 2.0 * jumps / (2 * k - jumps)
    wide = min(cells, interval_norm(pieces, n_samples)) + pieces * per_interval
    narrow = min(cells, interval_norm(kept, n_samples)) + kept * per_interval if jumps else 0.0
    return wide + share * narrow


def flattened_l1(jumps: int, first: int, per_cell: int) -> float:
    """Return a bound on E |p - p'|_1 for p' flat on cells that the N1 samples `first` of stage 1 choose (H3)."""
    if jumps == 0:
        return 0.0
    return min(2.0, 4.0 * (jumps * (per_cell + 1) + per_cell) / (first + 1))


def flattened_l2(jumps: int, first: int, per_cell: int) -> float:
    """Return a bound on E |p - p'|_2^2 for p' flat on cells that the N1 samples `first` of stage 1 choose (H3)."""
    if jumps == 0:
        return 0.0
    there = 4.0 * jumps * (per_cell + 1) * (per_cell + 2) + 2.0 * per_cell * (2 * per_cell + 1)
    return min(1.0, there / ((first + 1) * (first + 2)))


def two_stage_l1(k: int, jumps: int, first: int, second: int, most_cells: int, per_cell: int, alone: float) -> float:
    """Return a bound on the l1 risk of `two_stage_histogram`, at most 2 (H4).

    first, second: samples of the two stages; most_cells: the most cells there can be; alone: a bound on the l1 error
    of the samples of stage 1, at most 2.
    """
    total = first + second
    cells = (first * alone + math.sqrt((most_cells - 1) * second)) / total
    return min(2.0, merged_l1(k, jumps, total, cells) + flattened_l1(jumps, first, per_cell))


def two_stage_l2(jumps: int, first: int, second: int, per_cell: int, square_norm: float) -> float:
    """Return a bound on the squared l2 risk of `two_stage_histogram_l2`, square_norm being |p|^2 or less (H4)."""
    return _TWICE * ((1.0 - square_norm) / (first + second) + flattened_l2(jumps, first, per_cell))


def ranks_l1(k: int, jumps: int, m: int, n_samples: int, every: int) -> float:
    """Return a bound on the l1 risk of `rank_sampling` with N samples on m servers, at most 2 (H6).

    The counts of an interval are off by less than `every` a server, independently and with mean 0.
    """
    intervals = n_samples * (n_samples + 1.0) / 2.0
    off = min(float(m), math.sqrt(m * math.log(2.0 * intervals) / 2.0)) if every > 1 else 0.0
    return min(2.0, merged_l1(k, jumps, n_samples, per_interval=every * off / n_samples))
