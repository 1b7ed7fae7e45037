"""Algorithms are found by listing folders: the name in a spec is the name of the file."""

import dataclasses
import importlib
import inspect
import pkgutil
import types
import typing
from functools import cache
from typing import Any

import msgspec

from distest.errors import UsageError, unknown

# kind -> (folder as a package, module with the contract, name of the contract)
_KINDS = {
    "protocol": ("protocols", "distest.learning.protocol", "Protocol"),
    "distribution": ("distest.learning.distributions", "distest.learning.distributions.base", "Distribution"),
    "estimator": ("distest.learning.estimators", "distest.learning.estimators.base", "Estimator"),
    "compressor": ("distest.sgd.compressors", "distest.sgd.compressor", "Compressor"),
    "exchange": ("distest.sgd.exchanges", "distest.sgd.exchange", "Exchange"),
    "clock": ("distest.sgd.clocks", "distest.sgd.clock", "Clock"),
    "graph": ("distest.sgd.graphs", "distest.sgd.graph", "Graph"),
    "method": ("distest.sgd.methods", "distest.sgd.method", "Method"),
    "problem": ("distest.sgd.problems", "distest.sgd.problem", "Problem"),
}

_PARTS = {
    "Compressor": "compressor",
    "Exchange": "exchange",
    "Clock": "clock",
    "Graph": "graph",
}  # contracts that may be the type of an option

# kind -> module whose `load` makes a user's own from "module:Class" and options
_OWN = {"problem": "distest.sgd.imported"}


@cache
def names(kind: str) -> tuple[str, ...]:
    """Every algorithm of a kind, sorted."""
    package = importlib.import_module(_KINDS[kind][0])
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if name != "base" and not name.startswith("_")))


@cache
def find(kind: str, name: str) -> type[Any]:
    """The one public class of a file that keeps the kind's contract. Raises UsageError for an unknown name."""
    folder, module, contract = _KINDS[kind]
    if name not in names(kind):
        raise UsageError(unknown(kind, name, names(kind)))
    base = getattr(importlib.import_module(module), contract)
    home = importlib.import_module(f"{folder}.{name}")
    found = [
        c
        for n, c in vars(home).items()
        if inspect.isclass(c) and issubclass(c, base) and c.__module__ == home.__name__ and not n.startswith("_")
    ]
    if len(found) != 1:
        raise TypeError(f"{home.__name__} defines {len(found)} public {contract} classes; a file has exactly one")
    return typing.cast(type[Any], found[0])


def options(kind: str, name: str) -> dict[str, dataclasses.Field[Any]]:
    """The fields a spec may set, by name; the task is the caller's."""
    return {f.name: f for f in dataclasses.fields(find(kind, name)) if f.name != "task"}


def build(kind: str, spec: dict[str, Any], **given: Any) -> Any:
    """The object a spec such as {"name": "grouping", "bits": 3} describes.

    given: fields that do not come from the spec (the task). Of a problem the name may be the import path of a user's
    own class, "module:Class". Raises UsageError for an unknown name or key, a value of the wrong type, or a missing
    field; the class itself refuses values that make no sense.
    """
    fields = dict(spec)
    name = fields.pop("name", None)
    if not isinstance(name, str):
        raise UsageError(f"a {kind} needs a name; known: {', '.join(names(kind))}")
    if kind in _OWN and ":" in name:
        return importlib.import_module(_OWN[kind]).load(name, fields)
    cls = find(kind, name)
    allowed = options(kind, name)
    for key in fields:
        if key not in allowed:
            raise UsageError(unknown(f"option of {name}", key, allowed) if allowed else f"{name} has no options")
    hints = typing.get_type_hints(cls)
    for key, value in fields.items():
        part = _part_of(hints[key])
        if part is not None and value is not None:
            fields[key] = build(part, {"name": value} if isinstance(value, str) else value)
            continue
        try:
            fields[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError as error:
            raise UsageError(f"{name}: option {key}={value!r} does not fit: {error}") from None
    for key, field in allowed.items():
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if key not in fields and no_default:
            raise UsageError(f"{name} needs option {key!r} ({_readable(hints[key])})")
    return cls(**given, **fields)


def describe(thing: Any) -> dict[str, Any]:
    """The spec of an object, so that build(kind, describe(thing)) equals it."""
    if hasattr(thing, "describe"):
        return dict(thing.describe())
    name = type(thing).__module__.rsplit(".", 1)[1]
    fields = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing) if f.name != "task"}
    return {"name": name, **{k: describe(v) if _is_part(v) else v for k, v in fields.items()}}


def parts(kind: str, name: str) -> dict[str, str]:
    """The options of an algorithm that take another one, and of which kind."""
    hints = typing.get_type_hints(find(kind, name))
    found = {key: _part_of(hints[key]) for key in options(kind, name)}
    return {key: part for key, part in found.items() if part is not None}


def _part_of(hint: Any) -> str | None:
    """The kind of a part that an option takes, None for plain values."""
    among = typing.get_args(hint) or (hint,)
    return next((_PARTS[h.__name__] for h in among if getattr(h, "__name__", "") in _PARTS), None)


def _is_part(value: Any) -> bool:
    return any(base.__name__ in _PARTS for base in type(value).__mro__)


def label(thing: Any) -> str:
    """The name of an object with the options that are not their defaults: "grouping b=3"."""
    said = []
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        usual = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if field.name != "task" and value != usual:
            shown = label(value) if _is_part(value) else str(value).lower() if isinstance(value, bool) else str(value)
            if _is_part(value):
                said.append(shown)
                continue
            said.append(f"b={shown}" if field.name == "bits" else f"{field.name}={shown}")
    return " ".join([describe(thing)["name"], *said])


def _readable(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) else str(hint)
