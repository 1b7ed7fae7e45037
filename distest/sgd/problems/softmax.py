"""Multinomial logistic regression."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.sgd import losses, optima, tables
from distest.sgd.curvature import largest_eigenvalue
from distest.sgd.problem import Rows, Tensor, Vector
from distest.sgd.problems.base import Floats, Pull, RowSum, accuracy, at_least, features, parts


@dataclass(frozen=True)
class Softmax(RowSum):
    """Mean cross-entropy in nats of softmax(a.X) over K classes + l2/2 |x|^2; pictures of clothes by default.

    The features a end in a constant 1, regularised like the rest; x is one matrix (features, K).

    data: "fashion14" (6,000 training rows, 10 classes, d = 1,970), or a .csv or .npz file.
    l2: weight of half the squared norm. scaled: whether columns of a file are centred and divided by their deviation.
    """

    data: str = "fashion14"
    l2: float = 1e-3
    scaled: bool = True
    convex: ClassVar[bool] = True

    def __post_init__(self) -> None:
        tables.check("softmax", self.data, ("fashion14",))
        at_least("softmax", 0, l2=self.l2)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        table = self._table()
        return (Tensor("weights", (table.X.shape[1], table.kinds)),)

    @property
    def rows(self) -> int:
        return len(self._table().X)

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        table = self._table()
        X = features(table, rows, x.dtype)
        (weights,) = parts(self.tensors, x)
        loss, slopes = losses.cross_entropy(X @ weights, table.y[rows])
        return loss, lambda: (X.T @ slopes).ravel()

    def penalties(self) -> tuple[float, float]:
        return self.l2, 0.0

    def evaluate(self, x: Vector) -> dict[str, float]:
        table = self._table()
        (weights,) = parts(self.tensors, x)
        return accuracy(int(((table.X_test @ weights).argmax(axis=1) == table.y_test).sum()), len(table.y_test))

    def smoothness(self, rows: Rows) -> float:
        """Source: Boehning, "Multinomial logistic regression algorithm" (1992): diag(p) - pp' is at most 1/2."""
        return largest_eigenvalue(self._table().X[rows]) / 2 / len(rows) + self.l2

    def labels(self) -> NDArray[np.int64]:
        return self._table().y

    def optimum(self) -> float | None:
        return optima.cached(
            self, self._table().digest(), lambda: optima.smooth("softmax", self.exact, self.d, self.l2)
        )

    def _table(self) -> tables.Table:
        return tables.classes(self.data, ones=True, scaled=self.scaled)
