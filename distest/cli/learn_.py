"""distest learn: run protocols, keep records, show a table."""

import sys
from pathlib import Path
from typing import Any

import click

from distest import candidates
from distest import spec as specs
from distest.cli import running, tables
from distest.cli.completing import names
from distest.cli.examples import examples

_HINT = "for example --protocol grouping:bits=3,shift=false"


@click.command(
    "learn",
    epilog=examples(
        "learn --protocol grouping:bits=3 --n 64 --m 10000 --distribution zipf",
        "learn --protocol every --bits 3 --data sales.csv --column region --out run",
        "learn spec.toml --set seed=1 --ranks 4",
    ),
)
@click.argument("spec", type=click.Path(path_type=Path), required=False)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    help=f"A protocol by name, {_HINT}, or every: all that fit; repeatable.",
    shell_complete=names("protocol", specs.EVERY),
)
@click.option("--bits", type=int, help="Bits per server, for every protocol that takes a budget.")
@click.option("--support", type=int, help="Symbols of a sparse p, for every protocol that takes it.")
@click.option("--pieces", type=int, help="Pieces of a histogram, for every protocol that takes it.")
@click.option("--family", help="With --protocol every: all, sparse, histogram or monotone.")
@click.option("--n", type=int, help="Domain size.")
@click.option("--m", type=int, help="Number of servers.")
@click.option("--s", type=int, help="Samples per server.  [default: 1]")
@click.option(
    "--distribution", help="A law by name, for example zipf:exponent=1.2.", shell_complete=names("distribution")
)
@click.option(
    "--data", help="Real data: a name of the bundle (departures:slot=5) or a file.", shell_complete=names("data")
)
@click.option("--column", help="The column of the file.")
@click.option("--sampling", help="iid, or dealt: without replacement, measured on a held-out half.")
@click.option(
    "--estimator",
    help="What is made of the estimate: raw, simplex, minimax, isotonic, merge:pieces=8.",
    shell_complete=names("estimator"),
)
@click.option("--loss", help="What protocols tune themselves for: l2 or l1.")
@click.option("--generator", help="splitmix, or philox (strict).")
@click.option("--seed", type=int, help="Seed of all coins and samples.  [default: 0]")
@click.option("--repeats", type=int, help="Independent runs of each protocol.  [default: 1]")
@click.option("--hearing", help="central: rank 0 decodes all; spread: each rank decodes its own servers.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change any key of the spec.")
@click.option("--ranks", type=int, help="Start this many MPI ranks.")
@click.option("--limit", type=float, help="With --ranks: end the job after so many seconds.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for records, boards and figures.")
@click.option("--boards/--no-boards", default=True, help="With --out: keep transcripts for an audit.")
@click.option("--figures/--no-figures", default=True, help="With --out: draw error against bits.")
@click.option("--json", "as_json", is_flag=True, help="Print one record a line instead of a table.")
def command(
    spec: Path | None,
    protocols: tuple[str, ...],
    bits: int | None,
    support: int | None,
    pieces: int | None,
    family: str | None,
    settings: tuple[str, ...],
    ranks: int | None,
    limit: float | None,
    out: Path | None,
    boards: bool,
    figures: bool,
    as_json: bool,
    data: str | None,
    column: str | None,
    **plain: Any,
) -> int:
    """Learn a distribution with one or more protocols and count every bit.

    SPEC is a TOML file; flags and --set change it. Without it the flags are the whole spec. A spec with a grid is
    a sweep: all its runs, one table.
    """
    table = specs.normalise(specs.read_toml(spec) if spec else {})
    table |= {key: value for key, value in plain.items() if value is not None}
    table = specs.normalise({**table, **_source(table, data, column)})
    if protocols:
        table["protocols"] = [specs.named(p) for p in protocols]
    for key, value in (("bits", bits), ("support", support), ("pieces", pieces), ("family", family)):
        if value is not None:
            specs.spread(table["protocols"], key, value)
    if table.get("distribution") is None and table.get("data") is None:
        table["distribution"] = specs.law_for_every(table["protocols"])
    for setting in settings:
        specs.assign(table, setting)
    sweep = [specs.check(case) for case in specs.expand(table)]

    from distest import launch

    if ranks is not None and not launch.in_mpi():
        from distest import experiment

        plans = [experiment.plan(spec_) for spec_ in sweep]
        if out is not None:
            running.prepare(out)
        return launch.launch(running.without_ranks(sys.argv[1:]), ranks, limit, plans[0][0].protocol.task.m)
    return _run(sweep, out, boards, figures, as_json)


def _source(table: dict[str, Any], data: str | None, column: str | None) -> dict[str, Any]:
    """The data a flag names: a file if it looks like one, else a name of the bundle."""
    if data is None:
        if column is not None:
            raise click.UsageError("--column goes with --data FILE")
        return {}
    name = data.partition(":")[0]
    is_file = column is not None or Path(data).is_file() or Path(data).suffix != "" or "/" in name
    chosen = {"file": data, **({"column": column} if column else {})} if is_file else specs.named(data)
    return {"data": chosen, "distribution": None} if table.get("distribution") is None else {"data": chosen}


