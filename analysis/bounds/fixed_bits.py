"""Squared l2 when every server may write at most b bits (Proposition 6.1)."""

from __future__ import annotations

import numpy as np

from analysis.bounds.bound import BAYES_RATIO, LIMIT_RATIO, Bound, check_sizes
from analysis.bounds.van_trees import bayes_risks, haar_grid, trace_of_data, trace_of_fixed_bits

_SOURCE = (
    "docs/bounds.md, section 6.1; first order as in Barnes, Han, Ozgur, 'Lower bounds for learning "
    "distributions under communication constraints via Fisher information' (2020)"
)
_CONDITIONS = (
    "b is a hard cap on all bits a server writes during the whole run (silence charged), not a mean; "
    "any interaction, private and public coins"
)


def fisher_trace_cap(n: int, m: int, bits_per_server: int, D: float, directions: int, s: int = 1) -> float:
    """Return m s n/(1-D) min(2^b - 1, d), a cap on the Fisher trace of every transcript.

    Over d orthonormal tangent directions, at any p with all masses at least (1-D)/n.

    Source: docs/bounds.md, Proposition 6.1.
    """
    check_sizes(n, m, s, bits_per_server)
    return m * s * n / (1.0 - D) * min((1 << bits_per_server) - 1, directions)


def first_order_l2(n: int, m: int, bits_per_server: int, s: int = 1) -> Bound:
    """Return the limit (n-1)^2 / (n m s min(2^b - 1, n - 1)) of the minimax squared l2 risk, m to infinity.

    For s = 1 and 2^b <= n it is attained by balanced hashing (2^b divides n) and, without coins, by the
    design cycle (n a power of 2^b) and by grouping with the shift (b = 1), m a multiple of the design.
    At finite m the minimax risk is below it, so it must not be divided into a measurement.

    Source: docs/bounds.md, Proposition 6.1b.
    """
    check_sizes(n, m, s, bits_per_server)
    value = (n - 1) ** 2 / (n * m * s * min((1 << bits_per_server) - 1, n - 1))
    return Bound(
        name="6.1b fixed bits per server, squared l2, first order",
        problem="all p on n symbols, loss E||ph - p||_2^2",
        model="blackboard",
        sense="asymptotic",
        regime=f"m to infinity at fixed n, b, s; worst case over p; {_CONDITIONS}",
        kind="lower",
        formula="(1 - o(1)) (n-1)^2 / (n m s min(2^b - 1, n - 1))",
        constants={"n": n, "m": m, "s": s, "b": bits_per_server},
        source=_SOURCE,
        value=value,
        unit="l2_squared",
        ratio_ok=LIMIT_RATIO,
    )


def fixed_bits_l2(n: int, m: int, bits_per_server: int, s: int = 1) -> Bound:
    """Return the largest squared l2 risk that is provable for b bits per server, at finite m.

    Maximum over the cos^2 Haar priors of d^2 / (T + d J), T = min(all data, Proposition 6.1).

    Source: docs/bounds.md, Proposition 6.1.
    """
    check_sizes(n, m, s, bits_per_server)
    grid = haar_grid(n)
    trace = np.minimum(trace_of_data(grid, m * s), trace_of_fixed_bits(grid, m, s, bits_per_server))
    risks = bayes_risks(grid, trace)
    best = int(np.argmax(risks))
    return Bound(
        name="6.1 fixed bits per server, squared l2",
        problem="all p on n symbols, loss E||ph - p||_2^2",
        model="blackboard",
        sense="bayesian",
        regime=f"cos^2 Haar prior on n_sub symbols; {_CONDITIONS}",
        kind="lower",
        formula="d^2 / (T + d pi^2 n'^2 h_a^2 / D^2), T = min(m s d n'/(1-D^2), m s n'/(1-D) min(2^b-1, d))",
        constants={**grid.constants(best), "trace": float(trace[best])},
        source=_SOURCE,
        value=float(risks[best]),
        unit="l2_squared",
        ratio_ok=BAYES_RATIO,
    )
