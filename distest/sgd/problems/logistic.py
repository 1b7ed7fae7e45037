"""Logistic regression with two classes."""

from dataclasses import dataclass, replace
from typing import ClassVar

from distest.sgd import losses, optima, tables
from distest.sgd.curvature import largest_eigenvalue
from distest.sgd.problem import Rows
from distest.sgd.problems.base import Margins, at_least


@dataclass(frozen=True)
class Logistic(Margins):
    """Mean of ln(1 + exp(-y a.x)) + l2/2 |x|^2 + l1 |x|_1, labels y of -1 and +1; a9a by default.

    The features a end in a constant 1, regularised like the rest. Of two labels such as {0, 1} or {1, 2} the larger
    is +1. With l1 > 0, `gradient` is the subgradient that takes sign(0) = 0.

    data: "a9a" (26,048 training rows, d = 124), "ionosphere" (280, d = 35), or a .csv or .npz file.
    l2: weight of half the squared norm. l1: weight of the sum of magnitudes.
    """

    data: str = "a9a"
    l2: float = 1e-3
    l1: float = 0.0
    convex: ClassVar[bool] = True
    of_margins = staticmethod(losses.logistic)

    def __post_init__(self) -> None:
        tables.check("logistic", self.data, ("a9a", "ionosphere"))
        at_least("logistic", 0, l2=self.l2, l1=self.l1)

    def penalties(self) -> tuple[float, float]:
        return self.l2, self.l1

    def smoothness(self, rows: Rows) -> float:
        return largest_eigenvalue(self._table().X[rows]) / 4 / len(rows) + self.l2

    def optimum(self) -> float | None:
        smooth = replace(self, l1=0.0)
        return optima.cached(
            self,
            self._table().digest(),
            lambda: optima.smooth("logistic", smooth.exact, self.d, self.l2, self.l1),
        )

    def _table(self) -> tables.Table:
        return tables.signs(self.data)
