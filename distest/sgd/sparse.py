"""Buckets one by one: those of few coordinates off 0 by distances, each bucket in its own mode where modes are told.

Behind the norm of a bucket, unless it is 0, stands how many coordinates are off 0, plus 1, and for each of them the
distance from the one before (for the first from before the bucket), the sign, and the index of the level, 1 for the
lowest that is not 0. In "elias" all numbers are in Elias' recursive code. In "rice" 5 bits in front of the count say
the parameter b of the distances less 1, in Rice's code, and indices are in Elias gamma. The papers do not say how a
reader finds the end of a bucket: by the count.

In "shortest" 2 bits in front of each bucket say what it is: 0, all 0, and nothing follows; else a norm and 1, a symbol
of fixed width for each coordinate; 2, as in "elias"; 3, as in "rice". The shortest is taken, the first of equals, so
that no bucket of B coordinates of b bits has more than b B + 34 bits.

Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: Communication-Efficient SGD via Gradient Quantization and
Encoding" (2017), Section 3.1; Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy, "NUQSGD" (2021), Algorithm 2;
Rice, "Some practical universal noiseless coding techniques" (1979).
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.elias_omega import EliasOmega
from distest.codecs.rice import Rice
from distest.errors import WireError
from distest.kernels import bitpack, prefix
from distest.kernels.quantise import Levels

SparseCode = Literal["elias", "rice", "shortest"]
ZERO, FIXED, ELIAS, RICE = range(4)
MODE_BITS, PARAMETER_BITS = 2, 5
_LONGEST = 31  # ones of a Rice code: what is further takes a larger parameter, so that a word has at most 64 bits
_HEADS = 4  # words in front of a bucket: mode, norm, parameter, count
_SIGN = prefix.Column(prefix.FIXED, 1, 2, shortest=1)
_COUNT = (prefix.Column(prefix.OMEGA),)
_Ints = NDArray[np.int64]
_Word = tuple[NDArray[np.uint64], NDArray[np.uint64]]


class _Told:
    """The coordinates off 0 of buckets whose norm is not 0: where they are, and what is said of them.

    owner: the bucket, gaps: the distance, index: the level, negative: the sign; each int64 (coordinates off 0,).
    counts: int64 (buckets,).
    """

    def __init__(self, norms: NDArray[np.float32], symbols: NDArray[np.uint8], d: int, bucket: int, levels: Levels):
        half = 1 << (levels.width - 1)
        index = (symbols & (half - 1)).astype(np.int64) + (not levels.zero)
        told = np.flatnonzero(index)
        coordinates = np.flatnonzero(np.repeat(norms > 0, bucket)[:d])[told]
        self.owner = coordinates // bucket
        self.counts = np.bincount(self.owner, minlength=norms.size)
        first = np.ones(told.size, bool)
        first[1:] = self.owner[1:] != self.owner[:-1]
        self.gaps = np.diff(coordinates, prepend=-1)
        self.gaps[first] = (coordinates - self.owner * bucket)[first] + 1
        self.index, self.negative = index[told], (symbols[told] >= half).astype(np.int64)
        self.rank = np.arange(told.size) - (np.cumsum(self.counts) - self.counts)[self.owner]

    def summed(self, each: _Ints) -> _Ints:
        """Sums over the coordinates of each bucket; exact, since they are below 2^53."""
        return np.bincount(self.owner, weights=each, minlength=self.counts.size).astype(np.int64)

    def parameters(self) -> tuple[_Ints, _Ints]:
        """The Rice parameter of each bucket, the best of four near log2 of the mean distance, and its bits."""
        count, furthest = np.maximum(self.counts, 1), np.zeros(self.counts.size, np.int64)
        np.maximum.at(furthest, self.owner, self.gaps - 1)
        least = np.frexp((furthest // (_LONGEST + 1)).astype(np.float64))[1]
        middle = np.frexp((self.summed(self.gaps - 1) // count).astype(np.float64))[1]
        best, bits = np.zeros((2, self.counts.size), np.int64)
        for step in (-2, -1, 0, 1):
            tried = np.maximum(middle + step, least).astype(np.int64)
            cost = self.summed((self.gaps - 1 >> tried[self.owner]) + 1 + tried[self.owner])
            better = (cost < bits) if step > -2 else np.ones(best.size, bool)
            best, bits = np.where(better, tried, best), np.where(better, cost, bits)
        return best, bits

    def words(self, mine: NDArray[np.bool_], parameters: _Ints | None) -> tuple[_Word, _Word]:
        """Two words of each of some coordinates, distance, and sign and level: Rice's, or Elias' for None."""
        gap, index = self.gaps[mine], self.index[mine]
        if parameters is None:
            distance, level = _omega(gap), _omega(index)
        else:
            b, rest = parameters[self.owner[mine]].astype(np.uint64), (gap - 1).astype(np.uint64)
            ones, low = rest >> b, rest & ((np.uint64(1) << b) - 1)
            distance = ((((np.uint64(2) << ones) - 2) << b) | low, ones + b + 1)
            level = _one_word(EliasGamma().encode(index[:, None]))
        return distance, (self.negative[mine].astype(np.uint64) << level[1] | level[0], level[1] + 1)


def pack(
    norms: NDArray[np.float32], symbols: NDArray[np.uint8], d: int, bucket: int, levels: Levels, code: SparseCode
) -> Messages:
    """One message of d coordinates. symbols: of the buckets whose norm is not 0, as `kernels.quantise` gives them."""
    told = _Told(norms, symbols, d, bucket, levels)
    sizes = np.minimum(bucket, d - bucket * np.arange(norms.size))
    parameters, rice_gaps = told.parameters() if code != "elias" else np.zeros((2, norms.size), np.int64)
    if code == "shortest":
        fixed = levels.width * sizes
        elias = told.summed(EliasOmega().n_bits(told.gaps) + EliasOmega().n_bits(told.index))
        rice = PARAMETER_BITS + rice_gaps + told.summed(EliasGamma().n_bits(told.index))
        alike = EliasOmega().n_bits(told.counts + 1) + told.counts
        modes = np.where(told.counts > 0, FIXED + np.argmin((fixed - alike, elias, rice), axis=0), ZERO)
    else:
        modes = np.where(norms > 0, ELIAS if code == "elias" else RICE, ZERO)

    words = np.where(modes == FIXED, sizes, np.where(modes == ZERO, 0, 2 * told.counts))
    starts = _HEADS * np.arange(norms.size) + np.cumsum(words) - words
    pattern, width = np.zeros((2, _HEADS * norms.size + int(words.sum())), np.uint64)
    pattern[starts], width[starts] = modes, MODE_BITS if code == "shortest" else 0
    norm_bits = np.where(modes == ZERO, 0, 32) if code == "shortest" else 32
    pattern[starts + 1], width[starts + 1] = norms.view(np.uint32), norm_bits
    pattern[starts + 2], width[starts + 2] = parameters, np.where(modes == RICE, PARAMETER_BITS, 0)
    pattern[starts + 3], width[starts + 3] = _omega(told.counts + 1)
    width[starts[modes < ELIAS] + 3] = 0
    at = starts[told.owner] + _HEADS + 2 * told.rank
    for mode in (ELIAS, RICE):
        mine = modes[told.owner] == mode
        distance, level = told.words(mine, parameters if mode == RICE else None)
        pattern[at[mine]], width[at[mine]] = distance
        pattern[at[mine] + 1], width[at[mine] + 1] = level
    if code == "shortest":
        owner = np.flatnonzero(np.repeat(norms > 0, bucket)[:d]) // bucket
        mine = modes[owner] == FIXED
        place = (starts[owner] + _HEADS + np.arange(owner.size) - np.searchsorted(owner, owner))[mine]
        pattern[place], width[place] = symbols[mine], levels.width
    data, n_bits = bitpack.pack(pattern, width.astype(np.uint8))
    return Messages(data, n_bits, 1, n_bits)


def unpack(
    reader: BitReader, d: int, bucket: int, levels: Levels, code: SparseCode
) -> tuple[NDArray[np.float32], _Ints, NDArray[np.uint8]]:
    """Norms, coordinates with all those off 0 among them, and their symbols; books the message. Raises WireError."""
    data, start, limit = reader.raw()
    at = start
    norms = np.zeros(-(-d // bucket), np.float32)
    coordinates, symbols = [np.zeros(0, np.int64)], [np.zeros(0, np.uint8)]
    for place in range(norms.size):
        mode = ELIAS if code == "elias" else RICE
        if code == "shortest":
            mode, at = _number(data, at, limit, MODE_BITS, "a mode")
            if mode == ZERO:
                continue
        pattern, at = _number(data, at, limit, 32, "a norm")
        if pattern >= 0x7F800000:
            raise WireError("a norm is negative or not finite")
        norms[place] = np.array([pattern], np.uint32).view(np.float32)[0]
        if pattern == 0:
            if code == "shortest":
                raise WireError("a bucket of norm 0 is not announced as one")
            continue
        size = min(bucket, d - place * bucket)
        if mode == FIXED:
            if at + size * levels.width > limit:
                raise WireError("the bits end early in a bucket")
            inside, found = np.arange(size), bitpack.unpack(data, at, levels.width, size).astype(np.uint8)
            at += size * levels.width
        else:
            parameter, at = _number(data, at, limit, PARAMETER_BITS, "a parameter") if mode == RICE else (-1, at)
            inside, found, at = _entries(data, at, limit, size, parameter, levels)
        coordinates.append(inside + place * bucket)
        symbols.append(found)
    reader.took(1, at - start)
    return norms, np.concatenate(coordinates), np.concatenate(symbols)


def _entries(
    data: NDArray[np.uint8], at: int, limit: int, size: int, parameter: int, levels: Levels
) -> tuple[_Ints, NDArray[np.uint8], int]:
    """Places off 0 in a bucket of `size`, their symbols, the bit behind; parameter: of Rice's code, -1 for Elias'."""
    count, lengths, status = prefix.decode_rows(data, at, limit, 1, 1, _COUNT)
    if status or not 1 <= int(count[0, 0]) <= size + 1:
        raise WireError(f"the bits do not tell how many of {size} coordinates are off 0")
    at += int(lengths[0])
    if parameter < 0:
        row = (prefix.Column(prefix.OMEGA), _SIGN, prefix.Column(prefix.OMEGA))
    else:
        row = (Rice(parameter).column, _SIGN, prefix.Column(prefix.GAMMA))
    rows, lengths, status = prefix.decode_rows(data, at, limit, int(count[0, 0]) - 1, 3, row)
    if status:
        raise WireError("the bits end early or hold no code word in a bucket")
    if parameter >= 0:
        rows[:, 0] += 1
    top = levels.magnitudes().size - levels.zero
    if rows.size and (int(rows[:, 0].max()) > size or int(rows[:, 0].sum()) > size or int(rows[:, 2].max()) > top):
        raise WireError(f"a coordinate is beyond {size} or a level beyond {top}")
    symbols = rows[:, 1] << (levels.width - 1) | rows[:, 2] - (not levels.zero)
    return np.cumsum(rows[:, 0]) - 1, symbols.astype(np.uint8), at + int(lengths.sum())


def _number(data: NDArray[np.uint8], at: int, limit: int, width: int, what: str) -> tuple[int, int]:
    """A number of `width` bits and the bit behind it."""
    if at + width > limit:
        raise WireError(f"the message ends within {what}")
    return int(bitpack.unpack(data, at, width, 1)[0]), at + width


def _omega(numbers: _Ints) -> _Word:
    """Code words of numbers (N,) from 1 to 2^32."""
    return _one_word(EliasOmega().encode(numbers[:, None]))


def _one_word(words: Words) -> _Word:
    return words.code[:, 0], words.width[:, 0].astype(np.uint64)
