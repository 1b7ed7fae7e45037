"""One bit about a count N ~ Bin(s, q): its chance, what it tells of q, and the variance that follows to first order.

Angles are a = asin(sqrt q) in [0, pi/2]: on that scale every N tells about as much, 4s. A question is a row of bits,
bits[N] for N = 0..s, uint8 0 or 1.

Source: docs/bounds.md, section T.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bits = NDArray[np.uint8]
_CELLS = 1 << 20  # probabilities in memory at a time


def chances(bits: Bits, angles: Floats) -> tuple[Floats, Floats]:
    """Return P(bit = 1) and P(bit = 0) for every question and angle, float64 (groups, angles) each.

    bits: (groups, s + 1). Binomial sums over a window that leaves out less than 1e-13.
    """
    both = np.zeros((2, len(bits), angles.size))
    for where, first, weights in _windows(bits.shape[1] - 1, angles):
        rows = _rows(bits, first, weights.shape[1])
        both[:, :, where] = (rows @ weights.T).reshape(2, len(bits), where.size)
    return both[0], both[1]


def leanings(bits: Bits, angles: Floats) -> Floats:
    """Return E[bit (N - s q)], which is q (1-q) times the slope of P(bit = 1), float64 (groups, angles).

    It is taken from the rarer answer, as E[bit (N - s q)] = -E[(1 - bit) (N - s q)]: nothing cancels.
    """
    ones, zeros = chances(bits, angles)
    both = np.zeros((2, len(bits), angles.size))
    s = bits.shape[1] - 1
    for where, first, weights in _windows(s, angles):
        away = first + np.arange(weights.shape[1]) - s * np.sin(angles[where])[:, None] ** 2
        rows = _rows(bits, first, weights.shape[1])
        both[:, :, where] = (rows @ (weights * away).T).reshape(2, len(bits), where.size)
    return np.asarray(np.where(ones < zeros, both[0], -both[1]), np.float64)


def _rows(bits: Bits, first: int, width: int) -> Floats:
    """The answers to counts from `first` on, and below them their complements, float64 (2 groups, width)."""
    here = bits[:, first : first + width]
    return np.asarray(np.concatenate((here, 1 - here)), np.float64)


def below(s: int, thresholds: Ints, angles: Floats) -> tuple[Floats, Floats, Floats]:
    """Return `chances` and `leanings` of the question "N <= thresholds[i]" at angles[i], float64 (angles,) each."""
    ones, zeros, lean = np.zeros(angles.size), np.zeros(angles.size), np.zeros(angles.size)
    for where, first, weights in _windows(s, angles):
        counts = first + np.arange(weights.shape[1])
        low = counts <= thresholds[where][:, None]
        ones[where] = np.where(low, weights, 0).sum(axis=1)
        zeros[where] = np.where(low, 0, weights).sum(axis=1)
        away = weights * (counts - s * np.sin(angles[where])[:, None] ** 2)
        yes, no = np.where(low, away, 0).sum(axis=1), np.where(low, 0, away).sum(axis=1)
        lean[where] = np.where(ones[where] < zeros[where], yes, -no)
    return ones, zeros, lean


def medians(s: int, angles: Floats) -> Ints:
    """Return the medians of Bin(s, sin^2 a), int64 (angles,): the smallest N with P(<= N) >= 1/2.

    A chance within 1e-9 of 1/2 counts as 1/2, so that rounding decides nothing.
    """
    out = np.zeros(angles.size, np.int64)
    for where, first, weights in _windows(s, angles):
        out[where] = first + np.count_nonzero(np.cumsum(weights, axis=1) < 0.5 - 1e-9, axis=1)
    return out


def reports_variance(
    bits: Bits, often: Ints, q: Floats, thresholds: Ints | None = None, tries: Ints | None = None
) -> Floats:
    """Return 1/I_x, float64 (n,): the variance, to first order, of what reports say of the chances q_x.

    often: how often each question was asked about x, (n, groups), bits its answers as in `chances`. thresholds,
    tries: tries[x] more reports say whether N <= thresholds[x]. I_x is the sum over reports of F'^2/(F (1-F)), with
    F' = E[bit (N - s q)]/(q (1-q)). The variance is 0 at q = 0 and q = 1, where the estimate has no error, and
    infinite where the bits tell nothing.
    """
    angles = np.arcsin(np.sqrt(q))
    told = (often.T * _told(*chances(bits, angles), leanings(bits, angles))).sum(axis=0)
    if thresholds is not None and tries is not None:
        told += tries * _told(*below(bits.shape[1] - 1, thresholds, angles))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(q * (1 - q) > 0, (q * (1 - q)) ** 2 / told, 0.0)


def _told(ones: Floats, zeros: Floats, moments: Floats) -> Floats:
    """(q (1-q))^2 times the Fisher information of one report."""
    spread = ones * zeros
    return np.divide(moments**2, spread, out=np.zeros_like(spread), where=spread > 0)


def _windows(s: int, angles: Floats) -> Iterator[tuple[Ints, int, Floats]]:
    """Yield (places, first, weights): weights[i, k] = P(Bin(s, q) = first + k) at angle places[i].

    Angles are taken in groups of about the same mean. The ratios of neighbouring probabilities are multiplied up from
    the low end of the window and divided by their sum, for q <= 1/2; the other half is its mirror image.
    """
    order = np.argsort(angles, kind="stable")
    upper = angles[order] > math.pi / 4
    group = 2 * np.floor(2 * math.sqrt(s) * angles[order]).astype(np.int64) + upper
    for part in np.split(order, np.flatnonzero(np.diff(group)) + 1):
        if not part.size:
            continue
        mirrored = bool(angles[part[0]] > math.pi / 4)
        small = math.pi / 2 - angles[part] if mirrored else angles[part]
        means = s * np.sin(small) ** 2
        reach = 8 * math.sqrt(float(means.max())) + 30
        first = max(0, math.floor(float(means.min()) - reach))
        last = min(s, math.ceil(float(means.max()) + reach))
        counts = np.arange(first, last)
        ratios = (s - counts) / (counts + 1)
        rows = max(1, _CELLS // (last - first + 1))
        for start in range(0, part.size, rows):
            odds = np.tan(small[start : start + rows]) ** 2
            weights = np.ones((odds.size, last - first + 1))
            np.cumprod(ratios * odds[:, None], axis=1, out=weights[:, 1:])
            weights /= weights.sum(axis=1, keepdims=True)
            where = part[start : start + rows]
            yield (where, s - last, weights[:, ::-1]) if mirrored else (where, first, weights)
