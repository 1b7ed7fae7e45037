"""What `train` and `tune` ask alike: the flags of a training run, and the table that they and a file make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from distest import train_spec as specs
from distest.cli.completing import names
from distest.spec import Table, assign, named, read_toml, value_of

_HINT = "for example mean:feedback=true"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _rate(context: click.Context, option: click.Parameter, value: str | None) -> float | str | None:
    """A step size, or the word theory."""
    try:
        return value if value in (None, "theory") else float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor 'theory'") from None


_METHOD = f"A method by name, {_HINT}; may be repeated.  [default: mean]"
_COMPRESSOR = "What the messages of a method are made by, for example qsgd:bits=4."
_CLOCK = "Who comes next where a server does not wait, for example live:delay=0.001."
_PROBLEM = "What is minimised, for example logistic:data=a9a, or your own module:Class:key=value.  [default: softmax]"
_RATE = "Step size, or theory for that of the method's theorem.  [default: 0.1]"
_MILESTONES = "With --schedule steps: when the rate becomes a tenth, such as 400,600 or 0.5,0.75."
_OPTIONS = (
    click.argument("spec", type=click.Path(path_type=Path), required=False),
    click.option("--method", "methods", multiple=True, help=_METHOD, shell_complete=names("method")),
    click.option("--compressor", help=_COMPRESSOR, shell_complete=names("compressor")),
    click.option("--exchange", help="How the mean is made, as parameter_server.", shell_complete=names("exchange")),
    click.option("--clock", help=_CLOCK, shell_complete=names("clock")),
    click.option("--graph", help="Who hears whom without a server, as torus.", shell_complete=names("graph")),
    click.option("--bits", type=int, help="Bits of a coordinate, for every compressor that takes them."),
    click.option("--density", type=float, help="Share of the coordinates sent, for every method that takes one."),
    click.option("--problem", help=_PROBLEM, shell_complete=names("problem")),
    click.option("--workers", type=int, help="Workers W, on any number of ranks.  [default: 4]"),
    click.option("--steps", type=int, help="Steps.  [default: 100]"),
    click.option("--epochs", type=float, help="In place of --steps: how often batches make all rows."),
    click.option("--batch", type=int, help="Rows of a gradient; 0 for a worker's whole shard.  [default: 32]"),
    click.option("--shards", help="How rows are dealt to workers: iid, or sorted by label.  [default: iid]"),
    click.option("--rate", metavar="FLOAT", callback=_rate, help=_RATE),
    click.option("--momentum", type=float, help="Momentum.  [default: 0]"),
    click.option("--optimiser", help="sgd, adam, or amsgrad.  [default: sgd]"),
    click.option("--schedule", help="constant, inverse, cosine, linear or steps.  [default: constant]"),
    click.option("--milestones", help=_MILESTONES),
    click.option("--warmup", type=int, help="Steps in which the rate grows from nothing.  [default: 0]"),
    click.option("--evaluate", type=int, help="Steps between evaluations.  [default: a tenth of all]"),
    click.option("--seed", type=int, help="Seed of all coins and batches.  [default: 0]"),
    click.option("--repeats", type=int, help="Independent runs of each method.  [default: 1]"),
    click.option("--fast", is_flag=True, default=None, help="Whole vectors by MPI_Allreduce; no bit is booked."),
    click.option("--digest/--no-digest", default=None, help="Whether transcripts are hashed.  [default: digest]"),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change any key of the spec."),
    click.option("--ranks", type=int, help="Start this many MPI ranks."),
    click.option("--limit", type=float, help="With --ranks: end the job after so many seconds."),
)


def training(command: _Command) -> _Command:
    """Give a command the argument and the options of a training run; `table_of` takes what it is called with."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def table_of(
    table: Table,
    methods: tuple[str, ...],
    compressor: str | None,
    exchange: str | None,
    clock: str | None,
    graph: str | None,
    bits: int | None,
    density: float | None,
    milestones: str | None,
    settings: tuple[str, ...],
    **plain: Any,
) -> Table:
    """The table of a file, {} for none, changed by flags and --set, normalised. Raises UsageError."""
    table = specs.normalise(table)
    table = specs.normalise({**table, **{key: value for key, value in plain.items() if value is not None}})
    if milestones is not None:
        table["milestones"] = value_of(f"[{milestones}]")
    if methods:
        table["methods"] = [named(method) for method in methods]
    table["methods"] = table["methods"] or [{"name": "mean"}]
    parts = {"compressor": compressor, "exchange": exchange, "clock": clock, "graph": graph}
    specs.give(table["methods"], {key: value for key, value in parts.items() if value is not None})
    for budget, amount in (("bits", bits), ("density", density)):
        if amount is not None:
            specs.spread(table["methods"], budget, amount)
    table = specs.normalise(table)
    for setting in settings:
        assign(table, setting)
    return specs.normalise(table)


def read(spec: Path | None) -> Table:
    """The table of a file; {} where there is none."""
    return read_toml(spec) if spec else {}
