"""TrainSpec: a training run as data. From a TOML file, from flags, or both; checked before anything starts."""

from typing import Any, Literal

import msgspec

from distest import catalog
from distest.errors import UsageError, unknown
from distest.spec import Table, assign, named

_SHORT = ("problem", "compressor", "exchange")


class TrainSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One or more methods on one problem.

    methods: tables such as {"name": "mean", "compressor": {"name": "qsgd", "bits": 4}}. problem: {"name": "logistic",
    ...}. workers: W. batch: rows of a gradient, 0 for the whole shard. shards: how rows are dealt. rate, momentum,
    nesterov, optimiser, schedule, decay: see `Rule`. evaluate: steps between two evaluations, 0 for a tenth of all.
    """

    methods: list[Table]
    kind: Literal["train"] = "train"
    problem: Table = msgspec.field(default_factory=lambda: {"name": "softmax"})
    workers: int = 4
    steps: int = 100
    batch: int = 32
    shards: Literal["iid", "sorted"] = "iid"
    rate: float = 0.1
    momentum: float = 0.0
    nesterov: bool = False
    optimiser: Literal["sgd", "adam"] = "sgd"
    schedule: Literal["constant", "inverse", "cosine", "linear"] = "constant"
    decay: float = 100.0
    evaluate: int = 0
    generator: Literal["splitmix", "philox"] = "splitmix"
    seed: int = 0
    repeats: int = 1


def normalise(table: Table) -> Table:
    """Bring the short forms to one: `method = "mean:feedback=true"` to `methods`, names of parts to tables."""
    listed = [table.get(key, []) for key in ("methods", "method")]
    table = {key: value for key, value in table.items() if key != "method"}
    table["methods"] = []
    for entry in (e for entries in listed for e in (entries if isinstance(entries, list) else [entries])):
        if not isinstance(entry, str | dict):
            raise UsageError(f"a method is a name or a table, got {entry!r}")
        method = named(entry) if isinstance(entry, str) else dict(entry)
        table["methods"].append({key: _part(key, value) for key, value in method.items()})
    if isinstance(table.get("problem"), str):
        table["problem"] = named(table["problem"])
    return table


def _part(key: str, value: Any) -> Any:
    return named(value) if key in _SHORT and isinstance(value, str) else value


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


def settle(table: Table, settings: tuple[str, ...]) -> Table:
    """Apply --set flags; `method.x` reaches into every method."""
    for setting in settings:
        path, equals, text = setting.partition("=")
        if path.startswith("method."):
            for method in table["methods"]:
                assign(method, f"{path.removeprefix('method.')}{equals}{text}")
        else:
            assign(table, setting)
    return normalise(table)


def check(table: Table) -> TrainSpec:
    """The spec of a normalised table. Raises UsageError for a misspelt key or a value that does not fit."""
    known = TrainSpec.__struct_fields__
    for key in table:
        if key not in known:
            raise UsageError(unknown("key of a train spec", key, known))
    if not table.get("methods"):
        table = {**table, "methods": [{"name": "mean"}]}
    try:
        spec = msgspec.convert(table, TrainSpec)
    except msgspec.ValidationError as error:
        raise UsageError(f"the spec does not fit: {error}") from None
    for key, least in (("steps", 1), ("batch", 0), ("evaluate", 0), ("repeats", 1), ("workers", 1)):
        if getattr(spec, key) < least:
            raise UsageError(f"{key} is at least {least}, got {getattr(spec, key)}")
    if not 0 <= spec.seed < 1 << 64:
        raise UsageError(f"a seed is an integer from 0 to 2^64 - 1, got {spec.seed}")
    return spec
