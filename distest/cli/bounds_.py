"""distest bounds: what is provable for a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from distest.cli import tables

if TYPE_CHECKING:
    from analysis.bounds.applicable import Model
    from analysis.bounds.structured import Family


@click.command("bounds")
@click.option("--n", type=int, required=True, help="Domain size.")
@click.option("--m", type=int, required=True, help="Number of servers.")
@click.option("--s", type=int, default=1, show_default=True, help="Samples per server.")
@click.option("--bits", type=int, help="Hard cap on the bits of a server.")
@click.option("--total-bits", type=float, help="Expected bits of the whole transcript.")
@click.option("--error", type=float, help="Ask the other way round: bits needed for this error (l2: squared).")
@click.option("--loss", type=click.Choice(["l2", "l1", "both"]), default="both", show_default=True)
@click.option("--model", type=click.Choice(["blackboard", "SMP"]), default="blackboard", show_default=True)
@click.option("--family", type=click.Choice(["all", "histogram", "monotone"]), default="all", show_default=True)
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
    pieces: int | None,
    as_json: bool,
) -> None:
    """Print every bound that applies to a problem, with regime, constants and source."""
    from analysis.bounds import applicable
    from analysis.bounds.bound import Loss
    from distest.errors import UsageError

    losses: list[Loss] = ["l2_squared"] if loss == "l2" or (loss == "both" and family != "monotone") else []
    losses += ["l1"] if loss != "l2" else []
    found: list[Any] = []
    binding = []
    try:
        for kind in losses:
            if error is not None:
                needed = applicable.best_lower_bits(n, m, kind, error, model=model, family=family, pieces=pieces)
                found.append(needed)
            else:
                bounds = applicable.for_problem(
                    n, m, s, kind, total_bits, bits, model=model, family=family, pieces=pieces
                )
                best = max((b for b in bounds if b.holds_at_finite_size), key=lambda b: b.value)
                found += bounds
                binding.append(best.name)
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    if as_json:
        tables.json_lines([{**b.describe(), "binds": b.name in binding} for b in found])
        return
    rows = [
        {
            "bound": b.name,
            "kind": b.kind,
            "value": b.value,
            "unit": b.unit,
            "sense": b.sense,
            "binds": "<-" if b.name in binding and b.kind == "lower" else "",
            "constants": ", ".join(f"{k}={v:.6g}" for k, v in b.constants.items()),
            "source": b.source,
        }
        for b in found
    ]
    tables.show(f"n={n}, m={m}, s={s}", rows, "asymptotic rows are limits: never divide a measurement by them")