def _run(sweep: list[specs.LearnSpec], out: Path | None, boards: bool, figures: bool, as_json: bool) -> int:
    from distest import api, experiment, launch, records
    from distest.cli.progress import progress

    transport = api.transport_at_hand()
    plans = [experiment.plan(spec) for spec in sweep]
    keep = out is not None and boards
    referee = transport.hosts_referee
    if referee and out is not None:
        running.prepare(out)
    made = []
    servers = sum(
        trial.protocol.task.m * spec.repeats for spec, trials in zip(sweep, plans, strict=True) for trial in trials
    )
    parties = 0
    with progress("servers heard", servers, referee) as heard:
        for spec, trials in zip(sweep, plans, strict=True):
            if parties != (parties := trials[0].protocol.task.m):
                launch.rank_started(parties)
            for record, board in experiment.run(spec, trials, transport, keep, heard):
                if board is not None and out is not None:
                    record["board"] = f"{records.run_name(record)}.board"
                    board.save(out / "boards" / record["board"])
                if out is not None:
                    records.append(out / records.FILE, record)
                if as_json:
                    running.print_json(record)
                made.append(record)
    if referee and not as_json:
        _show(sweep, transport.size, made)
    if referee and out is not None and figures:
        _draw(out, sys.stderr if as_json else sys.stdout)
    return 0


def _show(sweep: list[specs.LearnSpec], ranks: int, made: list[dict[str, Any]]) -> None:
    from analysis import compare

    spec, first = sweep[0], made[0]
    rows = compare.summary(made)
    if len(sweep) == 1:
        per = "one sample a server" if first["s"] == 1 else f"{first['s']} samples a server"
        law = spec.distribution["name"] if spec.distribution else compare.law(first)
        problem = f"{law}: n = {first['n']}, m = {first['m']:,} servers, {per}"
    else:
        problem = f"a sweep of {len(sweep)} specs"
        rows = [{**varied, **row} for varied, row in zip(compare.varied(made), rows, strict=True)]
    click.echo(f"{problem}, {ranks} rank{'s' * (ranks > 1)}, sampling {spec.sampling}, seed {spec.seed}")
    if spec.data and len(sweep) == 1:
        click.echo(f"measured against: {first['truth']['kind']} ({first['truth']['rows']:,} rows)")
    if len(sweep) == 1 and spec.estimator != {"name": "raw"}:
        click.echo(f"estimator: {_options(first['spec']['estimator'])}")
    if len(sweep) == 1 and spec.servers:
        click.echo(f"servers: {_options(spec.servers)}")
    tables.show("", rows, "; ".join(_notes(sweep, rows, made)))


def _notes(sweep: list[specs.LearnSpec], rows: list[dict[str, Any]], made: list[dict[str, Any]]) -> list[str]:
    """What has to be said about a table; columns that say nothing in it are taken out."""
    from distest.learning.roster import HOPELESS
    from distest.learning.task import Task

    sizes = sorted({record["n"] for record in made})
    padded = sorted({row["padded n"] for row in rows} - set(sizes))
    for row in rows:
        if not padded:
            row["padded n"] = None
    for key in ("l2^2 s.e.", "predicted", "lower bound, bits", "lower bound, l1", "padded n"):
        if all(row[key] is None for row in rows):
            for row in rows:
                del row[key]
    if all(row["runs"] == 1 for row in rows):
        for row in rows:
            del row["runs"]
    notes = []
    if padded:
        shown = [", ".join(map(str, some)) for some in (sizes, padded)]
        notes.append(f"the hashes pad n = {shown[0]} to {shown[1]}, the next power of two")
    if any("measured/provable" in row for row in rows):
        notes.append("error, bits and bound are averages over the prior of the bound (docs/bounds.md, 6.8)")
    elif "lower bound, bits" in rows[0]:
        notes.append(
            "lower bound: bits the worst p of a protocol's class needs at this l2^2; p here is not the worst, so no "
            "ratio is formed"
        )
    if any(row.get("lower bound, l1") is not None for row in rows):
        notes.append("lower bound, l1: what the worst p has at these bits")
    if any(record["s"] == 1 and record["spec"].get("servers", {}).get("lying") for record in made):
        notes.append(HOPELESS)
    if len(sweep) == 1:
        task = Task(made[0]["n"], made[0]["m"], made[0]["s"], sweep[0].loss)
        notes += [_between(candidates.Problem.of(t, task)) for t in sweep[0].protocols if t["name"] == specs.EVERY]
    return notes


def _options(table: dict[str, Any]) -> str:
    """A table of a spec as people read it: "merge, pieces 8, loss l2"."""
    return ", ".join(str(value) if key == "name" else f"{key} {value}" for key, value in table.items())


def _between(problem: Any) -> str:
    """What is provable and what is promised for the problem of `every`, as a sentence."""
    from distest.promises import promised, provable

    lower = [bound for bound in provable(problem) if bound.holds_at_finite_size]
    upper = promised(problem)
    said = f"for the worst of {problem.family} p, {problem.task.loss if problem.task.loss == 'l1' else 'l2^2'}: "
    said += (
        f"at least {max(lower, key=lambda b: b.value).value:.4g} is provable" if lower else "nothing is provable here"
    )
    return said + (f", at most {upper[0].value:.4g} is promised, by {upper[0].name}" if upper else ", nothing promised")


def _draw(out: Path, stream: Any) -> None:
    from distest.errors import UsageError, install

    try:
        from analysis import figures
    except ImportError:
        click.echo(f"no picture, matplotlib is missing: {install('report')} (or give --no-figures)", err=True)
        return
    from distest import records

    try:
        paths = figures.error_against_bits(records.load(out), out / "figures")
    except OSError as error:
        raise UsageError(f"no picture: {out / 'figures'} cannot be written ({error.strerror})") from None
    click.echo(f"picture: {', '.join(map(str, paths))}", file=stream)
