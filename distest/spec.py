"""Spec: what to run, as data. From a TOML file, from flags, or both; checked before anything starts.

A sweep is a table with `grid`: one table, or a list of them. Each is an axis whose keys change together, and the axes
are multiplied, so that

    [[grid]]
    n = [16, 64]
    m = [1600, 6400]

    [[grid]]
    "protocol.bits" = [1, 2, 3]

makes six specs. Keys are those of --set.
"""

import copy
import itertools
import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from distest import candidates, catalog
from distest.errors import UsageError, unknown
from distest.learning.task import Loss

Table = dict[str, Any]
Spec = TypeVar("Spec", bound=msgspec.Struct)
EVERY = "every"  # in place of a name: all protocols that fit the problem


class LearnSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One or more protocols on one problem.

    protocols: tables such as {"name": "grouping", "bits": 3}; {"name": "every", "family": "monotone", "bits": 3}
    stands for all that fit (see `candidates`). Exactly one of distribution ({"name": "zipf", ...})
    and data ({"name": "departures", ...} of the bundle, or {"file": path, "column": name}). sampling: "iid", or
    "dealt" (without replacement; measured against a held-out half). estimator: what is made of
    the estimate, a table such as {"name": "merge", "pieces": 8}. servers: what sets some servers apart, see `Roster`.
    """

    protocols: list[Table]
    kind: Literal["learn"] = "learn"
    n: int | None = None
    m: int | None = None
    s: int = 1
    loss: Loss = "l2"
    distribution: Table | None = None
    data: Table | None = None
    sampling: Literal["iid", "dealt"] = "iid"
    estimator: Table = msgspec.field(default_factory=lambda: {"name": "raw"})
    servers: Table = {}
    generator: Literal["splitmix", "philox"] = "splitmix"
    hearing: Literal["central", "spread"] = "central"
    seed: int = 0
    repeats: int = 1


def read_toml(path: Path) -> Table:
    """The table of a TOML file. Raises UsageError where it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


