"""The logistic regression of the GSpar paper on its own generated data."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.sgd import losses, optima, tables
from distest.sgd.problem import Rows, Tensor
from distest.sgd.problems.base import Floats, Pull, RowSum, at_least, features


@dataclass(frozen=True)
class GsparLogistic(RowSum):
    """Mean of log2(1 + exp(-y a.x)) + lambda2 |x|^2 on generated rows with columns of uneven size.

    Rows abar ~ N(0, I), labels y = sign(abar . w) with w ~ N(0, I), features a = abar * beta. The magnitudes beta are
    uniform on [0, 1), and those of at most `threshold` are multiplied by `factor`.
    The paper's C1 (0.6, 0.9) and C2 (1/4, 1/16, 1/64) can be read both ways. threshold=C2, factor=C1 makes six data
    sets that hardly differ in their gradients; threshold=C1, factor=C2 makes them as different as a study of sparsity
    needs.

    points: training rows. columns: d. threshold, factor: as above. lambda2: weight of the squared norm, without a
    half; 1 / (10 points) at the default size. seed: of the generator.

    Source: Wangni, Wang, Liu, Zhang, "Gradient Sparsification for Communication-Efficient Distributed Optimization"
    (2018), experiments.
    """

    points: int = 1024
    columns: int = 2048
    threshold: float = 0.25
    factor: float = 0.6
    lambda2: float = 1 / 10240
    seed: int = 0
    convex: ClassVar[bool] = True

    def __post_init__(self) -> None:
        at_least("gspar_logistic", 1, points=self.points, columns=self.columns)
        at_least("gspar_logistic", 0, threshold=self.threshold, factor=self.factor, lambda2=self.lambda2)
        at_least("gspar_logistic", 0, seed=self.seed)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (Tensor("weights", (self.columns,)),)

    @property
    def rows(self) -> int:
        return self.points

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        table = self._table()
        X, y = features(table, rows, x.dtype), table.y[rows]
        loss, slopes = losses.logistic((X @ x) * y)
        return loss / math.log(2), lambda: (slopes * y / x.dtype.type(math.log(2))) @ X

    def penalties(self) -> tuple[float, float]:
        return 2 * self.lambda2, 0.0

    def labels(self) -> NDArray[np.int64]:
        return self._table().y.astype(np.int64)

    def optimum(self) -> float | None:
        return optima.cached(
            self,
            self._table().digest(),
            lambda: optima.smooth("gspar_logistic", self.exact, self.d, 2 * self.lambda2),
        )

    def _table(self) -> tables.Table:
        return tables.scaled_gaussian(self.points, self.columns, self.threshold, self.factor, self.seed)
