"""Which bounds speak about a given problem, and which of them is the strongest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from analysis.bounds.assouad import assouad_bits_l1, assouad_l1
from analysis.bounds.bound import Bound, Loss, check_sizes
from analysis.bounds.describing import (
    simplex_bits_l1,
    simplex_bits_l2,
    simplex_l1,
    simplex_l2,
    subsets_bits,
    subsets_error,
)
from analysis.bounds.fixed_bits import first_order_l2, fixed_bits_l2
from analysis.bounds.many_samples import many_samples_l1
from analysis.bounds.no_communication import all_data_l1, all_data_l2, first_order_l1
from analysis.bounds.poisson_servers import total_bits_many_samples_l1
from analysis.bounds.structured import (
    Family,
    as_histogram,
    as_sparse,
    histogram_symbols,
    monotone_bits_l1,
    monotone_l1,
    monotone_many_samples_l1,
)
from analysis.bounds.total_bits_l1 import bits_for_l1, total_bits_l1
from analysis.bounds.total_bits_l2 import bits_for_l2, total_bits_l2

Model = Literal["blackboard", "SMP"]


def for_problem(
    n: int,
    m: int,
    s: int,
    loss: Loss,
    bits_total: float | None = None,
    bits_per_server: int | None = None,
    *,
    model: Model = "blackboard",
    family: Family = "all",
    pieces: int | None = None,
    support: int | None = None,
) -> list[Bound]:
    """Return every lower bound on the risk that speaks about m servers with s samples each.

    bits_total: expected length of the whole transcript, in bits (a hard cap of b bits per server implies
    m b, which is used if it is smaller). bits_per_server: hard cap b on what one server writes, if any.
    For several samples per server total bits count in l1 (6.5b) and as a description of p (6.6). model: "SMP" adds
    what holds for simultaneous messages alone. family: all p, "sparse" (with `support`), "histogram" (with
    `pieces`), or "monotone" (l1 only). Limits are listed as well, marked by sense "asymptotic"; `best_lower` never
    returns one.
    """
    check_sizes(n, m, s, bits_per_server)
    _check_problem(loss, model, family, pieces, support)
    bits = bits_total
    if bits_per_server is not None:
        capped = float(m * bits_per_server)
        bits = capped if bits is None else min(bits, capped)
    bounds = _for_family(n, m, s, loss, bits, bits_per_server, model, family, pieces, support)
    return [bound for bound in bounds if bound.value > 0]


def best_lower(
    n: int,
    m: int,
    s: int,
    loss: Loss,
    bits_total: float | None = None,
    bits_per_server: int | None = None,
    *,
    model: Model = "blackboard",
    family: Family = "all",
    pieces: int | None = None,
    support: int | None = None,
) -> Bound:
    """Return the largest risk that is provable at finite size; arguments as in `for_problem`."""
    bounds = for_problem(
        n, m, s, loss, bits_total, bits_per_server, model=model, family=family, pieces=pieces, support=support
    )
    return max((bound for bound in bounds if bound.holds_at_finite_size), key=lambda bound: bound.value)


def best_lower_bits(
    n: int,
    m: int,
    loss: Loss,
    error: float,
    *,
    model: Model = "blackboard",
    family: Family = "all",
    pieces: int | None = None,
    support: int | None = None,
) -> Bound:
    """Return the most bits provably needed by m servers with one sample each for the given error.

    error: E||ph - p||_1 for "l1", E||ph - p||_2^2 for "l2_squared". The number of servers does not enter
    the bits; it enters the constants as "floor", the error that remains provable with free communication.
    An error below the floor cannot be a worst-case error; `regime` then says so. model, family, pieces,
    support: as in `for_problem`.
    """
    check_sizes(n, m)
    _check_problem(loss, model, family, pieces, support)
    bound = max(_needing_bits(n, loss, error, model, family, pieces, support), key=lambda found: found.value)
    floor = best_lower(n, m, 1, loss, family=family, pieces=pieces, support=support).value
    regime = bound.regime
    if error < floor:
        regime += f"; the error lies below {floor:.6g}, and no protocol reaches that for every p from {m} samples"
    return dataclasses.replace(bound, regime=regime, constants={**bound.constants, "m": m, "floor": floor})


def _needing_bits(
    n: int, loss: Loss, error: float, model: Model, family: Family, pieces: int | None, support: int | None
) -> list[Bound]:
    if family == "monotone":
        return [monotone_bits_l1(n, error)]
    symbols = _symbols(n, loss, pieces, support)
    if loss == "l2_squared":
        bounds = [bits_for_l2(symbols, error), simplex_bits_l2(symbols, error)]
    else:
        bounds = [bits_for_l1(symbols, error), simplex_bits_l1(symbols, error)]
        if model == "SMP":
            bounds.append(assouad_bits_l1(symbols, error))
    bounds.append(subsets_bits(symbols, loss, error))
    if support is not None:
        named = subsets_bits(n, loss, error, t_max=support)
        return [as_sparse(bound, n, support) for bound in (*bounds, named)]
    if pieces is None:
        return bounds
    if pieces >= 3:
        bounds.append(subsets_bits(n, loss, error, t_max=(pieces - 1) // 2))
    return [as_histogram(bound, n, pieces) for bound in bounds]


def _for_family(
    n: int,
    m: int,
    s: int,
    loss: Loss,
    bits: float | None,
    bits_per_server: int | None,
    model: Model,
    family: Family,
    pieces: int | None,
    support: int | None,
) -> list[Bound]:
    if family == "monotone":
        return _for_monotone(n, m, s, bits, bits_per_server)
    symbols = _symbols(n, loss, pieces, support)
    if loss == "l2_squared":
        bounds = _for_l2(symbols, m, s, bits, bits_per_server)
    else:
        bounds = _for_l1(symbols, m, s, bits, bits_per_server, model)
        if s > 1:
            bounds += _poissonised(total_bits_many_samples_l1, symbols, m, s, bits, bits_per_server)
    if support is not None:
        if bits is not None:
            bounds.append(subsets_error(n, loss, bits, t_max=support))
        return [as_sparse(bound, n, support) for bound in bounds]
    if pieces is None:
        return bounds
    if bits is not None and pieces >= 3:
        bounds.append(subsets_error(n, loss, bits, t_max=(pieces - 1) // 2))
    return [as_histogram(bound, n, pieces) for bound in bounds]


def _symbols(n: int, loss: Loss, pieces: int | None, support: int | None) -> int:
    """Return the domain size whose bounds a class inherits."""
    if support is not None:
        return support
    return n if pieces is None else histogram_symbols(n, pieces, loss)


def _for_l2(n: int, m: int, s: int, bits: float | None, bits_per_server: int | None) -> list[Bound]:
    bounds = [all_data_l2(n, m * s)]
    if bits_per_server is not None:
        bounds += [fixed_bits_l2(n, m, bits_per_server, s), first_order_l2(n, m, bits_per_server, s)]
    if bits is not None:
        if s == 1:
            bounds.append(total_bits_l2(n, m, bits, bits_per_server))
        bounds += [simplex_l2(n, bits), subsets_error(n, "l2_squared", bits)]
    return bounds


def _for_l1(n: int, m: int, s: int, bits: float | None, bits_per_server: int | None, model: Model) -> list[Bound]:
    bounds = [all_data_l1(n, m * s), first_order_l1(n, m * s), assouad_l1(n, m, s)]
    if bits_per_server is not None:
        bounds.append(total_bits_l1(n, m, None, bits_per_server, s))
        bounds.append(many_samples_l1(n, m, s, bits_per_server))
    if bits is not None:
        if s == 1:
            bounds.append(total_bits_l1(n, m, bits, bits_per_server))
            if model == "SMP":
                bounds.append(assouad_l1(n, m, s, bits))
        bounds += [simplex_l1(n, bits), subsets_error(n, "l1", bits)]
    return bounds


def _poissonised(
    bound: Callable[[int, int, int, float, bool], Bound],
    n: int,
    m: int,
    s: int,
    bits: float | None,
    bits_per_server: int | None,
) -> list[Bound]:
    """Return 6.5b (for all p, or for monotone p) with the hard cap of a run that a cap per server implies, and with
    expected bits below it.
    """
    found = []
    if bits_per_server is not None:
        found.append(bound(n, m, s, float(m * bits_per_server), True))
    if bits is not None and (bits_per_server is None or bits < m * bits_per_server):
        found.append(bound(n, m, s, bits, False))
    return found


def _for_monotone(n: int, m: int, s: int, bits: float | None, bits_per_server: int | None) -> list[Bound]:
    bounds = [monotone_l1(n, m, s)]
    if bits_per_server is not None:
        bounds.append(monotone_l1(n, m, s, None, bits_per_server))
    if bits is not None and s == 1:
        bounds.append(monotone_l1(n, m, s, bits, bits_per_server))
    if s > 1:
        bounds += _poissonised(monotone_many_samples_l1, n, m, s, bits, bits_per_server)
    return bounds


def _check_problem(loss: str, model: str, family: str, pieces: int | None, support: int | None) -> None:
    if loss not in ("l1", "l2_squared"):
        raise ValueError(f"no loss {loss!r}; known: l1, l2_squared")
    if model not in ("blackboard", "SMP"):
        raise ValueError(f"no model {model!r}; known: blackboard, SMP")
    if family not in ("all", "sparse", "histogram", "monotone"):
        raise ValueError(f"no family {family!r}; known: all, sparse, histogram, monotone")
    if (family == "sparse") != (support is not None):
        raise ValueError("a support goes with the family 'sparse', and only with it")
    if support is not None and support < 2:
        raise ValueError(f"bounds for sparse p need a support of at least 2 symbols, got {support}")
    if (family == "histogram") != (pieces is not None):
        raise ValueError("pieces go with the family 'histogram', and only with it")
    if family == "monotone" and loss != "l1":
        raise ValueError("bounds for monotone p are stated for l1 only")
