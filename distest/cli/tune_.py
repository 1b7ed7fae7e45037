"""distest tune: search the step size, and one or two knobs, of methods on one problem; say what that has won."""

import math
import shlex
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from analysis.exports import shown
from distest import train_spec as specs
from distest.cli import running, tables, train_options
from distest.cli.examples import examples
from distest.rank import DIVERGED
from distest.spec import Table

_KNOB = (
    "A knob and its values, name=0.1,0.5,1 or name=0.01..1; may be repeated; none for none.  "
    "[default: each method's own]"
)
_END = {"low": "least", "high": "largest"}
_RATES = "Step sizes of the coarse grid, such as 0.01,0.1,1 or 0.001..10.  [default: the rate times 1/16 to 16]"


@click.command(
    "tune",
    epilog=examples(
        "tune --problem softmax --steps 40 --method qsgd --target 1.3 --out tuned",
        "tune spec.toml --bits-budget 2e6 --knob momentum=0,0.9 --repeats 3",
    ),
)
@train_options.training
@click.option("--target", type=float, help="A loss: search the fewest bits to it.")
@click.option("--bits-budget", type=float, help="Payload bits of a run: search the least loss within them.")
@click.option("--rates", help=_RATES)
@click.option("--knob", "knobs", multiple=True, metavar="NAME=VALUES", help=_KNOB)
@click.option("--trials", type=int, help="Runs of each method, at most.  [default: 24]")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for records, series and the best specs.")
@click.option("--resume", is_flag=True, help="With --out: make no run again that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one line a method instead of a table.")
def command(
    spec: Path | None,
    ranks: int | None,
    limit: float | None,
    target: float | None,
    bits_budget: float | None,
    rates: str | None,
    knobs: tuple[str, ...],
    trials: int | None,
    out: Path | None,
    resume: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Search the best step size and knobs of each method, by the bits to a loss or by the loss at a number of bits.

    SPEC is a TOML file as for `distest train`, perhaps with a table `tune`; flags change it. A coarse grid of rates
    comes first, and goes on where the best is at its edge; then the knobs, then rates near the best. A run that
    diverges is the worst of all, and no error unless all runs of a method do. With repeats the best few are compared
    over all, on the same seeds.
    """
    from distest.errors import UsageError
    from distest.launch import in_mpi
    from distest.tuning import asked as asking

    if in_mpi():
        raise UsageError("distest tune starts ranks by itself, anew for each run: leave out mpirun, and use --ranks")
    if resume and out is None:
        raise click.UsageError("--resume goes with --out")
    running.import_from_here()
    table = train_options.read(spec)
    said: Table = {"target": target, "bits_budget": bits_budget, "trials": trials, "knobs": asking.knobs_of(knobs)}
    said |= {"rates": None if rates is None else asking.values_of(rates)}
    wanted = table.pop("tune", {})
    if not isinstance(wanted, dict):
        raise UsageError(f"tune is a table, such as tune = {{ target = 0.5 }}, got {wanted!r}")
    if target is not None or bits_budget is not None:
        wanted = {key: value for key, value in wanted.items() if key not in ("target", "bits_budget")}
    wanted = {**wanted, **{key: value for key, value in said.items() if value is not None}}
    return _run(
        specs.check(train_options.table_of(table, **asked)), asking.check(wanted), ranks, limit, out, resume, as_json
    )


def _run(
    spec: specs.TrainSpec, asked: Any, ranks: int | None, limit: float | None, out: Path | None, resume: bool, js: bool
) -> int:
    import msgspec

    from distest import training
    from distest.cli.progress import progress
    from distest.errors import UsageError
    from distest.tuning import asked as asking
    from distest.tuning.trials import Trials

    if spec.fast:
        raise UsageError("fast=true books no bits, and a search is about bits; leave it out")
    planned = training.plan(spec)
    if not spec.evaluate:
        spec = msgspec.structs.replace(spec, evaluate=max(1, max(t.rule.steps for t in planned) // 50))
    problems = [
        asking.problem_of(spec, asked, trial.spec["method"], training.usual_rate(spec, trial)) for trial in planned
    ]
    asking.unheeded(asked, problems)
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distest-")))
        running.prepare(folder)
        done = stack.enter_context(progress("runs", asked.trials * len(problems), True))
        found = []
        for trial, problem in zip(planned, problems, strict=True):
            tuning = asking.described(asked, problem)
            runs = Trials(asked, problem, folder, tuning, ranks, limit, resume, done)
            found.append(_one(trial.label, problem, runs, out))
    for row in found:
        if js:
            running.print_json(row)
    if not js:
        _show(spec, asked, found)
    return DIVERGED if any(row["diverged"] == row["runs"] for row in found) else 0


def _one(label: str, problem: Any, runs: Any, out: Path | None) -> Table:
    """Search for one method; what there is to say, as a row of plain values."""
    from distest import toml
    from distest.tuning.search import WORST, centre, search
    from distest.tuning.trials import changed

    found = search(problem.usual, problem.rates, problem.knobs, runs.run, runs.asked.trials, problem.spec.repeats)
    best, usual = centre(found.scores[found.best]), centre(found.scores[found.usual])
    every = sorted({setting.rate for setting in found.scores})
    tuning = {**runs.tuning, "rates": every, "runs": found.runs}
    spec = changed(problem.at(found.best, tuning))
    if out is None:
        told = " ".join(f"--set {shlex.quote(f'{key}={toml.inline(value)}')}" for key, value in spec.items())
        again = f"distest train {told}"
    else:
        path = out / f"best-{label.replace(' ', '-').replace('/', '-')}.toml"
        path.write_text(toml.text(spec), encoding="utf-8")
        again = f"distest train {shlex.quote(str(path))}"
    return {
        "method": label,
        "rate": found.best.rate,
        "knobs": dict(found.best.knobs),
        "bits": _finite(best.bits) if runs.asked.target is not None else None,
        "loss": _finite(best.loss),
        "usual_rate": found.usual.rate,
        "usual_knobs": dict(found.usual.knobs),
        "usual_bits": _finite(usual.bits) if runs.asked.target is not None else None,
        "usual_loss": _finite(usual.loss),
        "runs": found.runs,
        "diverged": sum(score == WORST for scores in found.scores.values() for score in scores),
        "rates": every,
        "edge": found.edge,
        "ends": dict(found.ends),
        "extended": found.extended,
        "spent": runs.spent(found.best),
        "command": again,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _show(spec: specs.TrainSpec, asked: Any, found: list[Table]) -> None:
    if asked.target is None:
        aim = f"least loss within {asked.bits_budget:,.0f} bits"
    else:
        aim = f"fewest bits to a loss of {asked.target:g}"
    rows = []
    for row in found:
        told = {"method": row["method"], "rate": row["rate"], **{"knobs": _knobs(row["knobs"]) or None}}
        if asked.target is not None:
            told |= {"bits": row["bits"], "usual rate": row["usual_rate"], "its bits": row["usual_bits"]}
            told |= {"times": _ratio(row["usual_bits"], row["bits"])}
        else:
            told |= {"loss": row["loss"], "usual rate": row["usual_rate"], "its loss": row["usual_loss"]}
            told |= {"less by": _less(row["usual_loss"], row["loss"])}
        rows.append(told | {"runs": row["runs"]})
    tables.show(
        f"{spec.problem['name']}: {aim}; {spec.workers} workers, batches of {spec.batch or 'all'}, seed {spec.seed}",
        rows,
        "usual: what the spec says without a search; - for a run that diverged or never got there",
    )
    for row in found:
        for sentence in _sentences(asked, row):
            click.echo(f"{row['method']}: {sentence}")
    for row in found:
        click.echo(f"\n# {row['method']}\n{row['command']}")


def _sentences(asked: Any, row: Table) -> list[str]:
    """What a reader of the table should know about one method."""
    said = []
    if row["diverged"] == row["runs"]:
        said.append("every run diverged; try smaller --rates")
    elif asked.target is not None and row["bits"] is None:
        said.append(f"no run got to {asked.target:g}, and the best is the one with the least loss; allow more --steps")
    if asked.bits_budget is not None and row["spent"] < asked.bits_budget and row["loss"] is not None:
        said.append(f"a run sends only {row['spent']:,} bits, so that the budget was not spent; allow more --steps")
    if row["extended"]:
        low, high = row["rates"][0], row["rates"][-1]
        said.append(f"the best was at the edge of the grid, which went on: rates from {low:g} to {high:g} were tried")
    if row["edge"] is not None and row["loss"] is not None:
        said.append(f"the best rate is still the {_END[row['edge']]} that was tried; allow more --trials")
    for knob, edge in row["ends"].items():
        said.append(f"the best {knob}={row['knobs'][knob]:g} is the {_END[edge]} of its list; try others by --knob")
    return said


def _knobs(knobs: Table) -> str:
    return " ".join(f"{knob}={shown(value)}" for knob, value in knobs.items())


def _ratio(usual: float | None, best: float | None) -> float | None:
    return usual / best if usual is not None and best else None


def _less(usual: float | None, best: float | None) -> float | None:
    return usual - best if usual is not None and best is not None else None
