"""What a sweep asks for: one TOML of several kinds, taken apart into cases, one at a time.

    title = "Who is cheapest?"
    seed = 1                       # keys here are defaults for every table that has such a key
    repeats = 20

    [[learn]]
    n = [16, 64]                   # a list in the place of a value is an axis of a grid
    m = 4000
    distribution = "zipf"
    protocols = ["full_sample", { name = "grouping", bits = [1, 2, 3] }]

    [[train]]
    budget = { bits = 3, per = "coordinate" }
    methods = ["mean:compressor=qsgd", "mean:compressor=top_k,feedback=true"]

A spec for `distest learn` or `distest train` alone is a sweep as it is.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from distest import experiment, records, spec, toml, train_spec
from distest.errors import UsageError, unknown
from distest.spec import EVERY, Grid, LearnSpec, Table
from distest.sweep.aim import AIMS, Aim, Budget, Target, aim_of
from distest.train_spec import TrainSpec

Kind = Literal["learn", "train"]
_SPECS: dict[Kind, type[msgspec.Struct]] = {"learn": LearnSpec, "train": TrainSpec}
_NORMALISE: dict[Kind, Callable[[Table], Table]] = {"learn": spec.normalise, "train": train_spec.normalise}
_ONE: dict[Kind, str] = {"learn": "protocol", "train": "method"}
_MORE: dict[Kind, tuple[str, ...]] = {"learn": ("bits", *AIMS), "train": ("bits", "density", *AIMS)}  # beside a spec's
_LISTS = ("protocol", "protocols", "method", "methods", "milestones", "grid")  # keys whose value may be a list
_INSTEAD = (("protocol", "protocols"), ("method", "methods"), ("steps", "epochs"), ("distribution", "data"), AIMS)
MOST_BITS = 64  # of a server, where `every` is searched
_NESTED = ("distribution", "problem", "estimator", *AIMS)  # tables in which a list is an axis too


@dataclass(frozen=True, slots=True)
class Case:
    """One protocol or method of a sweep: what all of its repeats share.

    place: of the part, of its table in the grid, of the protocol or method in that. table: a spec of its kind with one
    protocol or method, as given, not completed. aim: a budget or a target, None for neither.
    """

    place: tuple[int, int, int]
    kind: Kind
    table: Table = field(hash=False)
    aim: Aim | None

    @property
    def part(self) -> Table:
        """The protocol or the method."""
        table: Table = self.table[f"{_ONE[self.kind]}s"][0]
        return table

    @property
    def repeats(self) -> int:
        """How often it is run."""
        return int(self.table.get("repeats", 1))

    def changed(self, part: Table, **more: Any) -> Table:
        """The table with other options of its protocol or method, and other keys."""
        return {**self.table, **more, f"{_ONE[self.kind]}s": [part]}


@dataclass(frozen=True, slots=True)
class Part:
    """One table of a sweep, its lists made axes."""

    number: int
    kind: Kind
    grid: Grid

    def cases(self, index: int) -> list[Case]:
        """The cases of one table of the grid. Raises UsageError for what no run could make sense of."""
        table = self.grid.at(index)
        aim = aim_of(self.kind, {key: table.pop(key) for key in AIMS if key in table})
        plural = f"{_ONE[self.kind]}s"
        table[plural] = [variant for entry in table[plural] for variant in variants(entry)]
        table = _learnable(table, aim) if self.kind == "learn" else _trainable(table)
        return [
            Case((self.number, index, which), self.kind, {**table, plural: [entry]}, aim)
            for which, entry in enumerate(table[plural])
        ]


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep as it was asked for. asked: its table, what `identity` is taken of. text: of its file."""

    title: str
    parts: tuple[Part, ...]
    asked: Table
    text: str

    @property
    def identity(self) -> str:
        """16 hex digits that change with any value of the spec."""
        return records.spec_hash(self.asked)

    @property
    def size(self) -> int:
        """Tables of all grids."""
        return sum(part.grid.size for part in self.parts)

    def cases(self) -> Iterator[Case]:
        """All cases in order, made one table at a time."""
        for part in self.parts:
            for index in range(part.grid.size):
                yield from part.cases(index)


