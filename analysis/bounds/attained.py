"""Worst-case squared l2 risks that simple protocols attain exactly, one sample and b bits per server."""

from __future__ import annotations

from analysis.bounds.bound import Bound, check_sizes
from analysis.bounds.risks import cycle_length, hash_l2_sup, minimax_l2

_RATIO = "yes: the measured risk at the uniform distribution over this value is 1 up to Monte Carlo noise"


def attained_l2(n: int, m: int, bits_per_server: int) -> list[Bound]:
    """Return the worst-case risks known exactly for m servers of b bits, smallest first.

    Full sample (2^b >= n), grouping and its shift (n divides m (2^b - 1)), balanced hashing (always) and the
    design cycle (n a power of 2^b, m a multiple of the cycle).

    Source: docs/bounds.md, section R.
    """
    check_sizes(n, m, 1, bits_per_server)
    width = (1 << bits_per_server) - 1
    found = [_risk("P9 balanced random hash", n, m, bits_per_server, hash_l2_sup(n, m, bits_per_server))]
    if width + 1 >= n:
        found.append(_risk("P1 full sample, constant-risk estimate", n, m, bits_per_server, minimax_l2(n, m)))
    if width <= n and m * width % n == 0:
        found.append(_risk("P8 grouping", n, m, bits_per_server, (n - 1) / (m * width)))
        if width == 1:
            shifted = (n - 1) ** 2 / (n * m)
            found.append(_risk("P8s grouping with the shift", n, m, bits_per_server, shifted))
    if _is_power(n, width + 1) and m % cycle_length(n, bits_per_server) == 0:
        cycle = (n - 1) ** 2 / (n * m * width)
        found.append(_risk("P10c design cycle", n, m, bits_per_server, cycle))
    return sorted(found, key=lambda bound: bound.value)


def _is_power(n: int, base: int) -> bool:
    while n % base == 0:
        n //= base
    return n == 1


def _risk(name: str, n: int, m: int, bits_per_server: int, value: float) -> Bound:
    return Bound(
        name=name,
        problem="all p on n symbols, one sample per server, loss E||ph - p||_2^2",
        model="SMP",
        sense="worst case",
        regime="supremum over p, attained at the uniform distribution",
        kind="risk",
        formula="see the proposition of this name",
        constants={"n": n, "m": m, "b": bits_per_server},
        source="docs/bounds.md, section R",
        value=value,
        unit="l2_squared",
        ratio_ok=_RATIO,
    )
