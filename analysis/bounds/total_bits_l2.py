"""Squared l2 when the expected length of the whole transcript is B bits, one sample per server (6.2)."""

from __future__ import annotations

import math

import numpy as np

from analysis.bounds.bound import BAYES_RATIO, LIMIT_RATIO, Bound, check_sizes
from analysis.bounds.divergence import local_constant
from analysis.bounds.van_trees import (
    bayes_risks,
    haar_grid,
    one_prior,
    trace_needed,
    trace_of_data,
    trace_of_fixed_bits,
    trace_per_bit,
)

_PROBLEM = "all p on n symbols, one sample per server, loss E||ph - p||_2^2"
_SOURCE = "docs/bounds.md, section 6.2"
_REGIME = (
    "cos^2 Haar prior on n_sub symbols; B is the expected transcript length averaged over it; "
    "any interaction, private and public coins"
)


def total_bits_l2(
    n: int, m: int | None = None, bits_total: float | None = None, bits_per_server: int | None = None
) -> Bound:
    """Return the largest squared l2 risk that is provable for B total bits, m servers, b bits per server.

    None leaves a constraint out; b is a hard cap, needs m, and at least one constraint must be given.
    Maximum over n', a, D of d^2 / (T + d pi^2 n'^2 h_a^2 / D^2), T the smallest of the traces that apply.

    Source: docs/bounds.md, Proposition 6.2.
    """
    check_sizes(n, m, 1, bits_per_server)
    if m is None and (bits_total is None or bits_per_server is not None):
        raise ValueError("total_bits_l2 needs bits_total or m, and m whenever bits_per_server is given")
    if bits_total is not None and bits_total < 0:
        raise ValueError(f"the expected number of bits is at least 0, got {bits_total}")
    grid = haar_grid(n)
    trace = np.full(grid.D.shape, math.inf)
    if m is not None:
        trace = trace_of_data(grid, m)
        if bits_per_server is not None:
            trace = np.minimum(trace, trace_of_fixed_bits(grid, m, 1, bits_per_server))
    if bits_total is not None:
        trace = np.minimum(trace, bits_total * trace_per_bit(grid))
    risks = bayes_risks(grid, trace)
    best = int(np.argmax(risks))
    return Bound(
        name="6.2 total bits, squared l2",
        problem=_PROBLEM,
        model="blackboard",
        sense="bayesian",
        regime=_REGIME,
        kind="lower",
        formula="d^2 / (T + d pi^2 n'^2 h_a^2 / D^2), "
        "T = min(m d n'/(1-D^2), m n'/(1-D) min(2^b-1, d), kappa_a M B ln 2)",
        constants={**grid.constants(best), "trace": float(trace[best])},
        source=_SOURCE,
        value=float(risks[best]),
        unit="l2_squared",
        ratio_ok=BAYES_RATIO,
    )


def bits_for_l2(n: int, risk: float) -> Bound:
    """Return the bits that are provably needed for squared l2 risk r, with one sample per server.

    Maximum over n', a, D of (d^2/r - d pi^2 n'^2 h_a^2 / D^2) / (kappa_a M ln 2), or 0.

    Source: docs/bounds.md, Proposition 6.2.
    """
    check_sizes(n)
    if not risk > 0:
        raise ValueError(f"a risk is positive, got {risk}")
    grid = haar_grid(n)
    bits = trace_needed(grid, risk) / trace_per_bit(grid)
    best = int(np.argmax(bits))
    return Bound(
        name="6.2 total bits, squared l2",
        problem=_PROBLEM,
        model="blackboard",
        sense="bayesian",
        regime=_REGIME,
        kind="lower",
        formula="(d^2/r - d pi^2 n'^2 h_a^2 / D^2) / (kappa_a M ln 2)",
        constants={**grid.constants(best), "risk": float(risk)},
        source=_SOURCE,
        value=max(0.0, float(bits[best])),
        unit="bits",
        ratio_ok=BAYES_RATIO,
    )


def local_bits_l2(n: int, risk: float) -> Bound:
    """Return the limit (n-1)^2 / (n C_n ln 2) / r of the bits needed as r goes to 0, at uniform p.

    Equal to (n-1)^3 log2(n-1) / (n^2 (n-2) r), about (log2 n) / r: in this limit no protocol beats
    sending whole samples, even in the constant.

    Source: docs/bounds.md, Proposition 6.2b.
    """
    check_sizes(n)
    if not risk > 0:
        raise ValueError(f"a risk is positive, got {risk}")
    constant = local_constant(n)
    return Bound(
        name="6.2b total bits, squared l2, local constant",
        problem=_PROBLEM,
        model="blackboard",
        sense="asymptotic",
        regime="r to 0 at fixed n, priors shrinking to the uniform distribution",
        kind="lower",
        formula="(1 - o(1)) (n-1)^2 / (n C_n ln 2) / r",
        constants={"n": n, "C_n": constant, "risk": float(risk)},
        source=_SOURCE,
        value=(n - 1) ** 2 / (n * constant * math.log(2.0)) / risk,
        unit="bits",
        ratio_ok=LIMIT_RATIO,
    )


def bits_under_prior(risk: float, n_sub: int, a: int, D: float) -> float:
    """Return the bits that risk needs, both averaged over one given prior; 0 where the prior alone reaches it.

    B >= (d^2/r - d J) / (kappa_a M ln 2): Proposition 6.2 before the maximum over priors is taken, so the only
    form that may be divided into a measurement made under that prior.
    """
    grid = one_prior(n_sub, a, D)
    return max(0.0, float((trace_needed(grid, risk) / trace_per_bit(grid))[0]))
