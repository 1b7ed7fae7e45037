"""distest train: run methods of distributed SGD, keep records, show a table."""

import sys
from pathlib import Path
from typing import Any

import click

from distest import train_spec as specs
from distest.cli import running, tables
from distest.spec import assign, named, read_toml, value_of

_BITS = ("bits a coordinate", "bits up", "bits down", "bits of a link")
_HINT = "for example mean:feedback=true"


class Rate(click.ParamType):
    """A step size, or `theory`."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or the word."""
        try:
            return value if value == "theory" else float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor 'theory'", param, ctx)


@click.command("train")
@click.argument("spec", type=click.Path(path_type=Path), required=False)
@click.option(
    "--method", "methods", multiple=True, help=f"A method by name, {_HINT}; may be repeated.  [default: mean]"
)
@click.option("--compressor", help="What the messages of a method are made by, for example qsgd:bits=4.")
@click.option("--exchange", help="How the mean is made, for example parameter_server.")
@click.option("--clock", help="Who comes next where a server does not wait, for example live:delay=0.001.")
@click.option("--graph", help="Who hears whom where there is no server, for example torus.")
@click.option("--bits", type=int, help="Bits of a coordinate, for every compressor that takes them.")
@click.option("--density", type=float, help="Share of the coordinates sent, for every method that takes one.")
@click.option(
    "--problem",
    help="What is minimised, for example logistic:data=a9a, or your own module:Class:key=value.  [default: softmax]",
)
@click.option("--workers", type=int, help="Workers W, on any number of ranks.  [default: 4]")
@click.option("--steps", type=int, help="Steps.  [default: 100]")
@click.option("--epochs", type=float, help="In place of --steps: how often batches make all rows.")
@click.option("--batch", type=int, help="Rows of a gradient; 0 for a worker's whole shard.  [default: 32]")
@click.option("--shards", help="How rows are dealt to workers: iid, or sorted by label.  [default: iid]")
@click.option("--rate", type=Rate(), help="Step size, or theory for that of the method's theorem.  [default: 0.1]")
@click.option("--momentum", type=float, help="Momentum.  [default: 0]")
@click.option("--optimiser", help="sgd, or adam.  [default: sgd]")
@click.option("--schedule", help="constant, inverse, cosine, linear or steps.  [default: constant]")
@click.option("--milestones", help="With --schedule steps: when the rate becomes a tenth, such as 400,600 or 0.5,0.75.")
@click.option("--warmup", type=int, help="Steps in which the rate grows from nothing.  [default: 0]")
@click.option("--evaluate", type=int, help="Steps between evaluations.  [default: a tenth of all]")
@click.option("--seed", type=int, help="Seed of all coins and batches.  [default: 0]")
@click.option("--repeats", type=int, help="Independent runs of each method.  [default: 1]")
@click.option("--fast", is_flag=True, default=None, help="Whole vectors by MPI_Allreduce; no bit is booked.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change any key of the spec.")
@click.option("--ranks", type=int, help="Start this many MPI ranks.")
@click.option("--limit", type=float, help="With --ranks: end the job after so many seconds.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for records, series and boards.")
@click.option("--boards/--no-boards", default=False, help="With --out: keep transcripts for an audit.")
@click.option("--checkpoint", type=int, help="With --out: keep a checkpoint every so many steps.")
@click.option("--resume", is_flag=True, help="With --out: go on from the checkpoints that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print one record a line instead of a table.")
def command(
    spec: Path | None,
    methods: tuple[str, ...],
    compressor: str | None,
    exchange: str | None,
    clock: str | None,
    graph: str | None,
    bits: int | None,
    density: float | None,
    milestones: str | None,
    settings: tuple[str, ...],
    ranks: int | None,
    limit: float | None,
    out: Path | None,
    boards: bool,
    checkpoint: int | None,
    resume: bool,
    as_json: bool,
    **plain: Any,
) -> int:
    """Train a model with one or more methods of distributed SGD and count every bit, both ways.

    SPEC is a TOML file; flags and --set change it. Without it the flags are the whole spec.
    """
    running.import_from_here()
    table = specs.normalise(read_toml(spec) if spec else {})
    table = specs.normalise({**table, **{key: value for key, value in plain.items() if value is not None}})
    if milestones is not None:
        table["milestones"] = value_of(f"[{milestones}]")
    if methods:
        table["methods"] = [named(method) for method in methods]
    table["methods"] = table["methods"] or [{"name": "mean"}]
    parts = (("compressor", compressor), ("exchange", exchange), ("clock", clock), ("graph", graph))
    for key, value in parts:
        for method in table["methods"] if value is not None else []:
            method[key] = value
    for budget, amount in (("bits", bits), ("density", density)):
        if amount is not None:
            specs.spread(table["methods"], budget, amount)
    table = specs.normalise(table)
    for setting in settings:
        assign(table, setting)
    checked = specs.check(specs.normalise(table))

    if (checkpoint is not None or resume) and out is None:
        raise click.UsageError("--checkpoint and --resume go with --out")
    if checkpoint is not None and checkpoint < 1:
        raise click.UsageError(f"--checkpoint is a number of steps, at least 1, got {checkpoint}")

    from distest import launch

    if ranks is not None and not launch.in_mpi():
        from distest import training

        training.plan(checked)
        if out is not None:
            running.prepare(out)
        return launch.launch(running.without_ranks(sys.argv[1:]), ranks, limit, checked.workers)
    return _run(checked, out, boards, as_json, checkpoint, resume)


