"""Dials: the option of a method by which its bits are set, where a spec leaves it open."""

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from distest import catalog
from distest.spec import Table
from distest.sweep.asked import Case

_KEYS = ("density", "bits", "rank")
_FINE = 1.02  # from one density to the next
_LEAST = 1e-6  # density
_SERVERS = (*range(1, 9), 12, 16, 24, 32, 48, 64)  # bits of a server that a search tries


@dataclass(frozen=True, slots=True)
class Dial:
    """An option that bits grow with. path: of its table in the method, then its key. values: what it may be, rising.
    usual: what it is if nobody says."""

    path: tuple[str, ...]
    values: tuple[float, ...]
    usual: float | None

    @property
    def whole(self) -> bool:
        """Whether it is a number of something."""
        return all(isinstance(value, int) for value in self.values)

    @property
    def name(self) -> str:
        """As in --set."""
        return ".".join(self.path)

    def put(self, part: Table, value: float) -> Table:
        """The protocol or method with this option at a value, named parts made tables."""
        value = int(value) if self.whole else value
        return {**part, self.path[0]: value} if len(self.path) == 1 else _put("method", part, self.path, value)


def dial_of(case: Case) -> Dial | None:
    """The dial of a protocol (its bits) or of a method, of its own or of its compressor; None where none is open."""
    part = case.part
    if case.kind == "learn":
        name = str(part.get("name"))
        takes = "bits" in catalog.options("protocol", name) and "bits" not in part
        return Dial(("bits",), _SERVERS, None) if takes else None
    return next(_dials("method", part, part), None)


def _dials(kind: str, given: Table, whole: Table) -> Iterator[Dial]:
    """given: what the spec says. whole: the same with what is usual, as far as it is known."""
    name = str(whole.get("name"))
    hints = typing.get_type_hints(catalog.find(kind, name))
    options = catalog.options(kind, name)
    for key in _KEYS:
        if key in options and key not in given and not (key == "density" and given.get("k")):
            usual = whole.get(key, options[key].default)
            yield Dial((key,), _values(key, hints[key]), usual if isinstance(usual, int | float) else None)
    for key, what in catalog.parts(kind, name).items():
        if what != "compressor" or key == "down":
            continue
        inner = _given(given.get(key))
        usual = _usual(options[key]) if key not in given else inner
        if usual:
            for dial in _dials(what, inner, usual):
                yield Dial((key, *dial.path), dial.values, dial.usual)


def _given(value: Any) -> Table:
    return {"name": value} if isinstance(value, str) else dict(value or {})


def _usual(option: Any) -> Table:
    """What a part is if nobody says."""
    made = option.default_factory() if callable(option.default_factory) else option.default
    return catalog.describe(made) if hasattr(made, "__dataclass_fields__") else {}


def _values(key: str, hint: Any) -> tuple[float, ...]:
    if key == "density":
        found = [1.0]
        while found[-1] > _LEAST:
            found.append(found[-1] / _FINE)
        return tuple(float(f"{value:.4g}") for value in reversed(found))
    if hint is float:
        return tuple(eighths / 8 for eighths in range(2, 65))
    return tuple(range(1, 65 if key == "rank" else 33))


def _put(kind: str, table: Table, path: tuple[str, ...], value: float) -> Table:
    key, *rest = path
    if not rest:
        return {**table, key: value}
    name = str(table["name"])
    inner = _given(table[key]) if key in table else _usual(catalog.options(kind, name)[key])
    return {**table, key: _put(catalog.parts(kind, name)[key], inner, tuple(rest), value)}
