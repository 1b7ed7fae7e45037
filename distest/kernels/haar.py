"""Loops of the Haar wavelet protocol: coefficients of a server's samples, rounded; and sparse messages, added up.

The domain has 2^t symbols. Place v - 1 belongs to node v of the binary tree, node 1 at the root, children 2v and
2v + 1; a node at height j stands for 2^j symbols. D_v is the number of a server's samples in the left half of its
symbols less the number in the right half. It is rounded to a whole multiple of steps[j] / 2^shifts[j]: up in size
where a uniform integer below steps[j] is under the remainder, so the multiple has mean D_v 2^shifts[j] / steps[j].
Integers throughout.

A message is: 1 + the number of non-zero multiples in Elias gamma; for each, in the order of places, the number of
places skipped in Golomb's code, the size of the multiple in Elias gamma, and one bit, 1 for a negative one. Golomb's
parameter follows from the number of non-zeros.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels import prefix
from distest.kernels._lazy import jitted, worth_compiling

Ints = NDArray[np.int64]
SPAN = 19  # a gap in Golomb's code has at most 2^19 + 1 ones


def words_needed(s: int, t: int) -> int:
    """Words of coins a server of s samples uses at most: one a node that its samples can reach."""
    return sum(min(s, 1 << (t - j)) for j in range(1, t + 1))


def golomb_parameter(places: int, non_zeros: Ints) -> Ints:
    """M of a message: near ln 2 times the mean gap, and large enough that no gap is long in ones."""
    return np.maximum(69 * places // (100 * (non_zeros + 1)), max(1, places >> SPAN))


def rounded(samples: NDArray[np.int32], t: int, steps: Ints, shifts: Ints, words: NDArray[np.uint64]) -> list[Ints]:
    """The non-zero multiples of every server: [how many each has (m,), their places (N,), the multiples (N,)].

    samples: int32 (m, s), every row sorted, 0..2^t - 1. steps in 1..2^30 and shifts at heights 1..t, int64 (t,), with
    s 2^shift below 2^62. words: (m, words_needed(s, t)).
    """
    m, s = samples.shape
    if worth_compiling(4 * t * samples.size):
        counts = np.empty(m, np.int64)
        places, values = np.empty(words.size, np.int64), np.empty(words.size, np.int64)
        total = jitted("haar").rounded(np.ascontiguousarray(samples), t, steps, shifts, words, counts, places, values)
        return [counts, places[:total], values[:total]]
    owners, places_, values_, at = [], [], [], 0
    for j in range(t, 0, -1):
        node = samples >> j
        new = np.ones((m, s), bool)
        new[:, 1:] = node[:, 1:] != node[:, :-1]
        first = np.flatnonzero(new)
        owner, rank = first // s, (np.cumsum(new, axis=1) - 1).ravel()[first]
        excess = np.add.reduceat((1 - 2 * (samples >> (j - 1) & 1)).ravel().astype(np.int64), first)
        step = int(steps[j - 1])
        size, rest = np.divmod(np.abs(excess) << int(shifts[j - 1]), step)
        uniform = (words[owner, at + rank] >> np.uint64(32)) * np.uint64(step) >> np.uint64(32)
        size += uniform.astype(np.int64) < rest
        at += min(s, 1 << (t - j))
        some = size > 0
        owners.append(owner[some])
        places_.append(node.ravel()[first][some].astype(np.int64) + ((1 << (t - j)) - 1))
        values_.append((np.sign(excess) * size)[some])
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return [np.bincount(owner, minlength=m), np.concatenate(places_)[order], np.concatenate(values_)[order]]


def add_up(data: NDArray[np.uint8], at: int, limit: int, m: int, places: int, most: int) -> tuple[Ints, Ints, int, int]:
    """The sum of the multiples at each place over m messages from bit `at` on, bits from `limit` on unseen.

    Returns the sums int64 (places,), the bits of each message int64 (m,), a status: 0, or prefix.ENDED, or
    prefix.INVALID where the bits are no message, a place is outside or a multiple larger than `most`; and how many of
    the bits are multiples, sizes and signs.
    """
    sums = np.zeros(places, np.int64)
    if m > limit - at:
        return sums, np.empty(0, np.int64), prefix.ENDED, 0
    lengths = np.empty(m, np.int64)
    if worth_compiling(4 * (limit - at)):
        status, own = jitted("haar").add_up(data, at, limit, places, most, sums, lengths)
        return sums, lengths, int(status), int(own)
    own = 0
    for i in range(m):
        start = at
        head, bits, status = prefix.decode_rows(data, at, limit, 1, 1, (prefix.Column(prefix.GAMMA),))
        if status:
            return sums, lengths, status, own
        count, at = int(head[0, 0]) - 1, at + int(bits[0])
        if count > places:
            return sums, lengths, prefix.INVALID, own
        if count:
            parameter = int(golomb_parameter(places, np.array([count]))[0])
            short, cutoff = prefix.phase_in(parameter)
            gap = prefix.Column(prefix.GOLOMB, short, cutoff, parameter, shortest=1 + short)
            row = (gap, prefix.Column(prefix.GAMMA), prefix.Column(prefix.FIXED, 1, 2))
            items, bits, status = prefix.decode_rows(data, at, limit, count, 3, row)
            if status:
                return sums, lengths, status, own
            at += int(bits.sum())
            if int(items[:, 0].max()) >= places or int(items[:, 1].max()) > most:
                return sums, lengths, prefix.INVALID, own
            place = np.cumsum(items[:, 0] + 1) - 1
            if int(place[-1]) >= places:
                return sums, lengths, prefix.INVALID, own
            own += sum(2 * size.bit_length() for size in items[:, 1].tolist())  # a gamma word and a sign
            sums[place] += items[:, 1] * (1 - 2 * items[:, 2])
        lengths[i] = at - start
    return sums, lengths, 0, own