def value_of(text: str) -> Any:
    """A value as TOML would read it; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def named(text: str) -> Table:
    """The table of a short form such as `grouping` or `grouping:bits=3,shift=false`."""
    name, _, rest = text.partition(":")
    table: Table = {"name": name}
    for item in rest.split(",") if rest else []:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{text!r}: options are written key=value, got {item!r}")
        table[key.strip()] = value_of(value.strip())
    return table


def assign(table: Table, setting: str) -> None:
    """Apply `key=value` to a raw spec; a dotted key reaches into a table, `protocol.x` into every protocol.

    So does `method.x` into every method.
    """
    path, equals, text = setting.partition("=")
    if not equals or not all(path.strip().split(".")):
        raise UsageError(f"--set takes key=value, got {setting!r}")
    _put(table, path.strip(), value_of(text.strip()), f"--set {setting}")


def _put(table: Table, path: str, value: Any, said: str) -> None:
    """Set what a dotted key names. Raises UsageError, beginning with `said`, where the way leads through a value."""
    keys = path.split(".")
    if keys[0] in ("protocol", "method") and len(keys) > 1:
        for each in table.get(f"{keys[0]}s", []):
            _put(each, ".".join(keys[1:]), value, said)
        return
    place = table
    for key in keys[:-1]:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            raise UsageError(f"{said}: {key!r} is a value, not a table")
    place[keys[-1]] = value


def expand(table: Table) -> list[Table]:
    """The tables of a sweep, normalised, in the order of its axes (the last one runs fastest); [table] without a grid.

    Raises UsageError as `Grid` does.
    """
    return list(Grid(table))


class Grid:
    """The tables of a sweep, made one at a time: a million of them take no room.

    normalise: of the kind of spec. Raises UsageError for a grid that is no table of lists, lists of one axis that
    differ in length, an empty axis, and a key that is set twice.

    size: how many tables there are. keys: what changes.
    """

    def __init__(self, table: Table, normalised: Callable[[Table], Table] | None = None):
        self._normalised = normalised or normalise
        self._table = self._normalised(table)
        grid = self._table.pop("grid", [])
        axes = [grid] if isinstance(grid, dict) else grid
        if not isinstance(axes, list) or not all(isinstance(axis, dict) for axis in axes):
            raise UsageError(f"grid is a table, or a list of tables, of lists of values, got {grid!r}")
        self.keys = [key for axis in axes for key in axis]
        _check_keys(self._table, self.keys)
        self._axes = [list(_points(axis)) for axis in axes if axis]
        self.size = math.prod(map(len, self._axes))

    def __str__(self) -> str:
        """Its axes: the keys of each, and how many values."""
        return " x ".join(f"{' and '.join(path for path, _ in axis[0])} ({len(axis)})" for axis in self._axes)

    def __iter__(self) -> Iterator[Table]:
        return map(self.at, range(self.size))

    def at(self, index: int) -> Table:
        """One table, by its place in the order."""
        table = copy.deepcopy(self._table)
        settings = []
        for axis in reversed(self._axes):
            index, place = divmod(index, len(axis))
            settings.append(axis[place])
        for path, value in itertools.chain.from_iterable(reversed(settings)):
            _put(table, path, copy.deepcopy(value), f"grid {path}={value!r}")
        return self._normalised(table)

    def corners(self) -> Iterator[int]:
        """Places that together meet every value of every axis: the first table, and each other value by itself."""
        yield 0
        step = 1
        for axis in reversed(self._axes):
            yield from range(step, step * len(axis), step)
            step *= len(axis)


def _points(axis: Table) -> Iterator[list[tuple[str, Any]]]:
    """The settings of an axis, point by point."""
    for key, values in axis.items():
        if not isinstance(values, list) or not values:
            raise UsageError(f"grid: {key!r} takes a list of at least one value, got {values!r}")
    sizes = {key: len(values) for key, values in axis.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{key} {size}" for key, size in sizes.items())
        raise UsageError(f"grid: keys of one table change together and need equally many values, got {listed}")
    for values in zip(*axis.values(), strict=True):
        yield list(zip(axis, values, strict=True))


def _check_keys(table: Table, keys: list[str]) -> None:
    for key in keys:
        if not all(key.split(".")):
            raise UsageError(f"grid: no key {key!r}; keys are those of --set")
        if keys.count(key) > 1:
            raise UsageError(f"grid: {key!r} stands on two axes")
        if table.get(key):
            raise UsageError(f"{key!r} is set to {table[key]!r} and the grid changes it; leave one out")


def normalise(table: Table) -> Table:
    """Bring the short forms to one: `protocol = "a:b=1"` or a table to `protocols`, names to tables."""
    table = {**table, "protocols": listed(table, "protocol")}
    table.pop("protocol", None)
    for key in ("distribution", "data", "estimator"):
        if isinstance(table.get(key), str):
            table[key] = named(table[key])
    return table


def listed(table: Table, one: str) -> list[Table]:
    """The tables of what a spec names by `one` and its plural. Raises UsageError for what is neither name nor table."""
    found = []
    for entries in (table.get(f"{one}s", []), table.get(one, [])):
        for entry in entries if isinstance(entries, list) else [entries]:
            if not isinstance(entry, str | dict):
                raise UsageError(f"a {one} is a name or a table, got {entry!r}")
            found.append(named(entry) if isinstance(entry, str) else dict(entry))
    return found


def spread(protocols: Sequence[Table], key: str, value: Any) -> None:
    """Give an option such as bits to every protocol that takes one. Raises UsageError where none does."""
    takers = [p for p in protocols if key in options_of(str(p.get("name")))]
    if not takers:
        names = ", ".join(str(p.get("name")) for p in protocols)
        raise UsageError(f"--{key} {value} fits none of the protocols asked for ({names}): they have no option {key!r}")
    for protocol in takers:
        protocol.setdefault(key, value)


def options_of(name: str) -> Iterable[str]:
    """What may be set for a protocol, or for `every`. Raises UsageError for an unknown name."""
    return candidates.OPTIONS if name == EVERY else catalog.options("protocol", name)


def law_for_every(protocols: Sequence[Table]) -> Table | None:
    """A law of the class that `every` asks about, where it stands alone and has one; for specs that name none."""
    if [p.get("name") for p in protocols] != [EVERY]:
        return None
    asked = protocols[0]
    laws: dict[str, Table] = {
        "all": {"name": "uniform"},
        "monotone": {"name": "monotone"},
        "histogram": {"name": "pieces", "k": asked.get("pieces")},
    }
    return laws.get(str(asked.get("family", "all")))


def check(table: Table) -> LearnSpec:
    """The spec of a normalised table. Raises UsageError for a misspelt key or a value that does not fit."""
    known_keys(table, LearnSpec)
    if not table.get("protocols"):
        raise UsageError(f"no protocol was named; known: {', '.join(catalog.names('protocol'))}")
    spec = converted(table, LearnSpec)
    if (spec.distribution is None) == (spec.data is None):
        given = "neither" if spec.data is None else "both"
        raise UsageError(f"give either a distribution, such as uniform, or data to learn, and not both: got {given}")
    if spec.repeats < 1:
        raise UsageError(f"a run has at least one repeat, got repeats={spec.repeats}")
    return spec


def known_keys(table: Table, kind: type[msgspec.Struct]) -> None:
    """Raise UsageError for a key that a spec of this kind does not have."""
    for key in table:
        if key not in kind.__struct_fields__:
            what = kind.__name__.removesuffix("Spec").lower()
            raise UsageError(unknown(f"key of a {what} spec", key, kind.__struct_fields__))


def converted(table: Table, kind: type[Spec]) -> Spec:
    """The spec of a table. Raises UsageError for a value that does not fit, and for a seed out of range."""
    try:
        spec = msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"the spec does not fit: {error}") from None
    seed: int = spec.seed  # type: ignore[attr-defined]  # both kinds have one
    if not 0 <= seed < 1 << 64:
        raise UsageError(f"a seed is an integer from 0 to 2^64 - 1, got {seed}")
    return spec