def _run(
    spec: specs.TrainSpec, out: Path | None, boards: bool, as_json: bool, checkpoint: int | None, resume: bool
) -> int:
    from distest import launch, records, training
    from distest.cli.progress import progress
    from distest.sgd.saving import Saving

    transport = running.transport_at_hand()
    trials = training.plan(spec)
    referee = transport.hosts_referee
    if referee and out is not None:
        running.prepare(out)
    launch.rank_started(spec.workers)
    saving = None
    if out is not None and (checkpoint or resume):
        there = records.load(out) if resume and (out / records.FILE).exists() else []
        finished = frozenset(records.run_name(record) for record in there if record["kind"] == "train")
        saving = Saving(out / "checkpoints", checkpoint or max(trial.rule.steps for trial in trials), resume, finished)
    made = []
    steps = spec.repeats * sum(trial.rule.steps for trial in trials)

    def warn(sentence: str) -> None:
        if referee:
            click.echo(f"distest: warning: {sentence}", err=True)

    keep = boards and out is not None
    with progress("steps", steps, referee) as done:
        for record, series, board in training.run(spec, trials, transport, keep, done, saving, warn):
            if out is not None:
                name = records.run_name(record)
                if board is not None:
                    record["board"] = f"{name}.board"
                    board.save(out / "boards" / record["board"])
                if "trace" in record:
                    record["trace"] = running.keep_trace(out / "boards" / f"{name}.trace", record["trace"])
                for point in series:
                    records.append(out / "series.jsonl", {"schema": records.SCHEMA, "run": name, **point})
                records.append(out / records.FILE, record)
            if as_json:
                running.print_json(record)
            made.append(record)
    if referee and not made and not as_json:
        click.echo("every run has its record already")
    elif referee and not as_json:
        _show(spec, transport.size, made)
    return 0


def _show(spec: specs.TrainSpec, ranks: int, made: list[dict[str, Any]]) -> None:
    first = made[0]
    rows = []
    for record in made:
        row = {
            "method": record["label"],
            "loss": record["loss"],
            "to the least": None if record["optimum"] is None else record["loss"] - record["optimum"],
            "accuracy": record.get("accuracy"),
            "bits a coordinate": record["bits_per_coordinate"],
            "bits up": record["payload_bits_up"] + record["payload_bits_board"] + record["payload_bits_peer"],
            "bits down": record["payload_bits_down"],
            "bits of a link": record["link_bits"],
            "gradients": record["gradient_evaluations"],
            "seconds": record["seconds"],
        }
        rows.append(row)
    if spec.fast:
        for row in rows:
            row |= dict.fromkeys(_BITS)
    for key in ("to the least", "accuracy", *_BITS):
        if all(row[key] is None for row in rows):
            for row in rows:
                del row[key]
    tables.show(
        f"{spec.problem['name']}: d = {first['d']:,}, {first['workers']} workers, {first['steps']:,} steps, batches of "
        f"{spec.batch or 'all'}, {ranks} rank{'s' * (ranks > 1)}, seed {spec.seed}",
        rows,
        "nothing was booked: fast=true"
        if spec.fast
        else "bits are those of all workers and steps; up: to the server, the board or peers; of a link: the most that "
        "left a worker, where a ring of workers passes on what is on the board",
    )
