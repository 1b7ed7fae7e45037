"""Floors that remain when communication is free: N samples at one place (Proposition 6.7)."""

from __future__ import annotations

import dataclasses
import math

from analysis.bounds.bound import LIMIT_RATIO, Bound, check_sizes
from analysis.bounds.total_bits_l1 import total_bits_l1

_SOURCE = "docs/bounds.md, section 6.7"


def all_data_l2(n: int, n_samples: int) -> Bound:
    """Return the exact minimax squared l2 risk (1 - 1/n) / (sqrt(N) + 1)^2 of N samples.

    Attained by (N_x + sqrt(N)/n) / (N + sqrt(N)), whose risk is the same at every p.

    Source: docs/bounds.md, Proposition 6.7 (the argument for n = 2 is due to Hodges and Lehmann, 1950).
    """
    check_sizes(n, n_samples)
    return Bound(
        name="6.7 no communication limit, squared l2",
        problem="all p on n symbols, loss E||ph - p||_2^2",
        model="any (all samples at one place)",
        sense="worst case",
        regime="exact minimax risk, for every n and N; equals the Bayes risk under Dirichlet(sqrt(N)/n, ...)",
        kind="lower",
        formula="(1 - 1/n) / (sqrt(N) + 1)^2",
        constants={"n": n, "N": n_samples, "dirichlet": math.sqrt(n_samples) / n},
        source=_SOURCE,
        value=(1.0 - 1.0 / n) / (math.sqrt(n_samples) + 1.0) ** 2,
        unit="l2_squared",
        ratio_ok="yes, for the supremum over p of the measured risk, or its average over the Dirichlet prior "
        "with all parameters sqrt(N)/n; not for the risk at one fixed p",
    )


def samples_for_l2(n: int, risk: float) -> float:
    """Return (sqrt((1 - 1/n)/r) - 1)^2, the samples that worst-case squared l2 risk r needs, at least 0."""
    check_sizes(n)
    if not risk > 0:
        raise ValueError(f"a risk is positive, got {risk}")
    return max(0.0, math.sqrt((1.0 - 1.0 / n) / risk) - 1.0) ** 2


def all_data_l1(n: int, n_samples: int) -> Bound:
    """Return a rigorous l1 floor for N samples: the maximum over n', D of G((2/n') N atanh(D)/D, D).

    Source: docs/bounds.md, Propositions 6.3 and 6.7.
    """
    bound = total_bits_l1(n, m=n_samples)
    return dataclasses.replace(
        bound,
        name="6.7 no communication limit, l1",
        model="any (all samples at one place)",
        formula="G(2T/n', D), T = N atanh(D)/D",
        regime="uniform pair prior on n_sub symbols, every n and N",
        source=_SOURCE,
    )


def first_order_l1(n: int, n_samples: int) -> Bound:
    """Return sqrt(2 (n-1) / (pi N)), the limit of the minimax l1 error as N grows at fixed n.

    Source: Kamath, Orlitsky, Pichapati, Suresh, "On learning distributions from their samples" (2015).
    """
    check_sizes(n, n_samples)
    return Bound(
        name="6.7b no communication limit, l1, first order",
        problem="all p on n symbols, loss E||ph - p||_1",
        model="any (all samples at one place)",
        sense="asymptotic",
        regime="N to infinity at fixed n; worst case over p",
        kind="lower",
        formula="(1 - o(1)) sqrt(2 (n-1) / (pi N))",
        constants={"n": n, "N": n_samples},
        source="Kamath, Orlitsky, Pichapati, Suresh, 'On learning distributions from their samples' (2015)",
        value=math.sqrt(2.0 * (n - 1) / (math.pi * n_samples)),
        unit="l1",
        ratio_ok=LIMIT_RATIO,
    )
