"""distest bounds: what is provable for a problem, and what the protocols that fit it promise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_args

import click

from distest.cli import tables
from distest.learning.task import Family

if TYPE_CHECKING:
    from analysis.bounds.applicable import Model
    from analysis.bounds.bound import Bound
    from analysis.bounds.bound import Loss as BoundLoss
    from distest.candidates import Problem


_PROMISES_MOST = 1 << 20


@click.command("bounds")
@click.option("--n", type=int, required=True, help="Domain size.")
@click.option("--m", type=int, required=True, help="Number of servers.")
@click.option("--s", type=int, default=1, show_default=True, help="Samples per server.")
@click.option("--bits", type=int, help="Hard cap on the bits of a server.")
@click.option("--total-bits", type=float, help="Expected bits of the whole transcript.")
@click.option("--error", type=float, help="Ask the other way round: bits needed for this error (l2: squared).")
@click.option("--loss", type=click.Choice(["l2", "l1", "both"]), default="both", show_default=True)
@click.option("--model", type=click.Choice(["blackboard", "SMP"]), default="blackboard", show_default=True)
@click.option("--family", type=click.Choice(get_args(Family)), default="all", show_default=True)
@click.option("--support", type=int, help="Symbols of p (with --family sparse).")
@click.option("--pieces", type=int, help="Pieces of the histograms (with --family histogram).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    n: int,
    m: int,
    s: int,
    bits: int | None,
    total_bits: float | None,
    error: float | None,
    loss: str,
    model: Model,
    family: Family,
    support: int | None,
    pieces: int | None,
    as_json: bool,
) -> None:
    """Print every bound that applies to a problem, with regime, constants and source.

    Kind "lower": no protocol does better. Kind "risk": what a protocol that fits promises for all p of the class, at
    the options that promise least. An arrow marks the largest lower bound and the smallest promise of each loss.
    """
    from distest.candidates import Problem
    from distest.errors import UsageError
    from distest.learning.task import Task

    both = [Problem(Task(n, m, s, kind), family, bits, total_bits, support, pieces, model == "SMP")
            for kind in ("l2", "l1") if loss in (kind, "both")]  # fmt: skip
    found: list[tuple[Bound, bool]] = []
    try:
        for problem in both:
            lower, upper = provable(problem, error), [] if error is not None else promised(problem)
            finite = [bound for bound in lower if bound.holds_at_finite_size]
            binding = [max(finite, key=lambda b: b.value)] if finite and error is None else []
            binding += [min(upper, key=lambda b: b.value)] if upper else []
            found += [(bound, any(bound is one for one in binding)) for bound in (*lower, *upper)]
    except ValueError as fault:
        raise UsageError(str(fault)) from None
    if as_json:
        tables.json_lines([{**b.describe(), "binds": binds} for b, binds in found])
        return
    rows = [
        {
            "bound": b.name,
            "kind": b.kind,
            "value": b.value,
            "unit": b.unit,
            "sense": b.sense,
            "binds": "<-" if binds else "",
            "constants": ", ".join(f"{k}={v:.6g}" for k, v in b.constants.items()),
            "regime": b.regime if b.kind == "risk" else "",
            "source": b.source,
        }
        for b, binds in found
    ]
    if not rows:
        raise UsageError(f"nothing is proved for {family} p and loss {loss} here, and no protocol promises anything")
    notes = ["asymptotic rows are limits: never divide a measurement by them"]
    if both[0].budget is None and error is None:
        notes.append("protocols that take a budget need --bits or --total-bits")
    if n > _PROMISES_MOST:
        notes.append("promises of protocols are worked out for n up to 2^20")
    if family == "monotone" and loss != "l1":
        notes.append("no lower bound is stated for monotone p in l2")
    tables.show(f"n={n}, m={m}, s={s}", rows, "; ".join(notes))


def provable(problem: Problem, error: float | None = None) -> list[Bound]:
    """Every lower bound for the problem; with an error, the bits it needs."""
    from analysis.bounds import applicable

    task = problem.task
    loss: BoundLoss = "l1" if task.loss == "l1" else "l2_squared"
    model: Model = "SMP" if problem.referee else "blackboard"
    family: Any = problem.family
    if family == "monotone" and loss == "l2_squared":
        return []
    of = {"model": model, "family": family, "pieces": problem.pieces, "support": problem.support}
    if error is not None:
        return [applicable.best_lower_bits(task.n, task.m, loss, error, **of)]
    return applicable.for_problem(task.n, task.m, task.s, loss, problem.total_bits, problem.bits, **of)


def promised(problem: Problem) -> list[Bound]:
    """What every protocol that fits promises, smallest first; nothing for domains of more than 2^20 symbols."""
    import numpy as np

    from analysis.bounds.bound import Bound
    from distest import candidates, catalog

    task, found = problem.task, []
    if task.n > _PROMISES_MOST:  # they are worked out symbol by symbol
        return []
    for candidate in candidates.fitting(problem):
        protocol, worst = candidate.protocol, candidate.worst
        value = candidate.promise(task.loss)
        if worst is None or math.isinf(value):
            continue
        cap, expected = protocol.bits_per_server(), protocol.payload_bits(np.full(task.n, 1 / task.n))
        numbers = {"bits per server": cap, "bits at uniform p": expected}
        found.append(
            Bound(
                name=catalog.label(protocol),
                problem=f"{problem.family} p on n symbols, s samples per server, loss {task.loss}",
                model=protocol.model,
                sense="worst case",
                regime=worst.note,
                kind="risk",
                formula="worst_risk() of the protocol",
                constants={key: float(number) for key, number in numbers.items() if number is not None},
                source=type(protocol).source,
                value=value,
                unit="l1" if task.loss == "l1" else "l2_squared",
                ratio_ok="no: a promise for the worst p, to compare with lower bounds of the same class",
            )
        )
    return sorted(found, key=lambda bound: bound.value)
