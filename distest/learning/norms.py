"""Distances between distributions, and the shape of a pmf."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError

Pmf: TypeAlias = NDArray[np.float64]


def l1(p: Pmf, q: Pmf) -> float:
    """sum |p_x - q_x|, twice the total variation distance."""
    return float(np.abs(p - q).sum())


def l2_squared(p: Pmf, q: Pmf) -> float:
    """sum (p_x - q_x)^2."""
    return float(np.square(p - q).sum())


def checked_pmf(p: Pmf, what: str) -> Pmf:
    """p as float64 (n,), read-only, once it is non-negative and sums to 1 within 1e-9. Raises UsageError."""
    p = np.array(p, np.float64)
    if p.ndim != 1 or p.size < 2 or not np.isfinite(p).all() or (p < 0).any() or abs(p.sum() - 1) > 1e-9:
        raise UsageError(f"{what} is not a distribution on at least 2 symbols: it sums to {float(np.sum(p))}")
    p /= p.sum()
    p.flags.writeable = False
    return p
