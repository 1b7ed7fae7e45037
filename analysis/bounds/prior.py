"""The priors under which the lower bounds hold, and draws from them.

Every bound of 6.1-6.3 is an average over one of two priors. A measured protocol may be divided by the
bound only if p was drawn from the same prior, so the draws live beside the bounds. A draw is a
deterministic function of uniform numbers u in (0, 1): the caller owns the randomness.
Source: docs/bounds.md, Propositions 6.2, 6.3 and section 6.8.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def haar_directions(n_sub: int, a: int) -> int:
    """Return d = n' - n'/2^a, the number of Haar directions in blocks of 2^a of n' symbols."""
    if not 1 <= a < n_sub.bit_length() or n_sub % (1 << a):
        raise ValueError(f"Haar blocks of 2^{a} symbols do not tile n_sub={n_sub}")
    return n_sub - (n_sub >> a)


def haar_peak(a: int) -> float:
    """Return h_a = sum of 2^(-j/2) for j = 1..a: the largest coordinate of a sum of unit Haar vectors."""
    return float(sum(2.0 ** (-j / 2) for j in range(1, a + 1)))


def haar_half_width(n_sub: int, a: int, D: float) -> float:
    """Return w = D / (n' h_a), the half-width of each cos^2 density, so that |p_x - 1/n'| <= D/n'."""
    return D / (n_sub * haar_peak(a))


def half_widths() -> NDArray[np.float64]:
    """Return the grid of relative box sizes D searched by the bounds; any grid gives valid bounds."""
    return np.round(np.concatenate([np.geomspace(1e-3, 9e-3, 20), np.arange(0.01, 0.9901, 0.005)]), 6)


def haar_sub_domains(n: int) -> list[int]:
    """Return the sub-domain sizes n' <= n tried for the Haar prior.

    All powers of two, and n rounded down to a multiple of each power of two (equal to n when n is one).
    """
    powers = [2**j for j in range(1, n.bit_length()) if 2**j <= n]
    return sorted({*powers, *(n - n % power for power in powers)})


def pair_sub_domains(n: int) -> list[int]:
    """Return the even sub-domain sizes n' <= n tried for the pair prior: all up to 32, then 8 % apart."""
    sizes = set(range(2, min(n, 32) + 1, 2))
    size = 32.0
    while size < n:
        sizes.add(2 * int(size / 2))
        size *= 1.08
    sizes |= {2**j for j in range(1, n.bit_length()) if 2**j <= n}
    return sorted(sizes | {n - n % 2})


def cos2_quantile(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return y in [-1, 1] with 1/2 + y/2 + sin(pi y)/(2 pi) = u, the inverse cdf of cos^2(pi y / 2).

    Found by halving the interval 52 times, so the answer is exact to about 1e-15 everywhere, also at
    the ends where the density vanishes and Newton's method is slow.
    """
    low = np.full(u.shape, -1.0)
    high = np.full(u.shape, 1.0)
    for _ in range(52):
        middle = 0.5 * (low + high)
        below = 0.5 + 0.5 * middle + np.sin(math.pi * middle) / (2.0 * math.pi) < u
        low = np.where(below, middle, low)
        high = np.where(below, high, middle)
    return np.asarray(0.5 * (low + high), dtype=np.float64)


def draw_cos2_haar(u: NDArray[np.float64], n: int, n_sub: int, a: int, D: float) -> NDArray[np.float64]:
    """Turn uniform numbers into pmfs of the cos^2 Haar prior of Propositions 6.1 and 6.2.

    u: (..., d) float64 in (0, 1), d = n_sub - n_sub/2^a; returns pmf (..., n) float64, zero from symbol
    n_sub on. Coordinates come level by level, the finest (pairs) first, and from left to right within a
    level; the vector of level j is +2^(-j/2) on 2^(j-1) symbols and -2^(-j/2) on the next 2^(j-1).
    Every mass lies in [(1-D)/n_sub, (1+D)/n_sub].
    """
    directions = haar_directions(n_sub, a)
    _check_draw(u, directions, n, n_sub, D)
    theta = haar_half_width(n_sub, a, D) * cos2_quantile(u)
    pmf = np.zeros((*u.shape[:-1], n))
    inside = np.full((*u.shape[:-1], n_sub), 1.0 / n_sub)
    first = 0
    for level in range(1, a + 1):
        count, half = n_sub >> level, 1 << (level - 1)
        scaled = 2.0 ** (-level / 2) * theta[..., first : first + count]
        signed = np.stack([scaled, -scaled], axis=-1).reshape(*u.shape[:-1], 2 * count)
        inside += np.repeat(signed, half, axis=-1)
        first += count
    pmf[..., :n_sub] = inside
    return pmf


def draw_pairs(u: NDArray[np.float64], n: int, n_sub: int, D: float) -> NDArray[np.float64]:
    """Turn uniform numbers into pmfs of the pair prior of Proposition 6.3.

    u: (..., n_sub/2) float64 in (0, 1); returns pmf (..., n) float64, zero from symbol n_sub on. With
    theta = D (2u - 1), symbols 2j and 2j+1 get the masses (1 + theta_j)/n_sub and (1 - theta_j)/n_sub.
    """
    if n_sub % 2:
        raise ValueError(f"the pair prior needs an even sub-domain, got n_sub={n_sub}")
    _check_draw(u, n_sub // 2, n, n_sub, D)
    theta = D * (2.0 * u - 1.0)
    pmf = np.zeros((*u.shape[:-1], n))
    pmf[..., 0:n_sub:2] = (1.0 + theta) / n_sub
    pmf[..., 1:n_sub:2] = (1.0 - theta) / n_sub
    return pmf


def _check_draw(u: NDArray[np.float64], directions: int, n: int, n_sub: int, D: float) -> None:
    if not 2 <= n_sub <= n:
        raise ValueError(f"the sub-domain must have 2 to n={n} symbols, got n_sub={n_sub}")
    if not 0.0 < D < 1.0:
        raise ValueError(f"the box size must lie in (0, 1), got D={D}")
    if u.shape[-1:] != (directions,):
        raise ValueError(f"this prior has {directions} directions, got u of shape {u.shape}")
    if not bool(np.all((u > 0.0) & (u < 1.0))):
        raise ValueError("the prior is drawn from uniform numbers strictly between 0 and 1")
