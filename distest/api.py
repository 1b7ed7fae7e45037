"""What `import distest` gives: learn, train, compare, load, bounds, each a call in place of a command line.

They take what the commands take, refuse what these refuse with the same sentences (UsageError), and give back objects
with `.to_pandas()`. Everything heavy is imported when it is called.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from distest.runs import Runs
    from distest.stated import Bounds

Named = str | Mapping[str, Any]
"""What a spec names: "grouping:bits=3", or a table such as {"name": "grouping", "bits": 3}."""


def learn(
    protocol: Named | Sequence[Named],
    *,
    n: int | None = None,
    m: int | None = None,
    s: int = 1,
    distribution: Named | None = None,
    data: Named | None = None,
    sampling: Literal["iid", "dealt"] = "iid",
    estimator: Named = "raw",
    servers: Mapping[str, Any] | None = None,
    loss: Literal["l2", "l1"] = "l2",
    generator: Literal["splitmix", "philox"] = "splitmix",
    seed: int = 0,
    repeats: int = 1,
) -> Runs:
    """Learn a distribution from m servers with s samples each, and count every bit.

    protocol: one or several, or "every:bits=3" for all that fit. n: size of the domain, for a law. distribution: a law
    such as "zipf:exponent=1.2"; data: of the bundle ("departures:slot=5"), or {"file": path, "column": name}; without
    both the law is uniform. The rest as in `distest learn --help`. Under mpirun all ranks call it, and rank 0 gets the
    records. Raises UsageError for what does not fit.

    >>> [run["payload_bits"] for run in learn("grouping:bits=3", n=256, m=10_000, distribution="uniform", repeats=2)]
    [30000, 30000]
    """
    from distest import experiment, spec
    from distest.runs import Part, Runs

    given: dict[str, Any] = {"n": n, "m": m, "s": s, "distribution": distribution, "data": data, "sampling": sampling}
    given |= {"estimator": estimator, "servers": servers, "loss": loss, "generator": generator}
    table = _table({"protocol": protocol, **given, "seed": seed, "repeats": repeats})
    table = spec.normalise(table)
    if distribution is None and data is None:
        table["distribution"] = spec.law_for_every(table["protocols"]) or {"name": "uniform"}
    checked = spec.check(table)
    trials = experiment.plan(checked)
    made = [_read_back(record) for record, _ in experiment.run(checked, trials, transport_at_hand(), keep_board=False)]
    return Runs([Part(made)])


def train(
    problem: Named = "softmax",
    method: Named | Sequence[Named] = "mean",
    *,
    compressor: Named | None = None,
    exchange: Named | None = None,
    clock: Named | None = None,
    graph: Named | None = None,
    workers: int = 4,
    steps: int | None = None,
    epochs: float | None = None,
    batch: int = 32,
    shards: Literal["iid", "sorted"] = "iid",
    rate: float | Literal["theory"] = 0.1,
    momentum: float = 0.0,
    nesterov: bool = False,
    optimiser: Literal["sgd", "adam", "amsgrad"] = "sgd",
    schedule: Literal["constant", "inverse", "cosine", "linear", "steps"] = "constant",
    decay: float = 100.0,
    milestones: Sequence[float] = (),
    factor: float = 0.1,
    warmup: int = 0,
    evaluate: int = 0,
    fast: bool = False,
    generator: Literal["splitmix", "philox"] = "splitmix",
    seed: int = 0,
    repeats: int = 1,
) -> Runs:
    """Train a model with one or several methods of distributed SGD, and count every bit, both ways.

    problem: "logistic:data=a9a", or your own, "module:Class:key=value". compressor, exchange, clock, graph: given to
    every method named. steps: 100 where neither steps nor epochs are said. evaluate: steps between two points of the
    series, 0 for a tenth of all. The rest as in `distest train --help`. The products of matrices have the bits of one
    thread where this is called before numpy is imported, or with OMP_NUM_THREADS=1, as the command line sees to. Under
    mpirun all ranks call it, and rank 0 gets the records. Raises UsageError for what does not fit.

    >>> train("quadratic", "mean", workers=2, steps=3, batch=8)
    <Runs: 1 record of train>
    """
    _one_thread()
    from distest import records, train_spec, training
    from distest.runs import Part, Runs

    given: dict[str, Any] = {
        "problem": problem,
        "method": method,
        "workers": workers,
        "steps": steps,
        "epochs": epochs,
        "batch": batch,
    }
    given |= {"shards": shards, "rate": rate, "momentum": momentum, "nesterov": nesterov, "optimiser": optimiser}
    given |= {"schedule": schedule, "decay": decay, "milestones": list(milestones), "factor": factor, "warmup": warmup}
    given |= {"evaluate": evaluate, "fast": fast, "generator": generator, "seed": seed, "repeats": repeats}
    parts = {"compressor": compressor, "exchange": exchange, "clock": clock, "graph": graph}
    table = train_spec.normalise(_table(given))
    train_spec.give(table["methods"], _table(parts))
    checked = train_spec.check(train_spec.normalise(table))
    made, points = [], []
    for record, series, _ in training.run(checked, training.plan(checked), transport_at_hand(), keep_board=False):
        made.append(_read_back(record))
        points += [{"run": records.run_name(record), **point} for point in series]
    return Runs([Part(made, series=points)])


def load(*paths: str | Path) -> Runs:
    """The records of files, of folders that `--out` made, and of all such folders below one.

    A million records are there in a few seconds: they are decoded where they are looked at. Raises UsageError for a
    file that is missing, empty, of another schema or damaged; a last line that was cut off in writing is left out.
    Warns (ConflictWarning) where one run was recorded with two results.

    load("out").table() is a summary, load("out").to_pandas() everything.
    """
    from distest.runs import Runs

    return Runs.read(paths)


def compare(
    spec: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    jobs: int = 1,
    resume: bool = False,
    boards: bool = False,
) -> Runs:
    """Run a sweep of many trials, at equal bits or to a target, and keep it in a folder.

    spec: a TOML file, or the same as a table. out: the folder, without it one that is gone afterwards. jobs: processes
    that make trials at the same time. resume: go on with what the folder has. boards: keep transcripts. The rest as in
    `distest compare --help`, which also runs under mpirun; this call does not. Raises UsageError for what does not fit,
    and where no budget or target of the sweep could be met.

    >>> sizes = {"protocol": "full_sample", "n": 16, "distribution": "uniform", "grid": {"m": [10, 20]}}
    >>> [run["payload_bits"] for run in compare({"learn": [sizes]})]
    [40, 80]
    """
    _one_thread()
    import tempfile

    from distest.runs import Runs
    from distest.sweep.run import compare as run

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder if out is None else out)
        run(spec if isinstance(spec, str | Path) else _plain(spec), place, jobs=jobs, resume=resume, boards=boards)
        found = Runs.read([place])
        return found if out is not None else found[:]


def bounds(
    n: int,
    m: int,
    *,
    s: int = 1,
    bits: int | None = None,
    total_bits: float | None = None,
    error: float | None = None,
    loss: Literal["l2", "l1", "both"] = "both",
    model: Literal["blackboard", "SMP"] = "blackboard",
    family: Literal["all", "sparse", "histogram", "monotone"] = "all",
    support: int | None = None,
    pieces: int | None = None,
) -> Bounds:
    """Every bound for learning p on n symbols from m servers, and what each protocol that fits promises.

    bits: a hard cap of a server; total_bits: expected bits of the whole transcript; error: ask the other way round,
    for the bits needed. The rest as in `distest bounds --help`. Raises UsageError for what does not fit.

    >>> len(bounds(n=256, m=10_000, bits=3, loss="l1")) > 3
    True
    """
    from distest.stated import Bounds

    return Bounds.of(n, m, s, bits, total_bits, error, loss, model, family, support, pieces)


def _table(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was said, as the plain tables of a spec."""
    return {key: _plain(value) for key, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _read_back(record: dict[str, Any]) -> dict[str, Any]:
    """A record as a file would give it back: lists in place of tuples."""
    from distest import records

    found: dict[str, Any] = json.loads(records.canonical(record))
    return found


def transport_at_hand() -> Any:
    """MPI where a launcher started this process, else one process alone."""
    from distest import launch
    from distest.wire.transport import Solo

    if not launch.in_mpi():
        return Solo()
    from distest.wire.mpi import Mpi

    return Mpi()


def _one_thread() -> None:
    """Products of matrices have other bits on several threads; too late once numpy is there."""
    from distest.launch import ONE_THREAD

    if "numpy" not in sys.modules:
        environ.update(dict.fromkeys(ONE_THREAD, "1"))
