"""What a bound says about itself: the number together with everything needed to judge it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["lower", "risk"]
Loss = Literal["l1", "l2_squared"]
Sense = Literal["bayesian", "worst case", "exact", "asymptotic"]
Unit = Literal["bits", "l1", "l2_squared", "nmse"]

BAYES_RATIO = (
    "yes, if error and bits are both averaged over this prior (same n_sub, D and a), or both are the "
    "supremum over p; mean bits must include every announced length, flag and coin, and the comparison "
    "must allow for the Monte Carlo error of what was measured"
)
GRIDS = 64
"""How many grids of priors are kept, so that the bounds along a curve make each once."""
LIMIT_RATIO = "no: a limit without a remainder term, it shows the shape and is not a bound at finite size"


@dataclass(frozen=True, slots=True)
class Bound:
    """A proved number about a class of distributions, with its conditions, constants and source.

    name: number of the proposition in docs/bounds.md, then a readable title ("6.2 total bits, ...").
    problem: the class of p and the loss, in words.
    model: the strongest communication model in which it holds (what holds on a blackboard holds
        for simultaneous messages too).
    sense: "bayesian" (an average over a stated prior, hence also the worst case), "worst case"
        (a supremum over p), "exact" (equality for one protocol at one p) or "asymptotic" (a limit).
    regime: the conditions in words.
    kind: "lower" (no protocol does better) or "risk" (what one protocol attains).
    formula: the formula as text; constants: the numbers put into it for this value.
    source: a citation, or the section of docs/bounds.md with the derivation.
    value, unit: the number, in "bits", or as E||ph - p||_1 ("l1"), or as E||ph - p||_2^2 ("l2_squared"), or as
        E||error||^2 / E||x||^2 of vectors ("nmse").
    ratio_ok: whether measured / provable may be formed, and under which prior.
    """

    name: str
    problem: str
    model: str
    sense: Sense
    regime: str
    kind: Kind
    formula: str
    constants: Mapping[str, float]
    source: str
    value: float
    unit: Unit
    ratio_ok: str

    def __post_init__(self) -> None:
        if math.isnan(self.value) or self.value < 0:
            raise ValueError(f"bound {self.name} must be a number of at least 0, got {self.value}")

    @property
    def number(self) -> str:
        """The number of the proposition, for example "6.2"."""
        return self.name.split(" ", 1)[0]

    @property
    def holds_at_finite_size(self) -> bool:
        """False for limits, which must never be divided into a measurement."""
        return self.sense != "asymptotic"

    def describe(self) -> dict[str, object]:
        """Return all fields as plain JSON values (an infinite value becomes the string "inf")."""
        return {
            "name": self.name,
            "problem": self.problem,
            "model": self.model,
            "sense": self.sense,
            "regime": self.regime,
            "kind": self.kind,
            "formula": self.formula,
            "constants": {key: _plain(number) for key, number in self.constants.items()},
            "source": self.source,
            "value": _plain(self.value),
            "unit": self.unit,
            "ratio_ok": self.ratio_ok,
        }


def _plain(number: float) -> float | str:
    return float(number) if math.isfinite(number) else "inf"


def check_sizes(n: int, m: int | None = None, s: int = 1, bits_per_server: int | None = None) -> None:
    """Refuse sizes for which no statement is made: n >= 2, m >= 1, s >= 1, b >= 1."""
    if n < 2:
        raise ValueError(f"a bound needs a domain of at least 2 symbols, got n={n}")
    if m is not None and m < 1:
        raise ValueError(f"a bound needs at least one server, got m={m}")
    if s < 1:
        raise ValueError(f"a bound needs at least one sample per server, got s={s}")
    if bits_per_server is not None and bits_per_server < 1:
        raise ValueError(f"a server that speaks has at least one bit, got bits_per_server={bits_per_server}")
