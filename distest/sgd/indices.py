"""Sets of k of d indices as bits: the cheapest of four codes, and the choice is in the bits.

After two bits that name it comes one of: Rice codes of the gaps, their parameter in five bits; a bitmap of d bits; the
rank of the set among all of its size; indices of ceil(log2 d) bits. Sets of no or all indices cost nothing. The
reader knows d and k; k itself is sent by `write_count` where it is not public.
"""

import math

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, close, inside
from distest.codecs.elias_delta import EliasDelta
from distest.codecs.fixed import Fixed
from distest.codecs.rice import Rice
from distest.codecs.subset import Subset
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.kernels.prefix import MOST_ONES

Places = NDArray[np.int64]

MODE_BITS, PARAMETER_BITS = 2, 5
GAPS, BITMAP, RANK, PLAIN = range(4)
MOST_PLACES = 1 << 32
_RANK_BITS = 62
_RANKED = 64  # members, or places left out, of a set that has a rank
_TABLE = 1 << 18  # numbers in the table that finds a rank


def check_size(name: str, k: int, density: float) -> None:
    """Raise UsageError unless k >= 0 and 0 < density <= 1."""
    if k < 0:
        raise UsageError(f"{name} keeps k >= 1 coordinates, or k = 0 for a share `density` of them, got k={k}")
    if not 0 < density <= 1:
        raise UsageError(f"{name} keeps a share of the coordinates with 0 < density <= 1, got density={density}")


def size(name: str, d: int, k: int, density: float) -> int:
    """Coordinates kept of d: k, or for k = 0 the share `density`, rounded, at least 1.

    Raises UsageError for k > d, and for more than 2^32 coordinates, whose indices no code here holds.
    """
    check_places(name, d)
    if k > d:
        raise UsageError(f"{name} keeps k={k} coordinates of a vector that has d={d}; choose k <= d or a density")
    return k or max(1, round(density * d))


def check_places(name: str, d: int) -> None:
    """Raise UsageError for vectors whose indices are too large to be sent."""
    if d > MOST_PLACES:
        raise UsageError(f"{name} sends indices of vectors of up to 2^32 coordinates, this one has d={d}")


def write_count(k: int) -> Messages:
    """k >= 0 by Elias's delta code of k + 1."""
    return EliasDelta().encode(np.array([[k + 1]])).pack()


def read_count(parts: BitReader, most: int) -> int:
    """A count of 0..most. Raises WireError for a larger one."""
    k = int(EliasDelta().decode(parts, (1, 1))[0, 0]) - 1
    parts.aside("number of indices", [k])
    if k > most:
        raise WireError(f"{k} of {most} coordinates are announced")
    return k


def counted(places: Places, d: int) -> list[Messages]:
    """Two parts of a message, how many indices of 0..d-1 and which."""
    return [write_count(places.size), write(places, d)]


def read_counted(parts: BitReader, d: int) -> Places:
    """What `counted` wrote, int64, rising. Raises WireError."""
    return read(parts, read_count(parts, d), d)


def n_bits(places: Places, d: int) -> int:
    """Bits of `write`."""
    return _choose(places, d)[2]


def write(places: Places, d: int) -> Messages:
    """A strictly rising set of indices of 0..d-1, int64 (k,), with 0 bits for k = 0 and k = d."""
    mode, parameter, length = _choose(places, d)
    if length == 0:
        return Messages(bitpack.room(0), 0, 0, 0)
    head = Fixed(1 << MODE_BITS).encode(np.array([[mode]])).pack()
    if mode == GAPS:
        step = Fixed(1 << PARAMETER_BITS).encode(np.array([[parameter]])).pack()
        return Messages.one([head, step, Rice(parameter).pack(_gaps(places)[None])])
    if mode == BITMAP:
        chosen = np.zeros(d, np.uint8)
        chosen[places] = 1
        return Messages.one([head, Messages.of_symbols(chosen, 1)])
    code = Subset(d) if mode == RANK else Fixed(d)
    return Messages.one([head, code.encode(places[None]).pack()])


