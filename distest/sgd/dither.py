"""Dither: the law of a Gaussian's multiples of a step under a known dither, as tables for rANS; steps for given bits.

For z standard Gaussian and the dither u the multiple k = floor(z / step + u + 1/2) has probability Phi((k + 1/2 - u)
step) - Phi((k - 1/2 - u) step). It depends on u, so the reader of u has 16 tables, one for each sixteenth of u's range,
each with the mean of that law over 8 points: this is what makes the bits the mutual information of z and z + uniform.

Tables are part of the wire: they are made with sums, products and quotients alone, which are the same on every machine.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from distest.kernels import dither, rans

Floats = NDArray[np.float64]

UNIT = 1024  # steps are multiples of 1 / UNIT
STEPS = (1 / 32, 16.0)  # the least and the largest step
_POINTS = 8  # dithers a table is the mean of
_BEYOND = 3.5  # multiples further out are sent one by one: one number in 2,000


def most(step: float) -> int:
    """The largest multiple that has a symbol of its own, 1 to 113."""
    return int(_BEYOND / step) + 1


def masses(step: float) -> Floats:
    """Probabilities float64 (16, 2 most + 2): of k = -most .. most, and of all others together."""
    top = most(step)
    cells = dither.CONTEXTS * _POINTS
    u = (np.arange(cells) + 0.5) / cells - 0.5
    below = normal_cdf((np.arange(-top, top + 2) - 0.5 - u[:, None]) * step)
    inside = np.diff(below, axis=1).reshape(dither.CONTEXTS, _POINTS, -1)
    mean = np.maximum(np.add.reduce(inside, axis=1) / _POINTS, 0)
    rest = np.maximum(1 - np.add.reduce(mean, axis=1), 0)
    return np.concatenate((mean, rest[:, None]), axis=1)


@lru_cache(maxsize=16)
def model(step: float) -> rans.Model:
    """The sixteen tables; every symbol has a frequency of at least 1 in each."""
    counts = 1 + np.floor(masses(step) * 2.0**40).astype(np.int64)
    return rans.model(np.stack([rans.frequencies(row) for row in counts]))


def bits_of(step: float) -> float:
    """Bits a coordinate takes under the law of the tables, were their frequencies not rounded."""
    p = masses(step)
    return -float((p * np.log2(np.maximum(p, 1e-300))).sum()) / dither.CONTEXTS


@lru_cache(maxsize=64)
def step_for(bits: float) -> float:
    """The least multiple of 1 / 1024 that takes at most so many bits; for bits between those of the STEPS."""
    low, high = (int(step * UNIT) for step in STEPS)
    while low < high:
        middle = (low + high) // 2
        if bits_of(middle / UNIT) <= bits:
            high = middle
        else:
            low = middle + 1
    return low / UNIT


def normal_cdf(x: Floats) -> Floats:
    """Phi(x) within 1e-13, from sums and products alone; 0 below -8, 1 above 8."""
    t = np.clip(x, -8.0, 8.0)
    square = t * t
    exponent = square * (-0.5 / 1024)  # from -1/32 to 0: eight terms are exact, then ten squarings
    e = np.ones_like(t)
    for power in range(8, 0, -1):
        e = 1 + e * exponent / power
    for _ in range(10):
        e = e * e
    term, series = t.copy(), t.copy()
    for j in range(3, 301, 2):  # x^j / (1 3 5 ... j), all of one sign
        term = term * square / j
        series = series + term
    value = 0.5 + e * series * 0.3989422804014327
    return np.where(x < -8, 0.0, np.where(x > 8, 1.0, np.clip(value, 0.0, 1.0)))
