"""Which bounds speak about a given problem, and which of them is the strongest."""

from __future__ import annotations

import dataclasses

from analysis.bounds.bound import Bound, Loss, check_sizes
from analysis.bounds.fixed_bits import first_order_l2, fixed_bits_l2
from analysis.bounds.no_communication import all_data_l1, all_data_l2, first_order_l1
from analysis.bounds.total_bits_l1 import bits_for_l1, total_bits_l1
from analysis.bounds.total_bits_l2 import bits_for_l2, total_bits_l2


def for_problem(
    n: int,
    m: int,
    s: int,
    loss: Loss,
    bits_total: float | None = None,
    bits_per_server: int | None = None,
) -> list[Bound]:
    """Return every lower bound on the risk that speaks about m servers with s samples each.

    bits_total: expected length of the whole transcript, in bits (a hard cap of b bits per server implies
    m b, which is used if it is smaller). bits_per_server: hard cap b on what one server writes, if any.
    The bounds on total bits are stated for s = 1 only and are left out otherwise. Limits are listed as
    well, marked by sense "asymptotic"; `best_lower` never returns one.
    """
    check_sizes(n, m, s, bits_per_server)
    _check_loss(loss)
    bits = bits_total
    if bits_per_server is not None:
        capped = float(m * bits_per_server)
        bits = capped if bits is None else min(bits, capped)
    if loss == "l2_squared":
        return _for_l2(n, m, s, bits, bits_per_server)
    return _for_l1(n, m, s, bits, bits_per_server)


def best_lower(
    n: int,
    m: int,
    s: int,
    loss: Loss,
    bits_total: float | None = None,
    bits_per_server: int | None = None,
) -> Bound:
    """Return the largest risk that is provable at finite size; arguments as in `for_problem`."""
    bounds = for_problem(n, m, s, loss, bits_total, bits_per_server)
    return max((bound for bound in bounds if bound.holds_at_finite_size), key=lambda bound: bound.value)


def best_lower_bits(n: int, m: int, loss: Loss, error: float) -> Bound:
    """Return the most bits provably needed by m servers with one sample each for the given error.

    error: E||ph - p||_1 for "l1", E||ph - p||_2^2 for "l2_squared". The number of servers does not enter
    the bits; it enters the constants as "floor", the error that remains provable with free communication.
    An error below the floor cannot be a worst-case error; `regime` then says so.
    """
    check_sizes(n, m)
    _check_loss(loss)
    if loss == "l2_squared":
        bound, floor = bits_for_l2(n, error), all_data_l2(n, m).value
    else:
        bound, floor = bits_for_l1(n, error), all_data_l1(n, m).value
    regime = bound.regime
    if error < floor:
        regime += f"; the error lies below {floor:.6g}, and no protocol reaches that for every p from {m} samples"
    return dataclasses.replace(bound, regime=regime, constants={**bound.constants, "m": m, "floor": floor})


def _for_l2(n: int, m: int, s: int, bits: float | None, bits_per_server: int | None) -> list[Bound]:
    bounds = [all_data_l2(n, m * s)]
    if bits_per_server is not None:
        bounds += [fixed_bits_l2(n, m, bits_per_server, s), first_order_l2(n, m, bits_per_server, s)]
    if bits is not None and s == 1:
        bounds.append(total_bits_l2(n, m, bits, bits_per_server))
    return bounds


def _for_l1(n: int, m: int, s: int, bits: float | None, bits_per_server: int | None) -> list[Bound]:
    bounds = [all_data_l1(n, m * s), first_order_l1(n, m * s)]
    if bits_per_server is not None:
        bounds.append(total_bits_l1(n, m, None, bits_per_server, s))
    if bits is not None and s == 1:
        bounds.append(total_bits_l1(n, m, bits, bits_per_server))
    return bounds


def _check_loss(loss: str) -> None:
    if loss not in ("l1", "l2_squared"):
        raise ValueError(f"no loss {loss!r}; known: l1, l2_squared")
