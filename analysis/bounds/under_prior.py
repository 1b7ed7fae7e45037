"""What is provable under one given prior: only that may be divided into a measurement made under it (6.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.bounds import van_trees
from analysis.bounds.total_bits_l1 import G, PairGrid


def l2_squared(prior: Mapping[str, Any], m: int, s: int, bits_total: float, bits_per_server: int | None) -> float:
    """The squared l2 risk that is left at least, averaged over a cos^2 Haar prior {n_sub, a, D}.

    d^2 / (T + d J), T the smallest of the traces of all data, of b bits per server (where there is such a cap) and,
    for s = 1, of the expected bits in all, which are averaged over the same prior.

    Source: docs/bounds.md, Propositions 6.1 and 6.2.
    """
    grid = van_trees.one_prior(int(prior["n_sub"]), int(prior["a"]), float(prior["D"]))
    trace = van_trees.trace_of_data(grid, m * s)
    if bits_per_server is not None:
        trace = np.minimum(trace, van_trees.trace_of_fixed_bits(grid, m, s, bits_per_server))
    if s == 1:
        trace = np.minimum(trace, bits_total * van_trees.trace_per_bit(grid))
    return float(van_trees.bayes_risks(grid, trace)[0])


def l1(prior: Mapping[str, Any], m: int, s: int, bits_total: float, bits_per_server: int | None) -> float:
    """The l1 error that is left at least, averaged over a prior of pairs {n_sub, D}; arguments as in `l2_squared`.

    G(2 T / n', D), T the smallest trace that applies.

    Source: docs/bounds.md, Propositions 6.1 and 6.3.
    """
    grid = PairGrid(n_sub=np.array([[float(prior["n_sub"])]]), D=np.array([[float(prior["D"])]]))
    trace = grid.trace_of_data(m * s)
    if bits_per_server is not None:
        trace = np.minimum(trace, grid.trace_of_fixed_bits(m, s, bits_per_server))
    if s == 1:
        trace = np.minimum(trace, bits_total * grid.trace_per_bit())
    return float(G(2.0 * trace / grid.n_sub, grid.D)[0, 0])
