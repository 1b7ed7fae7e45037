"""Which float32 are the largest in magnitude, exactly: among equals the lowest places win.

The bits of a magnitude, read as an integer, are in the order of the magnitudes, and NaN stands above all of them. A
sample of the numbers gives a bound that the k-th largest is almost surely above; one pass collects what reaches the
bound, and the rest is a matter of few numbers. Where the bound was too high, a radix select of two digits finds the
k-th largest itself.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling

Vector = NDArray[np.float32]
Places = NDArray[np.int64]
Bits = NDArray[np.uint32]

SAMPLE = 1 << 15
SPARE = 66  # entries that `collect` may write behind what it finds
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_INFINITE = 0x7F800000


def largest(x: Vector, k: int) -> Places:
    """Places of the k largest |x_i|, rising, int64 (k,), for 0 <= k <= d; zeros are kept too if k asks for them.

    Raises ValueError for NaN among what would be kept, which is above every number.
    """
    d = x.size
    if not 0 <= k <= d:
        raise ValueError(f"{k} of {d} coordinates cannot be kept")
    if k == 0:
        return np.zeros(0, np.int64)
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    fast = worth_compiling(d)
    if fast:
        places, sizes = _collected(bits, _guess(bits, k), 2 * k + 1024)
        if len(places) < k:
            places, sizes = _collected(bits, _radix(bits, k), 2 * k + 1024)
    else:
        places, sizes = np.arange(d), bits & _MAGNITUDE
    if int(sizes.max()) > _INFINITE:
        raise ValueError("NaN has no place in an order of magnitudes")
    least = np.partition(sizes, sizes.size - k)[sizes.size - k]
    equal = k - int(np.count_nonzero(sizes > least))
    if fast:
        out = np.empty(k + 1, np.int64)
        jitted("largest").cut(places, sizes, int(least), equal, out)
        return out[:k]
    keep = sizes > least
    keep[np.flatnonzero(sizes == least)[:equal]] = True
    kept: Places = places[keep]
    return kept


def at_least(x: Vector, bound: float) -> Places:
    """Places of all |x_i| >= bound, rising, int64, for a bound >= 0 that is rounded to float32 first."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    least = int(np.float32(bound).view(np.uint32))
    if worth_compiling(x.size):
        return _collected(bits, least, x.size // 16)[0]
    return np.flatnonzero((bits & _MAGNITUDE) >= np.uint32(least))


def _collected(bits: Bits, least: int, likely: int) -> tuple[Places, Bits]:
    """Places, rising, and bits of the magnitudes of at least `least`. likely: how many there hardly are more of."""
    for room in (min(likely, bits.size), bits.size):
        places, sizes = np.empty(room + SPARE, np.int64), np.empty(room + SPARE, np.uint32)
        found = jitted("largest").collect(bits.view(np.uint8), bits, least, places, sizes)
        if found >= 0:
            break
    return places[:found], sizes[:found]


def _guess(bits: Bits, k: int) -> int:
    """Bits of a magnitude that the k-th largest is almost surely not below, from a sample at equal distances."""
    sample = bits[:: max(1, bits.size // SAMPLE)] & _MAGNITUDE
    expected = k * sample.size / bits.size
    rank = int(expected + 4 * expected**0.5 + 8)
    return int(np.partition(sample, sample.size - rank)[sample.size - rank]) if rank <= sample.size else 0


def _radix(bits: Bits, k: int) -> int:
    """Bits of the k-th largest magnitude, its upper 15 bits first."""
    loops = jitted("largest")
    counts = np.zeros(1 << 15, np.int64)
    loops.high_digits(bits, counts)
    high, left = _digit(counts, k)
    counts = np.zeros(1 << 16, np.int64)
    loops.low_digits(bits, high, counts)
    return high << 16 | _digit(counts, left)[0]


def _digit(counts: Places, k: int) -> tuple[int, int]:
    """The digit of the k-th largest, and which one it is of those with this digit."""
    above = np.cumsum(counts[::-1])
    at = int(np.searchsorted(above, k))
    return counts.size - 1 - at, k - int(above[at] - counts[::-1][at])
