"""TrainSpec: a training run as data. From a TOML file, from flags, or both; checked before anything starts."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from distest import catalog
from distest.errors import UsageError
from distest.spec import Table, converted, known_keys, listed, named

_SHORT = ("problem", "compressor", "exchange", "clock", "graph", "down", "snapshot")


class TrainSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One or more methods on one problem.

    methods: tables such as {"name": "mean", "compressor": {"name": "qsgd", "bits": 4}}. problem: {"name": "logistic",
    ...}, or {"name": "module:Class", ...} for one's own, see `sgd/imported.py`. workers: W. batch: rows of a gradient,
    0 for the whole shard. steps, or in their place epochs: how often W batches make all rows, rounded up to whole
    steps; where a server does not wait, the rows are counted that its updates are made of. shards: how rows are dealt.
    rate: a number, or "theory" for the step size of the method's theorem (`Method.theory`). momentum, nesterov,
    optimiser, schedule, decay, milestones, factor, warmup: see `Rule`. evaluate: steps between two evaluations, 0 for a
    tenth of all. tuning: what a search for the settings has tried, as `distest tune` writes it, {} where there was
    none; it changes what the record says and nothing else, and is no part of a spec's hash.
    fast: sums of whole vectors by MPI_Allreduce, off the books, with last places that depend on the number of ranks.
    digest: whether transcripts are hashed; like tuning it changes nothing but what the record says.
    """

    methods: list[Table]
    kind: Literal["train"] = "train"
    problem: Table = msgspec.field(default_factory=lambda: {"name": "softmax"})
    workers: int = 4
    steps: int = 100
    epochs: float = 0.0
    batch: int = 32
    shards: Literal["iid", "sorted"] = "iid"
    rate: float | Literal["theory"] = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    optimiser: Literal["sgd", "adam", "amsgrad"] = "sgd"
    schedule: Literal["constant", "inverse", "cosine", "linear", "steps"] = "constant"
    decay: float = 100.0
    milestones: tuple[float, ...] = ()
    factor: float = 0.1
    warmup: int = 0
    evaluate: int = 0
    fast: bool = False
    digest: bool = True
    tuning: Table = {}
    generator: Literal["splitmix", "philox"] = "splitmix"
    seed: int = 0
    repeats: int = 1


def normalise(table: Table) -> Table:
    """Bring the short forms to one: `method = "mean:feedback=true"` to `methods`, names of parts to tables."""
    methods = [{key: _part(key, value) for key, value in method.items()} for method in listed(table, "method")]
    table = {**table, "methods": methods}
    table.pop("method", None)
    if isinstance(table.get("problem"), str):
        table["problem"] = problem_of(table["problem"])
    return table


def problem_of(text: str) -> Table:
    """The table of a problem such as `logistic:data=a9a`, or one's own, `module:Class` or `module:Class:key=value`."""
    module, _, rest = text.partition(":")
    name, colon, options = rest.partition(":")
    if module in catalog.names("problem") or not name.strip().isidentifier():
        return named(text)
    table = named(f"{module}{colon}{options}")
    return {**table, "name": f"{module}:{name.strip()}"}


def _part(key: str, value: Any) -> Any:
    return named(value) if key in _SHORT and isinstance(value, str) else value


def give(methods: list[Table], parts: Mapping[str, Any]) -> None:
    """Give parts such as {"compressor": "qsgd:bits=4"} to every method."""
    for method in methods:
        method |= parts


def spread(methods: list[Table], key: str, value: float) -> None:
    """Give a budget, `bits` or `density`, to every method or compressor that takes one. Raises UsageError if none."""
    takers = 0
    for method in methods:
        name = str(method.get("name"))
        if key in catalog.options("method", name):
            method[key] = value
            takers += 1
        elif "compressor" in catalog.options("method", name):
            usual = catalog.options("method", name)["compressor"].default_factory
            part = method.get("compressor") or catalog.describe(usual())  # type: ignore[operator]
            part = named(part) if isinstance(part, str) else part
            if key in catalog.options("compressor", str(part.get("name"))):
                method["compressor"] = {**part, key: value}
                takers += 1
    if not takers:
        names = ", ".join(str(method.get("name")) for method in methods)
        raise UsageError(f"--{key} {value} fits none of the methods asked for ({names}) nor their compressors")


def check(table: Table) -> TrainSpec:
    """The spec of a normalised table. Raises UsageError for a misspelt key or a value that does not fit."""
    known_keys(table, TrainSpec)
    if not table.get("methods"):
        table = {**table, "methods": [{"name": "mean"}]}
    spec = converted(table, TrainSpec)
    for key, least in (("steps", 1), ("batch", 0), ("evaluate", 0), ("repeats", 1), ("workers", 1)):
        if getattr(spec, key) < least:
            raise UsageError(f"{key} is at least {least}, got {getattr(spec, key)}")
    if not 0 <= spec.epochs < 1 << 40:
        raise UsageError(f"epochs are a positive number of times that all rows are looked at, got {spec.epochs}")
    if spec.epochs and "steps" in table:
        raise UsageError(f"give steps or epochs, not both: got steps={spec.steps} and epochs={spec.epochs:g}")
    return spec
