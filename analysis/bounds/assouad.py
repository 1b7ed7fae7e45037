"""l1 error from two values per pair: an exact error probability, without calculus (Proposition 6.3b).

Weak for many bits (it has no log n), but strong where the error is large, and quick to check by hand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.bounds.bound import Bound, Unit, check_sizes
from analysis.bounds.prior import half_widths

Floats = NDArray[np.float64]

_SOURCE = "docs/bounds.md, section 6.3b"
_RATIO = (
    "yes, if error and bits are both averaged over this prior (theta_j = +D or -D with equal chance on n_sub "
    "symbols), or both are the supremum over p; allow for the Monte Carlo error"
)


def binary_entropy(q: ArrayLike) -> Floats:
    """Return h(q) = -q log2 q - (1-q) log2(1-q) for q in [0, 1], in bits."""
    chance = np.asarray(q, dtype=np.float64)
    other = 1.0 - chance
    logs = chance * np.log2(np.where(chance > 0, chance, 1.0)) + other * np.log2(np.where(other > 0, other, 1.0))
    return np.asarray(-logs, dtype=np.float64)


def inverse_entropy(y: ArrayLike) -> Floats:
    """Return the largest q found in [0, 1/2] with h(q) <= y: 0 for y <= 0, and never above the true inverse."""
    bits = np.asarray(y, dtype=np.float64)
    low, high = np.zeros(bits.shape), np.full(bits.shape, 0.5)
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = binary_entropy(middle) <= bits - 1e-14  # pays for the rounding of h
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


def assouad_l1(n: int, m: int, s: int = 1, bits_total: float | None = None) -> Bound:
    """Return the l1 error that is provable for m s samples and, for simultaneous messages, B total bits.

    2D h^-1(1 - (2/n') min(D^2 B, m s (1 - h((1+D)/2)))), n' = n or n - 1 (even), maximised over D <= 1. The
    second term holds in every model; the first needs s = 1 and simultaneous messages.

    Source: docs/bounds.md, Proposition 6.3b.
    """
    check_sizes(n, m, s)
    if bits_total is not None and (bits_total < 0 or s != 1):
        raise ValueError(f"total bits are at least 0 and bound only s = 1, got {bits_total} bits and s={s}")
    n_sub = n - n % 2
    D = np.append(half_widths(), 1.0)
    learned = m * s * (1.0 - binary_entropy(0.5 * (1.0 + D)))
    if bits_total is not None:
        learned = np.minimum(learned, D**2 * bits_total)
    errors = 2.0 * D * inverse_entropy(1.0 - 2.0 * learned / n_sub)
    best = int(np.argmax(errors))
    constants = {"n_sub": float(n_sub), "D": float(D[best]), "information": float(learned[best])}
    return _bound(float(errors[best]), "l1", constants, bits_total is not None)


def assouad_bits_l1(n: int, error: float) -> Bound:
    """Return the bits that simultaneous messages about one sample each provably need for l1 error eps.

    (n'/2) (1 - h(eps/(2D))) / D^2, maximised over D in (eps, 1]; 0 from eps = 1 on.

    Source: docs/bounds.md, Proposition 6.3b.
    """
    check_sizes(n)
    if not error > 0:
        raise ValueError(f"an error is positive, got {error}")
    n_sub = n - n % 2
    D = np.minimum(1.0, error * np.geomspace(1.0, 16.0, 1000))
    share = np.minimum(0.5, 0.5 * error / D)
    bits = 0.5 * n_sub * np.maximum(0.0, 1.0 - binary_entropy(share)) / D**2
    best = int(np.argmax(bits))
    constants = {"n_sub": float(n_sub), "D": float(D[best]), "error": float(error)}
    return _bound(float(bits[best]), "bits", constants, True)


def _bound(value: float, unit: Unit, constants: dict[str, float], uses_bits: bool) -> Bound:
    error = "2D h^-1(1 - (2/n') min(D^2 B, m s (1 - h((1+D)/2))))"
    data = "2D h^-1(1 - (2/n') m s (1 - h((1+D)/2)))"
    return Bound(
        name="6.3b two values per pair, " + ("simultaneous bits, l1" if uses_bits else "all data, l1"),
        problem="all p on n symbols, loss E||ph - p||_1" + (", one sample per server" if uses_bits else ""),
        model="SMP" if uses_bits else "any (all samples at one place)",
        sense="bayesian",
        regime="theta_j = +D or -D, equal chances, on n_sub symbols"
        + ("; simultaneous messages, bits averaged over the prior, private and public coins" if uses_bits else ""),
        kind="lower",
        formula="(n'/2) (1 - h(eps/(2D))) / D^2" if unit == "bits" else (error if uses_bits else data),
        constants=constants,
        source=_SOURCE,
        value=value,
        unit=unit,
        ratio_ok=_RATIO,
    )
