"""Projection to the simplex: never increases the l2 error to a distribution."""

import numpy as np

from distest.learning.norms import Pmf


def project(estimate: Pmf) -> Pmf:
    """The nearest distribution in l2, float64 (n,).

    Source: Held, Wolfe, Crowder, "Validation of subgradient optimization" (1974).
    """
    falling = np.sort(estimate)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, falling.size + 1)
    kept = np.count_nonzero(falling > excess)
    projected: Pmf = np.maximum(estimate - excess[kept - 1], 0)
    return projected
