"""The linear support vector machine."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.sgd import losses, optima, tables
from distest.sgd.problems.base import Margins, at_least, only_with


@dataclass(frozen=True)
class Hinge(Margins):
    """Mean of max(0, 1 - y a.x) + l2/2 |x|^2, labels y of -1 and +1; not smooth, at a corner the slope is 0.

    data: "a9a" (26,048 training rows, d = 124), "ionosphere" (280, d = 35), "synthetic" (below), or a .csv or .npz
    file. l2: weight of half the squared norm.
    "synthetic" is the GSpar generator: `points` Gaussian rows with signs of a random plane, whose `columns` are then
    multiplied by uniform numbers, those of at most `threshold` by `factor` too; `seed` draws it. With 51,200 points,
    256 columns, threshold 0.9 and factor 0.01 it is that paper's set for asynchronous machines.

    Source of the generator: Wangni, Wang, Liu, Zhang, "Gradient Sparsification for Communication-Efficient
    Distributed Optimization" (2018), experiments.
    """

    data: str = "a9a"
    l2: float = 1e-3
    points: int = 1024
    columns: int = 256
    threshold: float = 0.9
    factor: float = 0.01
    seed: int = 0
    convex: ClassVar[bool] = True
    of_margins = staticmethod(losses.hinge)

    def __post_init__(self) -> None:
        tables.check("hinge", self.data, ("a9a", "ionosphere", "synthetic"))
        at_least("hinge", 0, l2=self.l2, threshold=self.threshold, factor=self.factor, seed=self.seed)
        at_least("hinge", 1, points=self.points, columns=self.columns)
        only_with(self, self.data, "synthetic", "points", "columns", "threshold", "factor", "seed")

    def penalties(self) -> tuple[float, float]:
        return self.l2, 0.0

    def optimum(self) -> float | None:
        table = self._table()

        def compute() -> float | None:
            return optima.hinge(table.X.astype(np.float64) * table.y[:, None], self.l2)

        return optima.cached(self, table.digest(), compute)

    def _table(self) -> tables.Table:
        if self.data == "synthetic":
            return tables.scaled_gaussian(self.points, self.columns, self.threshold, self.factor, self.seed)
        return tables.signs(self.data)