def read(source: Path | Table) -> Sweep:
    """The sweep of a TOML file or of its table. Raises UsageError for what is no sweep; says what is nearest."""
    where = str(source) if isinstance(source, Path) else "the spec"
    table = spec.read_toml(source) if isinstance(source, Path) else dict(source)
    if not table:
        raise UsageError(f"{where} is empty: it needs [[learn]] or [[train]] tables, or the keys of one of them")
    text = source.read_text("utf-8") if isinstance(source, Path) else toml.text(table)
    several = "learn" in table or "train" in table
    title = table.get("title", source.stem if isinstance(source, Path) else "")
    if not isinstance(title, str):
        raise UsageError(f"the title of a sweep is text, got {title!r}")
    rest = {key: value for key, value in table.items() if key != "title"}
    tables = _several(rest) if several else [(_kind(rest, where), rest)]
    parts = tuple(Part(number, kind, _grid(kind, each)) for number, (kind, each) in enumerate(tables))
    return Sweep(title, parts, table, text)


def variants(entry: Table) -> list[Table]:
    """A protocol or method with a list in the place of an option: one for each value, all combinations.

    A list of lists is a value itself, such as the rows of a matrix.
    """
    choices = []
    for key, value in entry.items():
        if isinstance(value, dict):
            choices.append([(key, each) for each in variants(value)])
        elif isinstance(value, list) and not any(isinstance(each, list) for each in value):
            if not value:
                raise UsageError(f"{entry.get('name')}: {key!r} is an empty list; give at least one value")
            several = [variants(each) if isinstance(each, dict) else [each] for each in value]
            choices.append([(key, each) for each in itertools.chain.from_iterable(several)])
        else:
            choices.append([(key, value)])
    return [dict(chosen) for chosen in itertools.product(*choices)]


def _several(table: Table) -> list[tuple[Kind, Table]]:
    """The parts of a spec of several, in the order learn, train; what stands beside them is their default."""
    found: list[tuple[Kind, Table]] = []
    for kind in _SPECS:
        entries = table.get(kind, [])
        entries = [entries] if isinstance(entries, dict) else entries
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise UsageError(f"[[{kind}]] is a table, or several, got {entries!r}")
        found += [(kind, entry) for entry in entries]
    if not found:
        raise UsageError("the spec has no trials: its [[learn]] and [[train]] tables are empty lists")
    defaults = {key: value for key, value in table.items() if key not in _SPECS and key != "kind"}
    if table.get("kind", "compare") != "compare":
        raise UsageError(f"a spec of [[learn]] and [[train]] tables has no kind of its own, got {table['kind']!r}")
    kinds = {kind for kind, _ in found}
    for key in defaults:
        if not any(key in _keys(kind) for kind in kinds):
            if any(key in _keys(kind) for kind in _SPECS):
                raise UsageError(
                    f"{key!r} is no key of a [[{' or [['.join(sorted(kinds))}]] table, and there is no other"
                )
            known = dict.fromkeys(("title", *_SPECS, *(key for kind in _SPECS for key in _keys(kind))))
            raise UsageError(unknown("key of a sweep", key, known))
    return [(kind, _with_defaults(kind, entry, defaults)) for kind, entry in found]


def _with_defaults(kind: Kind, entry: Table, defaults: Table) -> Table:
    """A table with the defaults that it takes, and says nothing else about."""
    said = set(entry)
    for axis in _axes(entry):
        said |= {key.split(".")[0] for key in axis} if isinstance(axis, dict) else set()
    for group in _INSTEAD:
        said |= set(group) if said & set(group) else set()
    taken = {key: value for key, value in defaults.items() if key in _keys(kind) and key not in said | {"grid"}}
    grid = [*_axes(defaults), *_axes(entry)]
    return {**taken, **entry, **({"grid": grid} if grid else {})}


def _axes(table: Table) -> list[Any]:
    """The axes of the grid of a table."""
    grid = table.get("grid", [])
    return grid if isinstance(grid, list) else [grid]


