"""Mean bits of quantised buckets, exactly: coordinates are rounded independently, each to one of two levels.

Source: docs/bounds.md, section Q; the codes are those of `sgd/streams.py` and `sgd/sparse.py`.
"""

import numpy as np
from numpy.typing import NDArray

from distest.codecs.elias_omega import EliasOmega

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_NEGLIGIBLE = 1e-12  # probability of a run of zeros that is not followed further


def dense(low: _Ints, high: _Ints, up: _Floats) -> float:
    """Mean bits of coordinates that take level `high` with probability `up`, else `low`, in the code "dense"."""
    bits = omega(int(high.max(initial=0)) + 2)[1:] + 1.0
    bits[0] = 1
    return float((up * bits[high] + (1 - up) * bits[low]).sum())


def sparse(low: _Ints, high: _Ints, up: _Floats) -> float:
    """Mean bits of buckets (buckets, B) in the code "elias", norms not counted; levels numbered from 0 for 0."""
    bits = omega(int(high.max(initial=0)) + 1) + 1.0
    bits[0] = 0
    off = up * (high > 0) + (1 - up) * (low > 0)
    count = counts(off) @ omega(off.shape[1] + 2)[1:]
    return float((up * bits[high] + (1 - up) * bits[low]).sum() + count.sum() + gaps(off))


def gaps(off: _Floats) -> float:
    """Mean bits of all distances, for coordinates (buckets, B) that are off 0 with these probabilities.

    A distance g ends at j with probability off_j off_(j-g) times that of g - 1 zeros between them; in front of a bucket
    stands one that is off 0 for certain.
    """
    words, total = omega(off.shape[1] + 1), 0.0
    before = np.hstack([np.ones((len(off), 1)), off])
    zeros = np.ones_like(off)
    for g in range(1, words.size):
        ends = zeros[:, g - 1 :] * off[:, g - 1 :]
        total += float(words[g]) * float((ends * before[:, : ends.shape[1]]).sum())
        zeros[:, g - 1 :] *= 1 - before[:, : ends.shape[1]]
        if float(zeros[:, g:].max(initial=0)) < _NEGLIGIBLE:
            break
    return total


def counts(off: _Floats) -> _Floats:
    """The law of the number of coordinates off 0, (buckets, B + 1): a product of polynomials, two by two."""
    law = np.stack([1 - off, off], axis=-1)
    while law.shape[1] > 1:
        if law.shape[1] % 2:
            one = np.zeros_like(law[:, :1])
            one[:, :, 0] = 1
            law = np.concatenate([law, one], axis=1)
        size = 2 * law.shape[2] - 1
        waves = np.fft.rfft(law, size)
        law = np.fft.irfft(waves[:, ::2] * waves[:, 1::2], size)
    found: _Floats = law[:, 0, : off.shape[1] + 1]
    return found


def omega(n: int) -> _Ints:
    """Bits of the words of 0..n-1 in Elias' recursive code; 0 for 0, which has none."""
    lengths = np.zeros(max(n, 2), np.int64)
    lengths[1:] = EliasOmega().n_bits(np.arange(1, lengths.size))
    return lengths
