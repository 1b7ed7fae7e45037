"""What is stated about a problem of learning: every lower bound, every promise, and which of them bind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from analysis.bounds.applicable import Model
from analysis.bounds.bound import Bound
from distest import promises
from distest.candidates import Problem
from distest.errors import UsageError, require
from distest.learning.task import Family, Loss, Task

if TYPE_CHECKING:
    import pandas as pd

LOSSES: tuple[Loss, ...] = ("l2", "l1")


@dataclass(frozen=True, slots=True)
class Bounds(Sequence[Bound]):
    """Bounds of one problem, those of l2 first. binding: each with whether it is the largest lower bound at finite
    size, or the smallest promise, of its loss."""

    binding: tuple[tuple[Bound, bool], ...]

    @classmethod
    def of(
        cls,
        n: int,
        m: int,
        s: int,
        bits: int | None,
        total_bits: float | None,
        error: float | None,
        loss: Literal["l2", "l1", "both"],
        model: Model,
        family: Family,
        support: int | None,
        pieces: int | None,
    ) -> Bounds:
        """Everything stated for the problem; with an error, the bits it needs. UsageError where that makes no sense."""
        found: list[tuple[Bound, bool]] = []
        try:
            for kind in LOSSES:
                if loss in (kind, "both"):
                    task = Task(n, m, s, kind)
                    found += _bounds(Problem(task, family, bits, total_bits, support, pieces, model == "SMP"), error)
        except ValueError as fault:
            raise UsageError(str(fault)) from None
        return cls(tuple(found))

    def __len__(self) -> int:
        return len(self.binding)

    def __iter__(self) -> Iterator[Bound]:
        return (bound for bound, _ in self.binding)

    def __getitem__(self, place: Any) -> Any:
        return [*self][place]

    def rows(self) -> list[dict[str, Any]]:
        """A row a bound: name, kind, value, unit, regime, formula, constants, source, ..., and whether it binds."""
        return [{**bound.describe(), "binds": binds} for bound, binds in self.binding]

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a DataFrame. Raises UsageError without pandas."""
        require("to_pandas", "pandas")
        import pandas as pd

        return pd.DataFrame(self.rows())


def _bounds(problem: Problem, error: float | None) -> list[tuple[Bound, bool]]:
    lower = promises.provable(problem, error)
    upper = [] if error is not None else promises.promised(problem)
    finite = [bound for bound in lower if bound.holds_at_finite_size]
    binding = [max(finite, key=lambda b: b.value)] if finite and error is None else []
    binding += [min(upper, key=lambda b: b.value)] if upper else []
    return [(bound, any(bound is one for one in binding)) for bound in (*lower, *upper)]
