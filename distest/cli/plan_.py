"""distest plan: which protocol to take for an error, and which method for a network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click.core import ParameterSource

from distest.cli import plan_network, tables
from distest.cli.completing import names
from distest.cli.examples import examples
from distest.learning.task import Family
from distest.spec import law_for_every, named

if TYPE_CHECKING:
    from distest.planned import Check
    from distest.planning import Limits, Plan, Wanted

_BOTH = ("check", "as_json")
_OF_NETWORKS = ("model_size", "shapes", "workers", "link", "latency", "compute", "nmse", "ranks", "limit")


@click.command(
    "plan",
    epilog=examples(
        "plan --n 64 --eps 0.1 --loss l1 --bits 3 --check",
        "plan --model-size 1e7 --workers 8 --link 1e9",
    ),
)
@click.option("--n", type=int, help="Domain size: plan to learn a distribution.")
@click.option("--eps", type=float, help="The error to reach: of l1, or of the l2 norm, whose square is below eps^2.")
@click.option("--error", type=float, help="The same as 'distest bounds' has it: of l1, or of squared l2.")
@click.option("--m", type=int, help="In place of an error: as many servers, and what error they reach.")
@click.option("--s", type=int, default=1, show_default=True, help="Samples per server.")
@click.option("--loss", type=click.Choice(["l1", "l2"]), default="l2", show_default=True, help="Which error is meant.")
@click.option("--bits", help="The most bits a server may write, or 'unlimited'.  [default: unlimited]")
@click.option(
    "--family", type=click.Choice(get_args(Family)), default="all", show_default=True, help="Which p there may be."
)
@click.option("--support", type=int, help="Symbols of p (with --family sparse).")
@click.option("--pieces", type=int, help="Pieces of the histograms (with --family histogram).")
@click.option(
    "--distribution",
    shell_complete=names("distribution"),
    help="The law that errors are predicted for.  [default: one of the family, uniform]",
)
@click.option("--referee", is_flag=True, help="Simultaneous messages only.")
@click.option("--worst", is_flag=True, help="The promise for every law has to reach the error, not the prediction.")
@click.option(
    "--least",
    type=click.Choice(["bits", "servers"]),
    default="bits",
    show_default=True,
    help="What the recommended protocol has the fewest of.",
)
@click.option("--check", is_flag=True, help="Run what is recommended, and print what was predicted beside it.")
@click.option("--repeats", type=int, default=50, show_default=True, help="With --check: runs.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random laws, and of runs.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="With --check: folder for the records.")
@click.option("--model-size", type=float, help="Parameters: plan a step of training.")
@click.option("--shapes", help="In place of --model-size: its tensors, such as 784x256,256,256x10,10.")
@click.option("--workers", type=int, default=8, show_default=True, help="With --model-size: workers, a link each.")
@click.option("--link", type=float, default=1e9, help="With --model-size: bits a second, each way.  [default: 1e9]")
@click.option("--latency", type=float, default=20e-6, help="With --model-size: seconds a message.  [default: 20e-6]")
@click.option("--compute", type=float, default=0.0, help="With --model-size: seconds of a gradient.  [default: 0]")
@click.option("--nmse", type=float, default=0.1, show_default=True, help="With --model-size: what a message may lose.")
@click.option("--ranks", type=int, help="With --model-size and --check: time steps on so many MPI ranks here.")
@click.option("--limit", type=float, help="With --ranks: end the job after so many seconds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(check: bool, seed: int, out: Path | None, as_json: bool, **flags: Any) -> int:
    """Say what to take for a task, what it will cost, and why.

    With --n and --eps, --error or --m, of learning a distribution: every protocol that fits, with the servers it needs,
    the bits and the mean error of its own formulas for one law, and the promise for every law of the family. Errors are
    means; those of l2 are printed squared, as by 'distest bounds', and --eps 0.05 asks for 0.0025.

    With --model-size, of a step of training: compressors, each with its quickest exchange, and the seconds a step takes
    on links of --link, by kernels that are measured here and now and formulas of exchanges. What codes by itself is
    rehearsed by one worker: the exchange common_scale, sketched_sgd and, with --shapes, power_sgd. With --check and
    --ranks the network is the memory between these ranks, measured as well, and steps are timed on it.
    """
    context = click.get_current_context()
    given = [key for key in context.params if context.get_parameter_source(key) is ParameterSource.COMMANDLINE]
    of_networks = {key: flags.pop(key) for key in _OF_NETWORKS}
    if len({"n", "model_size", "shapes"} & {*given}) > 1:
        raise click.UsageError(
            "--n plans to learn a distribution, --model-size or --shapes a step of training: give one of them"
        )
    training = of_networks["model_size"] is not None or of_networks["shapes"] is not None
    here, there = ("--model-size", "--n") if training else ("--n", "--model-size")
    for key in given:
        if key not in _BOTH and (key in of_networks) != training:
            raise click.UsageError(f"--{key.replace('_', '-')} goes with {there}, not with {here}")
    if training:
        return plan_network.run(check=check, given=given, as_json=as_json, **of_networks)
    if out is not None and not check:
        raise click.UsageError("--out keeps the records of --check")
    if not 0 <= seed < 1 << 64:
        raise click.UsageError(f"a seed is an integer from 0 to 2^64 - 1, got {seed}")
    if "repeats" in given and not check:
        raise click.UsageError("--repeats goes with --check")
    return _learning(check=check, seed=seed, out=out, as_json=as_json, **flags)


def _learning(
    n: int | None, eps: float | None, error: float | None, m: int | None, s: int, loss: Any, bits: str | None,
    distribution: str | None, family: Any, support: int | None, pieces: int | None, referee: bool, worst: bool,
    least: Any, check: bool, repeats: int, seed: int, out: Path | None, as_json: bool,
) -> int:  # fmt: skip
    from distest import planned, planning
    from distest.candidates import Problem
    from distest.learning.task import Task

    if n is None:
        raise click.UsageError("--n is missing: a plan takes --n and one of --eps, --error and --m")
    if sum(value is not None for value in (eps, error, m)) != 1:
        raise click.UsageError("a plan takes one of --eps, --error and --m")
    if m is not None and m < 1:
        raise click.UsageError(f"--m is at least 1, got {m}")
    if repeats < 1:
        raise click.UsageError(f"--repeats is at least 1, got {repeats}")
    for name, value in (("--eps", eps), ("--error", error)):
        if value is not None and not 0 < value < math.inf:
            raise click.UsageError(f"{name} is an error above 0, got {value}")
    if eps is not None:
        error = eps if loss == "l1" else eps * eps
    problem = Problem(Task(n, m or 1, s, loss), family, _cap(bits), None, support, pieces, referee)
    law = _law(distribution, family, support, pieces)
    wanted = planning.Wanted(problem, planning.law(law, n, seed), error, worst, least)
    found = planning.plans(wanted)
    best, reason = planning.recommended(wanted, found)
    limits = planning.limits(wanted, best)
    if as_json:
        rows = [{**_described(plan), "recommended": plan is best} for plan in found]
        tables.json_lines([*rows, {"reason": reason, **_provable(limits)}])
    else:
        _show(wanted, found, best, reason, limits, _shown(law))
    if not check:
        return 0
    found_out = _checked(best, law, repeats, seed, out)
    return _judged(best, found_out, planned.ERROR_WITHIN, as_json)


def _cap(bits: str | None) -> int | None:
    """The bits a server may write."""
    if bits is None or bits == "unlimited":
        return None
    if not bits.isdecimal():
        raise click.UsageError(f"--bits is a number or 'unlimited', got {bits!r}")
    return int(bits)


def _law(distribution: str | None, family: str, support: int | None, pieces: int | None) -> dict[str, Any]:
    """The law that is asked for, or one of the family."""
    if distribution is not None:
        return named(distribution)
    if family == "sparse":
        return {"name": "sparse", "support": support}
    asked = {"name": "every", "family": family, "pieces": pieces}
    return law_for_every([asked]) or {"name": "uniform"}


def _shown(table: dict[str, Any]) -> str:
    options = ",".join(f"{key}={value}" for key, value in table.items() if key != "name")
    return f"{table['name']}:{options}" if options else str(table["name"])


def _described(plan: Plan) -> dict[str, Any]:
    """A plan as plain values."""
    return {
        "protocol": plan.spec,
        "label": plan.label,
        "model": plan.protocol.model,
        "coins": plan.protocol.coin_use,
        "m": plan.m,
        "bits": plan.law.bits,
        "bits_at_most": plan.law.at_most,
        "bits_per_server": plan.protocol.bits_per_server(),
        "error": plan.law.error,
        "how": plan.law.how,
        "note": plan.law.note,
        "promise": plan.promise if math.isfinite(plan.promise) else None,
    }


def _provable(limits: Limits) -> dict[str, Any]:
    return {
        "provable_bits": None if limits.bits is None else limits.bits.value,
        "provable_servers": limits.servers,
        "provable_error": None if limits.error is None else limits.error.value,
    }


def _show(wanted: Wanted, found: list[Plan], best: Plan, reason: str, limits: Limits, law: str) -> None:
    task = wanted.problem.task
    error = "l1" if task.loss == "l1" else "l2^2"
    rows = [
        {
            "": "<-" if plan is best else "",
            "protocol": plan.label,
            "model": plan.protocol.model,
            "coins": plan.protocol.coin_use,
            "m": plan.m,
            "bits": None if plan.law.bits is None else f"{'<= ' * plan.law.at_most}{plan.law.bits:,.0f}",
            f"{error} predicted": plan.law.error,
            "by": plan.law.how + ", this law alone" * plan.alone,
            f"{error}, every p": plan.promise if math.isfinite(plan.promise) else None,
        }
        for plan in found
    ]
    title = f"n = {task.n}, s = {task.s}, {wanted.problem.family} p"
    if wanted.problem.bits is not None:
        title += f", at most {wanted.problem.bits} bits a server"
    if wanted.target is not None:
        whose = "promised for every p" if wanted.worst else f"predicted for {law}"
        title += f": mean {error} of at most {wanted.target:.6g}, {whose}"
    else:
        title += f", m = {task.m:,}: mean {error}, predicted for {law}"
    notes = ["exact: by De Moivre's formula"] if task.loss == "l1" else []
    notes.append(f"every p: what is promised for all {_class(wanted)}")
    if any(plan.alone for plan in found):
        notes.append("this law alone: others may cost it far more, so it is not recommended")
    tables.show(title, rows, "; ".join(notes))
    click.echo(f"recommended: {best.label} with m = {best.m:,}: {reason}")
    for sentence in _sentences(wanted, best, limits, error):
        click.echo(f"provable: {sentence}")


def _class(wanted: Wanted) -> str:
    return "p" if wanted.problem.family == "all" else f"{wanted.problem.family} p"


def _sentences(wanted: Wanted, best: Plan, limits: Limits, error: str) -> list[str]:
    """What is provable, for the worst p, beside the plan."""
    model = "simultaneous" if wanted.problem.referee else "blackboard"
    told = []
    if limits.bits is not None:
        said = f"any {model} protocol for every p writes {limits.bits.value:,.0f} bits at least for this error"
        if best.law.bits is not None and limits.bits.value > 0:
            said += f", and this one {best.law.bits / limits.bits.value:.3g} times as many"
        told.append(f"{said} ({limits.bits.name})")
    if limits.servers is not None:
        told.append(f"with fewer than {limits.servers:,} such servers none reaches it for every p")
    if limits.error is not None:
        told.append(f"with m = {best.m:,} none has a mean {error} below {limits.error.value:.4g} for every p")
    return told or ["nothing is proved for this family and loss"]


def _checked(best: Plan, law: dict[str, Any], repeats: int, seed: int, out: Path | None) -> Check:
    from distest import planned, records
    from distest.cli import running
    from distest.cli.progress import progress

    if out is not None:
        running.prepare(out)

    def keep(record: records.Record) -> None:
        if out is not None:
            records.append(out / records.FILE, record)

    with progress("servers heard", best.m * repeats, True) as heard:
        return planned.check(best, law, repeats, seed, keep, heard)


def _judged(best: Plan, found: Check, within: float, as_json: bool) -> int:
    """Print what was predicted beside what was measured; 1 where they are apart."""
    wrong = found.wrong(best.law.how == "bound")
    if as_json:
        measured = {"runs": found.runs, "error": found.error, "standard_error": found.spread, "bits": found.bits}
        predicted = {"error_predicted": found.predicted, "bits_predicted": found.bits_predicted}
        ratios = {"error_ratio": found.error_ratio, "bits_ratio": found.bits_ratio, "wrong": wrong}
        tables.json_lines([{"check": best.label, **measured, **predicted, **ratios}])
        return wrong is not None
    rows: list[dict[str, Any]] = [
        {
            "": "mean error",
            "predicted": found.predicted,
            "measured": found.error,
            "standard error": found.spread,
            "ratio": found.error_ratio,
        },
        {"": "mean bits", "predicted": found.bits_predicted, "measured": found.bits, "ratio": found.bits_ratio},
    ]
    tables.show(f"check: {best.label}, {found.runs} runs", rows)
    click.echo(f"check: {wrong}" if wrong else f"check: as predicted, the error within {within:.0%}")
    return wrong is not None
