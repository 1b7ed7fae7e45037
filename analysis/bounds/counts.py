"""Bits of counts: what the samples of a server cost without their order, on average."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def binomial_bits(p: Floats, s: int) -> float:
    """Return E log2(n^s prod N_x!/s!) for the counts N_x of s samples of p (n,): the ideal length of counts that are
    coded as if p were uniform, n log2 of a chance (P5). At uniform p it is the entropy of the counts.

    Takes s steps for each different p_x.
    """
    pmf = np.asarray(p, np.float64)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, s + 1.0)))])  # ln k!
    hits = np.arange(s + 1.0)
    total = 0.0
    for q, symbols in zip(*np.unique(pmf, return_counts=True), strict=True):
        if 0.0 < q < 1.0:
            chances = np.exp(logs[s] - logs - logs[::-1] + hits * math.log(q) + (s - hits) * math.log1p(-q))
            total += int(symbols) * float(chances @ logs)
        elif q == 1.0:
            total += float(logs[s])
    return (s * math.log(pmf.size) - float(logs[s]) + total) / math.log(2.0)


def multiset_bits(n: int, s: int) -> float:
    """Return log2 C(n+s-1, s), the ideal length of a multiset of s of n symbols, all of them alike (P5)."""
    return (math.lgamma(n + s) - math.lgamma(s + 1.0) - math.lgamma(n)) / math.log(2.0)