def _keys(kind: Kind) -> tuple[str, ...]:
    """The keys of a table of a kind."""
    return (_ONE[kind], *_SPECS[kind].__struct_fields__, "grid", *_MORE[kind])


def _kind(table: Table, where: str) -> Kind:
    """The kind of a spec without [[learn]] and [[train]]."""
    given = table.get("kind")
    if given in _SPECS:
        kind: Kind = given
        return kind
    if given is not None:
        raise UsageError(unknown("kind of spec", str(given), _SPECS))
    fits: list[Kind] = [k for k in _SPECS if _ONE[k] in table or f"{_ONE[k]}s" in table]
    if len(fits) > 1:
        raise UsageError(
            f"{where} names protocols and methods in one table: put them into [[learn]] and [[train]] tables"
        )
    if fits:
        return fits[0]
    known = dict.fromkeys(key for each in _SPECS for key in _keys(each))
    for key in table:
        if key not in known:
            raise UsageError(unknown("key of a sweep", key, ["title", *_SPECS, *known]))
    only = [k for k in _SPECS if any(key in _keys(k) and key not in _keys(other) for key in table for other in _SPECS)]
    if len(only) != 1:
        raise UsageError(f"{where} names neither protocols nor methods, so there are no trials")
    return only[0]


def _grid(kind: Kind, table: Table) -> Grid:
    """The grid of a table: its lists as axes, before those that it has."""
    known = _keys(kind)
    for key in table:
        if key not in known:
            raise UsageError(unknown(f"key of a [[{kind}]] table", key, known))
    axes: list[Any] = []
    plain: Table = {}
    for key, value in table.items():
        if key == "grid":
            continue
        if isinstance(value, list) and key not in _LISTS:
            axes.append({key: value})
        elif isinstance(value, dict) and key in _NESTED:
            axes += [{f"{key}.{inner}": values} for inner, values in value.items() if isinstance(values, list)]
            plain[key] = {inner: values for inner, values in value.items() if not isinstance(values, list)}
        else:
            plain[key] = value
    grid = Grid({**plain, "grid": [*axes, *_axes(table)]}, _NORMALISE[kind])
    for key in grid.keys:
        if key.split(".")[0] not in known:
            raise UsageError(unknown(f"key of a [[{kind}]] table", key, known))
    return grid


def _learnable(table: Table, aim: Aim | None) -> Table:
    """A checked table of `learn` with its bits given out, `every` replaced by all that fit."""
    bits = table.pop("bits", None)
    if bits is not None:
        spec.spread(table["protocols"], "bits", bits)
    if table.get("distribution") is None and table.get("data") is None:
        table["distribution"] = spec.law_for_every(table["protocols"])
    table["protocols"] = [
        found
        for entry in table["protocols"]
        for found in (_every(table, entry, aim) if entry.get("name") == EVERY else [entry])
    ]
    spec.check(table)
    return table


def _every(table: Table, entry: Table, aim: Aim | None) -> list[Table]:
    """All protocols that fit; within the budget, or with their bits left open to a search."""
    if isinstance(aim, Budget):
        entry = {("bits" if aim.per == "server" else "total_bits"): aim.bits, **entry}
        entry = {key: int(value) if key == "bits" else value for key, value in entry.items()}
    open_ = isinstance(aim, Target) and "bits" not in entry
    asked = {**table, "protocols": [{"bits": MOST_BITS, **entry} if open_ else entry]}
    found = [trial.spec["protocol"] for trial in experiment.plan(spec.check(asked))]
    return [{key: value for key, value in each.items() if not open_ or key != "bits"} for each in found]


def _trainable(table: Table) -> Table:
    """A checked table of `train` with its budgets given out."""
    table["methods"] = table["methods"] or [{"name": "mean"}]
    for key in ("bits", "density"):
        value = table.pop(key, None)
        if value is not None:
            train_spec.spread(table["methods"], key, value)
    table = train_spec.normalise(table)
    train_spec.check(table)
    return table
