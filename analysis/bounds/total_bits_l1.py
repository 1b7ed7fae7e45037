"""l1 error when the expected length of the whole transcript is B bits (Proposition 6.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.bounds.bound import BAYES_RATIO, GRIDS, Bound, check_sizes
from analysis.bounds.divergence import kappa2
from analysis.bounds.prior import half_widths, pair_sub_domains

Floats = NDArray[np.float64]

_PROBLEM = "all p on n symbols, loss E||ph - p||_1"
_SOURCE = "docs/bounds.md, section 6.3"
_REGIME = (
    "uniform pair prior on n_sub symbols (theta in [-D, D]); bits averaged over it; any interaction, "
    "private and public coins; a cap on bits per server is hard"
)
_NODES = 24
LIMIT_CONSTANT = math.sqrt(2.0) - (4.0 / 3.0) * (1.0 - 2.0**-1.5)
"""The limit of sqrt(A) G(A, D) as D sqrt(A) grows, 0.55228."""


def G(A: ArrayLike, D: ArrayLike, overlap: bool = True) -> Floats:
    """Return the lower bound on the mean absolute error of theta, uniform on [-D, D], at mean information A.

    G = 1/2 integral over h in [0, 2D] of (1 - h/2D) (1 - g(y)), g(y) = sqrt(y (1 - y/4)) up to y = 2 and 1
    beyond; y = h^2 A / (4 (1 - h/2D)), or with overlap y = h A min(h, 2D - h) / (4 (1 - h/2D)), which is
    never larger. A and D broadcast; D > 0, A >= 0. Gauss-Legendre on the two smooth pieces.

    Source: docs/bounds.md, Proposition 6.3 (a Ziv-Zakai bound with Hellinger distances).
    """
    information, half_width = np.broadcast_arrays(np.asarray(A, float), np.asarray(D, float))
    if bool(np.any(half_width <= 0)) or bool(np.any(information < 0)):
        raise ValueError("G needs A >= 0 and D > 0")
    # The integrand is 0 from the h where y = 2: h^2 A/4 + h/D - 2 = 0, in the form without cancellation.
    end = 4.0 / (1.0 / half_width + np.sqrt(1.0 / half_width**2 + 2.0 * information))
    if not overlap:
        return _piece(np.zeros_like(end), end, information, half_width, overlap)
    knee = np.minimum(end, half_width)
    product = information * half_width
    beyond = np.where(product * half_width > 2.0, 4.0 / np.where(product > 0, product, 1.0), 2.0 * half_width)
    last = np.where(end < half_width, knee, np.maximum(knee, beyond))
    first_piece = _piece(np.zeros_like(end), knee, information, half_width, overlap)
    return first_piece + _piece(knee, last, information, half_width, overlap)


def _piece(start: Floats, stop: Floats, A: Floats, D: Floats, overlap: bool) -> Floats:
    """Integrate half the integrand of G from start to stop, elementwise."""
    nodes, weights = _gauss()
    total = np.zeros(start.shape)
    for node, weight in zip(nodes, weights, strict=True):
        h = start + 0.5 * (stop - start) * (1.0 + node)
        room = 1.0 - h / (2.0 * D)
        width = np.minimum(h, 2.0 * D - h) if overlap else h
        y = np.minimum(2.0, h * A * width / (4.0 * room))
        total += weight * room * (1.0 - np.sqrt(y * (1.0 - 0.25 * y)))
    return np.asarray(0.25 * (stop - start) * total, dtype=np.float64)


@cache
def _gauss() -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(_NODES)


@dataclass(frozen=True)
class PairGrid:
    """All pair priors that are tried: n_sub (k, 1) and D (1, l), both float64."""

    n_sub: Floats
    D: Floats

    def trace_of_data(self, n_samples: int) -> Floats:
        """Bound the prior-averaged Fisher trace of all N samples by N atanh(D)/D (an equality)."""
        return n_samples * np.arctanh(self.D) / self.D + 0.0 * self.n_sub

    def trace_of_fixed_bits(self, m: int, s: int, bits_per_server: int) -> Floats:
        """Bound the Fisher trace by 2 m s (2^b - 1) / (n' (1 - D^2)): Proposition 6.1."""
        return 2.0 * m * s * (2.0 ** min(bits_per_server, 1000) - 1.0) / (self.n_sub * (1.0 - self.D**2))

    def trace_per_bit(self) -> Floats:
        """Bound the Fisher trace bought by one expected bit by kappa2(M) ln 2 / (n' (1 - D)), s = 1."""
        room = self.n_sub * (1.0 - self.D)
        return self._kappa2 * math.log(2.0) / room

    @cached_property
    def _kappa2(self) -> Floats:
        return kappa2(self.n_sub / (1.0 - self.D))


@lru_cache(maxsize=GRIDS)
def pair_grid(n: int) -> PairGrid:
    """Return the pair priors with n' of `pair_sub_domains` and D of `half_widths`."""
    sizes = np.asarray(pair_sub_domains(n), dtype=np.float64)
    return PairGrid(n_sub=sizes[:, None], D=half_widths()[None, :])


def total_bits_l1(
    n: int,
    m: int | None = None,
    bits_total: float | None = None,
    bits_per_server: int | None = None,
    s: int = 1,
    overlap: bool = True,
) -> Bound:
    """Return the largest l1 error that is provable for B total bits, m servers, b bits per server.

    None leaves a constraint out. Maximum over even n' <= n and D of G((2/n') T, D), T the smallest trace
    that applies. The trace of total bits needs s = 1; the others hold for every s.

    Source: docs/bounds.md, Proposition 6.3.
    """
    check_sizes(n, m, s, bits_per_server)
    if m is None and (bits_total is None or bits_per_server is not None):
        raise ValueError("total_bits_l1 needs bits_total or m, and m whenever bits_per_server is given")
    if bits_total is not None and (bits_total < 0 or s != 1):
        raise ValueError(f"total bits are at least 0 and bound only s = 1, got {bits_total} bits and s={s}")
    grid = pair_grid(n)
    trace = np.full((grid.n_sub.size, grid.D.size), math.inf)
    if m is not None:
        trace = grid.trace_of_data(m * s)
        if bits_per_server is not None:
            trace = np.minimum(trace, grid.trace_of_fixed_bits(m, s, bits_per_server))
    if bits_total is not None:
        trace = np.minimum(trace, bits_total * grid.trace_per_bit())
    errors = G(2.0 * trace / grid.n_sub, grid.D, overlap)
    row, column = divmod(int(np.argmax(errors)), grid.D.size)
    return Bound(
        name="6.3 total bits, l1" if bits_total is not None else "6.3 fixed bits or all data, l1",
        problem=_PROBLEM,
        model="blackboard",
        sense="bayesian",
        regime=_REGIME,
        kind="lower",
        formula="G(2T/n', D), T = min(m s atanh(D)/D, 2 m s (2^b-1)/(n'(1-D^2)), kappa2(M) B ln 2/(n'(1-D)))",
        constants={
            "n_sub": float(grid.n_sub[row, 0]),
            "D": float(grid.D[0, column]),
            "trace": float(trace[row, column]),
            "overlap": float(overlap),
        },
        source=_SOURCE,
        value=float(errors[row, column]),
        unit="l1",
        ratio_ok=BAYES_RATIO,
    )


def bits_for_l1(n: int, error: float, overlap: bool = True) -> Bound:
    """Return the bits that are provably needed for l1 error eps, with one sample per server.

    G falls in A, so for each D bisection finds an A* with G(A*, D) >= eps; then
    B >= (n'/2) A* n' (1-D) / (kappa2(M) ln 2), maximised over n' and D, or 0 if eps >= D/2 everywhere.

    Source: docs/bounds.md, Proposition 6.3.
    """
    check_sizes(n)
    if not error > 0:
        raise ValueError(f"an error is positive, got {error}")
    grid = pair_grid(n)
    needed = information_needed(grid.D, error, overlap)
    bits = 0.5 * grid.n_sub * needed / grid.trace_per_bit()
    row, column = divmod(int(np.argmax(bits)), grid.D.size)
    return Bound(
        name="6.3 total bits, l1",
        problem=_PROBLEM + ", one sample per server",
        model="blackboard",
        sense="bayesian",
        regime=_REGIME,
        kind="lower",
        formula="(n'/2) A n' (1-D) / (kappa2(M) ln 2) with G(A, D) = eps",
        constants={
            "n_sub": float(grid.n_sub[row, 0]),
            "D": float(grid.D[0, column]),
            "error": float(error),
            "overlap": float(overlap),
        },
        source=_SOURCE,
        value=float(bits[row, column]),
        unit="bits",
        ratio_ok=BAYES_RATIO,
    )


def information_needed(D: Floats, error: float, overlap: bool) -> Floats:
    """Return, for each D, an A with G(A, D) >= error and a relative gap of 1e-12, or 0 if there is none."""
    # G <= min(D/2, c/sqrt(A)) with c below 1, so the root is below 1/error^2.
    low = np.full(D.shape, 1e-9)
    high = np.full(D.shape, max(1.0, 1.0 / error**2))
    possible = G(low, D, overlap) >= error
    for _ in range(70):
        middle = np.sqrt(low * high)
        enough = G(middle, D, overlap) >= error
        low = np.where(enough, middle, low)
        high = np.where(enough, high, middle)
    return np.where(possible, low, 0.0)


def error_under_prior(bits_total: float, n_sub: int, D: float, overlap: bool = True) -> float:
    """Return the l1 error that B bits leave at least, both averaged over one given prior of pairs.

    G((2/n') T, D) with T from total bits: Proposition 6.3 before the maximum over priors is taken.
    """
    grid = PairGrid(n_sub=np.array([[float(n_sub)]]), D=np.array([[D]]))
    return float(G(2.0 * bits_total * grid.trace_per_bit() / n_sub, grid.D, overlap)[0, 0])
