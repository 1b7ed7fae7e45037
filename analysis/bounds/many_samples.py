"""l1 when every server holds s samples and may write at most b bits (Proposition 6.5)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.bounds.bound import BAYES_RATIO, Bound, check_sizes
from analysis.bounds.total_bits_l1 import G, PairGrid, pair_grid

Floats = NDArray[np.float64]

FORMULA = (
    "G(2T/n', D), T/m = min(s atanh(D)/D, 2 s (2^b-1)/(n'(1-D^2)), "
    "(sqrt(2 c b ln 2) + rho b ln 2/3)^2 [b >= 2]), c = 2s/(n'(1-D^2)), rho = 1/(1-D)"
)


def bennett_trace(variance: ArrayLike, peak: ArrayLike, bits_per_server: int) -> Floats:
    """Return (sqrt(2 c b ln 2) + rho b ln 2 / 3)^2, a cap on the Fisher trace that one server's b bits carry.

    variance: c, the largest variance of the score of all its samples in a unit direction; peak: rho, the
    largest score of one sample. b >= 2: for one bit the moments behind it are larger.

    Source: docs/bounds.md, Proposition 6.5.
    """
    if bits_per_server < 2:
        raise ValueError(f"the Bennett trace is stated for at least 2 bits, got {bits_per_server}")
    nats = bits_per_server * math.log(2.0)
    root = np.sqrt(2.0 * nats * np.asarray(variance, dtype=np.float64))
    return np.asarray((root + np.asarray(peak, dtype=np.float64) * nats / 3.0) ** 2, dtype=np.float64)


def trace_of_many_samples(grid: PairGrid, m: int, s: int, bits_per_server: int) -> Floats:
    """Bound the Fisher trace of m servers of s samples and b bits by the smallest of the three entries of 6.5."""
    trace = np.minimum(grid.trace_of_data(m * s), grid.trace_of_fixed_bits(m, s, bits_per_server))
    if bits_per_server < 2:
        return trace
    variance = 2.0 * s / (grid.n_sub * (1.0 - grid.D**2))
    return np.minimum(trace, m * bennett_trace(variance, 1.0 / (1.0 - grid.D), bits_per_server))


def many_samples_l1(n: int, m: int, s: int, bits_per_server: int) -> Bound:
    """Return the l1 error that is provable for m servers with s samples and a hard cap of b bits each.

    Maximum over even n' <= n and D of G((2/n') T, D). For s >> n it falls like n/sqrt(m s b): there each bit
    is worth as much as the one before, and does not double what a message says as it does for s = 1.

    Source: docs/bounds.md, Proposition 6.5.
    """
    check_sizes(n, m, s, bits_per_server)
    grid = pair_grid(n)
    trace = trace_of_many_samples(grid, m, s, bits_per_server)
    errors = G(2.0 * trace / grid.n_sub, grid.D)
    row, column = divmod(int(np.argmax(errors)), grid.D.size)
    return Bound(
        name="6.5 several samples per server, l1",
        problem="all p on n symbols, s samples per server, loss E||ph - p||_1",
        model="blackboard",
        sense="bayesian",
        regime="uniform pair prior on n_sub symbols (theta in [-D, D]); b is a hard cap on all bits a server "
        "writes (silence charged); any interaction, private and public coins",
        kind="lower",
        formula=FORMULA,
        constants={
            "n_sub": float(grid.n_sub[row, 0]),
            "D": float(grid.D[0, column]),
            "trace": float(trace[row, column]),
        },
        source="docs/bounds.md, section 6.5",
        value=float(errors[row, column]),
        unit="l1",
        ratio_ok=BAYES_RATIO,
    )
