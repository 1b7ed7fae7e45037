"""How much squared distance one unit of divergence can buy: kappa, kappa2 and the local constant C_n.

With phi(t) = t ln t - t + 1 and the posterior r of a sample under p, D(r||p) = sum p phi(r/p) nats, while
the Fisher information of a message is a sum of (r/p - 1)^2. These constants compare the two.
Source: docs/bounds.md, Lemmas 6.0c-6.0e.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

_CLOSED_FORM_FROM = 33.0
_SAFETY = 1.0001


def phi(t: ArrayLike) -> NDArray[np.float64]:
    """Return t ln t - t + 1 for t >= 0, with phi(0) = 1."""
    values = np.asarray(t, dtype=np.float64)
    return values * np.log(np.where(values > 0, values, 1.0)) - values + 1.0


def kappa(m_ratio: ArrayLike) -> NDArray[np.float64]:
    """Return the supremum of (t - 1)^2 / phi(t) over 0 <= t <= M, which is its value at M > 1."""
    top = np.asarray(m_ratio, dtype=np.float64)
    return np.asarray((top - 1.0) ** 2 / phi(top), dtype=np.float64)


def kappa2(m_ratio: ArrayLike) -> NDArray[np.float64]:
    """Bound the supremum of (u - v)^2 / (phi(u) + phi(v)) over 0 <= u, v <= M from above, within 2e-4.

    M >= 2, as n'/(1 - D) always is.
    For M >= 33: 1.0001 M^2 / (M ln M - M + 2), proved. Below: 1.0001 max(4, the maximum over v on a
    logarithmic grid at u = M); that the maximum has u = M is proved for M >= 8 and checked by a
    two-dimensional grid below. The factor 1.0001 pays for the grid and for v = e^2/M^2 instead of 0.

    Source: docs/bounds.md, Lemma 6.0d.
    """
    top = np.atleast_1d(np.asarray(m_ratio, dtype=np.float64))
    if bool(np.any(top < 2.0)):
        raise ValueError("kappa2 needs ratios M >= 2")
    result = top**2 / (top * np.log(top) - top + 2.0)
    small = top < _CLOSED_FORM_FROM
    if bool(small.any()):
        v = np.exp(np.linspace(-14.0, 0.0, 1401))
        ends = top[small][:, None]
        on_grid = ((ends - v) ** 2 / (phi(ends) + phi(v))).max(axis=1)
        result[small] = np.maximum(4.0, on_grid)
    return np.asarray((_SAFETY * result).reshape(np.shape(m_ratio)), dtype=np.float64)


def local_constant(n: int) -> float:
    """Return C_n = n (n-2) / ((n-1) ln(n-1)), the supremum of (n sum r^2 - 1) / D(r||uniform).

    The extremal posterior has one symbol of mass 1 - 1/n. n >= 3.

    Source: docs/bounds.md, Lemma 6.0e.
    """
    if n < 3:
        raise ValueError(f"C_n is stated for n >= 3, got n={n}")
    return n * (n - 2) / ((n - 1) * math.log(n - 1))
