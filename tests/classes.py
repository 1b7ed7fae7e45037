"""Exact distances of a law to a class, by dynamic programming over all functions of the class.

Oracles of the tests, nothing else: cubic time.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from distest.learning.task import Loss

Floats = NDArray[np.float64]


def distance_to_pieces(p: Floats, k: int, loss: Loss) -> float:
    """The l1 or l2 distance of p to the nearest function with at most k pieces."""
    n = p.size
    cost = np.full((n + 1, n + 1), np.inf)
    for a in range(n):
        for b in range(a + 1, n + 1):
            if loss == "l1":
                cost[a, b] = np.abs(p[a:b] - np.median(p[a:b])).sum()
            else:
                cost[a, b] = np.square(p[a:b] - p[a:b].mean()).sum()
    best = cost[0].copy()
    for _ in range(k - 1):
        best = np.minimum(best, (best[:, None] + cost).min(axis=0))
    return float(best[n]) if loss == "l1" else float(best[n]) ** 0.5


def distance_to_falling(p: Floats, loss: Loss) -> float:
    """The l1 or l2 distance of p to the nearest non-increasing function; in l1 its levels are values of p."""
    if loss == "l2":
        return float(np.square(isotonic_regression(p, increasing=False).x - p).sum() ** 0.5)
    levels = np.unique(p)[::-1]
    best = np.zeros(levels.size)  # best[v]: symbols so far, the last of them at levels[v]
    for x in p.tolist():
        best = np.minimum.accumulate(best) + np.abs(levels - x)
    return float(best.min())
