"""The largest risks over all p of a class: what a protocol promises before anything is known about p.

n symbols, m servers, b bits each, K = 2^b, N samples in all; squared l2 unless a name says l1. A function that ends in
`_at_most` is an upper bound, the others are attained. Source: docs/bounds.md, section W.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import risks

Floats = NDArray[np.float64]


def l1_at_most(n: int, l2_squared: float) -> float:
    """Return sqrt(n r), an upper bound on the l1 error of anything whose squared l2 risk is r (Cauchy, Schwarz)."""
    return math.sqrt(n * l2_squared)


def weighted_quadratic(weights: Floats) -> tuple[float, Floats]:
    """Return the maximum of sum_x w_x p_x (1-p_x) over pmfs p, and where it is attained; all w_x > 0, at least 2.

    p_x = (1 - mu/w_x)/2 on the largest weights, as many as leave no p_x negative (W1).
    """
    order = np.argsort(-weights, kind="stable")
    inverse = 1.0 / weights[order]
    used = np.arange(1, weights.size + 1)
    mu = (used - 2) / np.cumsum(inverse)
    last = int(np.flatnonzero((mu * inverse <= 1.0) & (used >= 2)).max())
    pmf = np.zeros(weights.size)
    pmf[order[: last + 1]] = 0.5 * (1.0 - mu[last] * inverse[: last + 1])
    return float((weights * pmf * (1.0 - pmf)).sum()), pmf


def empirical_l2(n: int, n_samples: int) -> float:
    """Return (1 - 1/n)/N, the risk of the empirical pmf at uniform p."""
    return risks.empirical_l2(_uniform(n), n_samples)


def grouping_l2(n: int, m: int, b: int) -> tuple[float, Floats]:
    """Return the worst risk of grouping and the p that has it: (n-1)/(m (K-1)) at uniform if n divides m (K-1)."""
    return weighted_quadratic(1.0 / risks.grouping_counts(n, m, b))


def grouping_shift_l2(n: int, m: int, b: int) -> tuple[float, bool]:
    """Return the risk of grouping with the shift at uniform p, its worst if n divides m (K-1), and True.

    For other m that of grouping alone, an upper bound, and False.
    """
    if m * ((1 << b) - 1) % n == 0:
        return risks.grouping_shift_l2(_uniform(n), m, b), True
    return grouping_l2(n, m, b)[0], False


def linear_hash_l2(n: int, m: int, b: int) -> float:
    """Return the worst risk of random full-rank linear hashes, that of uniform p."""
    return risks.linear_hash_l2(_uniform(n), m, b)


def cycle_l2(n: int, m: int, b: int) -> tuple[float, bool]:
    """Return the risk of the design cycle at uniform p, its worst where `risks.cycle_l2` is exact, and True.

    Otherwise its upper bound there, from the whole cycles, and False. m holds at least one cycle.
    """
    length = risks.cycle_length(n, b)
    if m % length == 0 and (b == 1 or ((n - 1).bit_length() % b == 0 and n & (n - 1) == 0)):
        return risks.cycle_l2(_uniform(n), m, b), True
    return risks.cycle_l2_at_most(_uniform(n), m // length * length, b), False


def recursive_hadamard_l2(n: int, m: int, b: int) -> tuple[float, bool]:
    """Return the worst risk of recursive Hadamard response, B0 (1 - 1/n)/m if n = 2^t and B0 divides m, and True.

    For other n and m (1 - 1/n)/floor(m/B0), an upper bound, and False.
    """
    t = (n - 1).bit_length()
    length = 1 << (t - b + 1)
    return (1.0 - 1.0 / n) / (m // length), n == 1 << t and m % length == 0


def simulation_l2(n: int, m: int, b: int, split: bool) -> tuple[float, bool]:
    """Return the worst risk of simulate-and-infer: 1 - 1/n, at a point mass, which no batch ever outputs, and True.

    With the coin an upper bound, and False: a batch then succeeds with chance 1/4 at least.
    """
    if not split:
        return 1.0 - 1.0 / n, True
    batches = m // (2 * -(-2 * n // ((1 << b) - 1)))
    mean = 4.0 / (batches + 1.0) + 48.0 / ((batches + 1.0) * (batches + 2.0))
    return (1.0 - 1.0 / n) * (min(1.0, mean) + 0.75**batches), False


def sparse_hash_l2_at_most(n: int, m: int, b: int, support: int) -> float:
    """Return the bound of the sparse projection at its largest, at p uniform on `support` symbols."""
    pmf = np.zeros(n)
    pmf[:support] = 1.0 / support
    return risks.sparse_hash_l2_at_most(pmf, m, b, support)


def _uniform(n: int) -> Floats:
    return np.full(n, 1.0 / n)