def read(parts: BitReader, k: int, d: int) -> Places:
    """The set of k indices that `write` wrote, for 0 <= k <= d. Raises WireError for bits that are no such set."""
    if k in (0, d):
        return np.arange(k)
    mode = int(parts.fixed(1, MODE_BITS)[0, 0])
    parts.aside("code of the indices: 0 gaps, 1 bitmap, 2 rank, 3 plain", [mode])
    if mode == GAPS:
        parameter = int(parts.fixed(1, PARAMETER_BITS)[0, 0])
        parts.aside("Rice parameter", [parameter])
        places = np.cumsum(Rice(parameter).decode(parts, (1, k))[0] + 1) - 1
    elif mode == BITMAP:
        places = np.flatnonzero(parts.fixed(d, 1))
        if places.size != k:
            raise WireError(f"a bitmap of {places.size} indices stands where {k} were announced")
    elif mode == RANK:
        if not _has_rank(k, d):
            raise WireError(f"a set of {k} of {d} indices has too long a rank")
        places = Subset(d).decode(parts, (1, k))[0]
    else:
        places = Fixed(d).decode(parts, (1, k))[0]
    if int(places[-1]) >= d or bool((places[1:] <= places[:-1]).any()):
        raise WireError(f"{k} rising indices below {d} are announced, others are sent")
    parts.aside("indices", places)
    return places


def message(places: Places, d: int) -> Messages:
    """A set of indices as a message of its own: one bit where there is nothing to say. For who knows k."""
    bits = write(places, d)
    return bits if bits.n_bits else Messages.of_symbols(np.ones(1, np.uint8), 1)


def of_message(reader: BitReader, k: int, d: int) -> Places:
    """The k indices that `message` wrote. Raises WireError for bits that are no such set."""
    parts = inside(reader)
    if k in (0, d):
        parts.fixed(1, 1)
        parts.aside("nothing to say")
    places = read(parts, k, d)
    close(reader, parts)
    return places


def _choose(places: Places, d: int) -> tuple[int, int, int]:
    """The cheapest mode, the first of equals, its Rice parameter, and all bits."""
    k = places.size
    if not 0 <= k <= d <= MOST_PLACES or (k and not 0 <= places[0] <= places[-1] < d):
        raise UsageError(f"a set of indices of d={d} <= 2^32 has members of 0..d-1 once each, got {k} of them")
    if k in (0, d):
        return BITMAP, 0, 0
    costs = {BITMAP: d, PLAIN: k * (d - 1).bit_length()}
    gaps = _gaps(places)
    if int(gaps.min()) < 0:
        raise UsageError("a set of indices is written in strictly rising order")
    best, parameter = min((_rice(gaps, b), b) for b in _parameters(gaps))
    costs[GAPS] = PARAMETER_BITS + best
    if _has_rank(k, d):
        costs[RANK] = (math.comb(d, k) - 1).bit_length()
    mode = min(sorted(costs), key=lambda choice: costs[choice])
    return mode, parameter, MODE_BITS + costs[mode]


def _gaps(places: Places) -> Places:
    return np.diff(places, prepend=-1) - 1


def _parameters(gaps: Places) -> range:
    """Rice parameters among which the best is: near log2 of the mean gap, and large enough for the largest."""
    middle = int(gaps.sum() // gaps.size).bit_length()
    least = max(0, (int(gaps.max()) // MOST_ONES).bit_length())
    top = (1 << PARAMETER_BITS) - 1
    return range(min(top, max(least, middle - 4)), min(top, max(least, middle + 1)) + 1)


def _rice(gaps: Places, b: int) -> int:
    """Bits of the gaps by the Rice code of parameter b."""
    return int((gaps >> b).sum()) + gaps.size * (1 + b)


def _has_rank(k: int, d: int) -> bool:
    """Whether ranks of sets of k of d have few bits and are found by a small table."""
    return min(k, d - k) <= _RANKED and math.comb(d, k) <= 1 << _RANK_BITS and k * (d - k + 1) <= _TABLE
