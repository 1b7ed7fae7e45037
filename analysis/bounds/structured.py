"""Classes with structure, sparse p, k-histograms and monotone p: which of the bounds above they inherit (6.4)."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np

from analysis.bounds.bound import BAYES_RATIO, Bound, Loss, Unit, check_sizes
from analysis.bounds.many_samples import trace_of_many_samples
from analysis.bounds.poisson_servers import THETAS, total_bits_many_samples_l1
from analysis.bounds.prior import half_widths
from analysis.bounds.total_bits_l1 import G, PairGrid, information_needed

Family = Literal["all", "sparse", "histogram", "monotone"]

_MILLION = 1_000_000
_SOURCE = "docs/bounds.md, section 6.4"
_MONOTONE = "non-increasing p on n symbols, loss E||ph - p||_1"
_REGIME = (
    "n_sub cells of equal mass and widths that grow by (1+D)/(1-D), masses (1 +- theta)/n_sub, theta uniform on "
    "[-D, D]; bits averaged over it; any interaction, private and public coins; a cap on bits per server is hard"
)


def histogram_symbols(n: int, k: int, loss: Loss) -> int:
    """Return the domain size whose bounds k-histograms on n symbols inherit: k for l1, k - 1 for squared l2.

    n itself if k >= n, where every p is a k-histogram.

    Source: docs/bounds.md, Proposition 6.4a.
    """
    check_sizes(n)
    if k >= n:
        return n
    symbols = k if loss == "l1" else k - 1
    if symbols < 2:
        raise ValueError(f"{loss} bounds for k-histograms need k >= {2 if loss == 'l1' else 3} pieces, got k={k}")
    return symbols


def as_histogram(bound: Bound, n: int, k: int) -> Bound:
    """Return a bound for `histogram_symbols` symbols, restated for k-histograms on n symbols."""
    return dataclasses.replace(
        bound,
        name=f"6.4a k-histograms, by {bound.name}",
        problem=f"k-histograms on n symbols, by the problem '{bound.problem}' on fewer of them",
        regime=f"pieces take the place of symbols: {bound.regime}",
        constants={**bound.constants, "pieces": float(k), "domain": float(n)},
        source=f"{_SOURCE}, and {bound.source}",
    )


def as_sparse(bound: Bound, n: int, support: int) -> Bound:
    """Return a bound for `support` symbols, or one by sets of at most as many, restated for sparse p on n symbols.

    Source: docs/bounds.md, Proposition 6.4c.
    """
    return dataclasses.replace(
        bound,
        name=f"6.4c sparse, by {bound.name}",
        problem=f"p on at most `support` of n symbols, by the problem '{bound.problem}'",
        constants={**bound.constants, "support": float(support), "domain": float(n)},
        source=f"{_SOURCE}, and {bound.source}",
    )


def monotone_cells(n: int, D: float) -> int:
    """Return l(D), how many cells fit on n symbols when widths grow by at least (1+D)/(1-D), from width 1 on.

    D is taken as a multiple of 1e-6, rounded up, and widths are whole numbers, so no rounding is left to chance.

    Source: docs/bounds.md, Proposition 6.4b.
    """
    check_sizes(n)
    if not 0.0 < D < 1.0 - 1e-6:
        raise ValueError(f"the box size must lie in (0, 1), got D={D}")
    parts = math.ceil(round(D * _MILLION, 3))
    width, total, cells = 1, 0, 0
    while total + width <= n:
        total, cells = total + width, cells + 1
        width = -(-width * (_MILLION + parts) // (_MILLION - parts))
    return cells


def monotone_l1(
    n: int, m: int, s: int = 1, bits_total: float | None = None, bits_per_server: int | None = None
) -> Bound:
    """Return the l1 error that is provable for non-increasing p; None leaves a constraint out.

    Maximum over D of G((2/n') T, D) with n' = l(D), or l(D) - 1 (even), and T as in 6.5 and, for total bits
    (s = 1), 6.3.

    Source: docs/bounds.md, Proposition 6.4b.
    """
    check_sizes(n, m, s, bits_per_server)
    if bits_total is not None and (bits_total < 0 or s != 1):
        raise ValueError(f"total bits are at least 0 and bound only s = 1, got {bits_total} bits and s={s}")
    grid = _grid(n)
    trace = grid.trace_of_data(m * s)
    formula, title = "T = m s atanh(D)/D", "all data"
    if bits_per_server is not None:
        trace = np.minimum(trace, trace_of_many_samples(grid, m, s, bits_per_server))
        formula, title = "T as in 6.5", "fixed bits"
    if bits_total is not None:
        trace = np.minimum(trace, bits_total * grid.trace_per_bit())
        formula, title = formula + ", kappa2(M) B ln 2/(n'(1-D)) if smaller", "total bits"
    errors = G(2.0 * trace / grid.n_sub, grid.D)
    best = int(np.argmax(errors))
    constants = {**_constants(grid, best), "trace": float(trace[0, best])}
    return _bound(title, float(errors[0, best]), "l1", "G(2T/n', D), n' = l(D), " + formula, constants)


def monotone_many_samples_l1(n: int, m: int, s: int, bits_total: float, capped: bool) -> Bound:
    """Return the l1 error that is provable for non-increasing p, B bits in all and s samples per server: 6.5b on cells.

    Source: docs/bounds.md, Propositions 6.4b and 6.5b.
    """
    room = [monotone_cells(n, float(D)) for D in THETAS[1:]]
    bound = total_bits_many_samples_l1(n, m, s, bits_total, capped, room)
    return dataclasses.replace(
        bound,
        name="6.4b monotone, total bits by 6.5b, l1",
        problem=_MONOTONE,
        regime=f"{_REGIME}; {bound.regime}",
        source=f"{_SOURCE}, and {bound.source}",
    )


def monotone_bits_l1(n: int, error: float) -> Bound:
    """Return the bits that non-increasing p provably need for l1 error eps, with one sample per server.

    Maximum over D of (n'/2) A n'(1-D)/(kappa2(M) ln 2) with G(A, D) = eps and n' = l(D).

    Source: docs/bounds.md, Proposition 6.4b.
    """
    check_sizes(n)
    if not error > 0:
        raise ValueError(f"an error is positive, got {error}")
    grid = _grid(n)
    bits = 0.5 * grid.n_sub * information_needed(grid.D, error, True) / grid.trace_per_bit()
    best = int(np.argmax(bits))
    formula = "(n'/2) A n' (1-D) / (kappa2(M) ln 2) with G(A, D) = eps, n' = l(D)"
    return _bound(
        "total bits", float(bits[0, best]), "bits", formula, {**_constants(grid, best), "error": float(error)}
    )


def _grid(n: int) -> PairGrid:
    """Return one prior per D, on the largest even number of cells; on 2 symbols no two cells fit."""
    widths = half_widths()
    cells = np.array([monotone_cells(n, float(D)) for D in widths])
    fits = cells >= 2
    if not bool(fits.any()):
        raise ValueError(f"bounds for monotone p need a domain of at least 3 symbols, got n={n}")
    even = (cells - cells % 2)[fits]
    return PairGrid(n_sub=even[None, :].astype(np.float64), D=widths[fits][None, :])


def _constants(grid: PairGrid, index: int) -> dict[str, float]:
    return {"n_sub": float(grid.n_sub[0, index]), "D": float(grid.D[0, index])}


def _bound(title: str, value: float, unit: Unit, formula: str, constants: dict[str, float]) -> Bound:
    return Bound(
        name=f"6.4b monotone, {title}, l1",
        problem=_MONOTONE,
        model="blackboard",
        sense="bayesian",
        regime=_REGIME,
        kind="lower",
        formula=formula,
        constants=constants,
        source=_SOURCE,
        value=value,
        unit=unit,
        ratio_ok=BAYES_RATIO.replace("(same n_sub, D and a)", "(same cells and D)"),
    )
