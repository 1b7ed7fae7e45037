"""The linear support vector machine."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.sgd import losses, optima, tables
from distest.sgd.problem import Rows, Tensor, Vector
from distest.sgd.problems.base import Floats, Pull, RowSum, accuracy, at_least, features, only_with


@dataclass(frozen=True)
class Hinge(RowSum):
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

    def __post_init__(self) -> None:
        tables.check("hinge", self.data, ("a9a", "ionosphere", "synthetic"))
        at_least("hinge", 0, l2=self.l2, threshold=self.threshold, factor=self.factor, seed=self.seed)
        at_least("hinge", 1, points=self.points, columns=self.columns)
        only_with(self, self.data, "synthetic", "points", "columns", "threshold", "factor", "seed")

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (Tensor("weights", (self._table().X.shape[1],)),)

    @property
    def rows(self) -> int:
        return len(self._table().X)

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        table = self._table()
        X, y = features(table, rows, x.dtype), table.y[rows]
        loss, slopes = losses.hinge((X @ x) * y)
        return loss, lambda: (slopes * y) @ X

    def penalties(self) -> tuple[float, float]:
        return self.l2, 0.0

    def evaluate(self, x: Vector) -> dict[str, float]:
        table = self._table()
        return accuracy(int(((table.X_test @ x) * table.y_test > 0).sum()), len(table.y_test))

    def labels(self) -> NDArray[np.int64]:
        return self._table().y.astype(np.int64)

    def remarks(self) -> list[str]:
        return list(filter(None, [self._table().remark]))

    def optimum(self) -> float | None:
        table = self._table()

        def compute() -> float | None:
            return optima.hinge(table.X.astype(np.float64) * table.y[:, None], self.l2)

        return optima.cached(self, table.digest(), compute)

    def _table(self) -> tables.Table:
        if self.data == "synthetic":
            return tables.scaled_gaussian(self.points, self.columns, self.threshold, self.factor, self.seed)
        return tables.signs(self.data)
