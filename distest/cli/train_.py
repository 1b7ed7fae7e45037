"""distest train: run methods of distributed SGD, keep records, show a table."""

import sys
from pathlib import Path
from typing import Any

import click

from distest import train_spec as specs
from distest.cli import running, tables, train_options
from distest.cli.examples import examples

_BITS = ("bits a coordinate", "bits up", "bits down", "bits of a link")


@click.command(
    "train",
    epilog=examples(
        "train --problem softmax --workers 8 --method qsgd --method ef_signsgd",
        "train --problem mine:Huber:columns=30 --epochs 20 --out trained --boards",
        "train spec.toml --ranks 4 --out trained --checkpoint 100 --resume",
    ),
)
@train_options.training
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for records, series and boards.")
@click.option("--boards/--no-boards", default=False, help="With --out: keep transcripts for an audit.")
@click.option("--checkpoint", type=int, help="With --out: keep a checkpoint every so many steps.")
@click.option("--resume", is_flag=True, help="With --out: go on from the checkpoints that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print one record a line instead of a table.")
@click.option("--quiet", is_flag=True, help="Print nothing; warnings are in the record.")
def command(
    spec: Path | None,
    ranks: int | None,
    limit: float | None,
    out: Path | None,
    boards: bool,
    checkpoint: int | None,
    resume: bool,
    as_json: bool,
    quiet: bool,
    **asked: Any,
) -> int:
    """Train a model with one or more methods of distributed SGD and count every bit, both ways.

    SPEC is a TOML file; flags and --set change it. Without it the flags are the whole spec.
    """
    running.import_from_here()
    checked = specs.check(train_options.table_of(train_options.read(spec), **asked))

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
    return _run(checked, out, boards, as_json, quiet, checkpoint, resume)


def _run(
    spec: specs.TrainSpec,
    out: Path | None,
    boards: bool,
    as_json: bool,
    quiet: bool,
    checkpoint: int | None,
    resume: bool,
) -> int:
    from distest import api, launch, records, training
    from distest.cli.progress import progress
    from distest.sgd.clock import keep_trace
    from distest.sgd.saving import Saving

    transport = api.transport_at_hand()
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
    made, warned = [], set()
    steps = spec.repeats * sum(trial.rule.steps for trial in trials)

    def warn(sentence: str) -> None:
        if referee and not quiet and sentence not in warned:
            warned.add(sentence)
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
                    record["trace"] = keep_trace(out / "boards" / f"{name}.trace", record["trace"])
                records.keep(out, record, series)
            if as_json:
                running.print_json(record)
            made.append(record)
    if as_json or quiet or not referee:
        return 0
    if not made:
        click.echo("every run has its record already")
    else:
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
