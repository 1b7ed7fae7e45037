"""Least squares and ridge regression."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError
from distest.sgd import losses, tables
from distest.sgd.curvature import largest_eigenvalue
from distest.sgd.problem import Rows, Tensor, Vector
from distest.sgd.problems.base import Floats, Pull, RowSum, at_least, features, only_with


@dataclass(frozen=True)
class LeastSquares(RowSum):
    """Half the mean of (a.x - y)^2 + l2/2 |x|^2; targets y of mean 0 and deviation 1; abalone by default.

    The features a of real data end in a constant 1, regularised like the rest. Labels, by which shards may be
    sorted, are the ranks of the targets.

    data: "abalone" (3,341 training rows, d = 9), "synthetic" (below), or a .csv or .npz file. l2: weight of half the
    squared norm; 0 is plain least squares.
    "synthetic" makes `points` rows of `columns` features and targets a.w + noise * N(0, 1), w ~ N(0, I / columns),
    where the eigenvalues of A'A / points fall geometrically from 1 to 1 / condition along random directions; `seed`
    draws it.
    """

    data: str = "abalone"
    l2: float = 1e-3
    points: int = 1024
    columns: int = 64
    condition: float = 100.0
    noise: float = 0.1
    seed: int = 0
    convex: ClassVar[bool] = True

    def __post_init__(self) -> None:
        tables.check("least_squares", self.data, ("abalone", "synthetic"))
        at_least("least_squares", 0, l2=self.l2, noise=self.noise, seed=self.seed)
        at_least("least_squares", 1, points=self.points, columns=self.columns, condition=self.condition)
        if self.points < self.columns:
            raise UsageError(
                "least_squares: a given condition takes at least as many points as columns, "
                f"got points={self.points} and columns={self.columns}"
            )
        only_with(self, self.data, "synthetic", "points", "columns", "condition", "noise", "seed")

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (Tensor("weights", (self._table().X.shape[1],)),)

    @property
    def rows(self) -> int:
        return len(self._table().X)

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        table = self._table()
        X = features(table, rows, x.dtype)
        loss, slopes = losses.half_square(X @ x - table.y[rows])
        return loss, lambda: slopes @ X

    def penalties(self) -> tuple[float, float]:
        return self.l2, 0.0

    def evaluate(self, x: Vector) -> dict[str, float]:
        """R2 on the held-out rows: 1 - squared error over squared deviation from their own mean."""
        table = self._table()
        y = table.y_test.astype(np.float64)
        if not len(y) or not y.std():
            return {}
        return {"r2": 1 - float(np.square(table.X_test @ x - y).sum() / np.square(y - y.mean()).sum())}

    def smoothness(self, rows: Rows) -> float:
        return largest_eigenvalue(self._table().X[rows]) / len(rows) + self.l2

    def labels(self) -> NDArray[np.int64]:
        return np.unique(self._table().y, return_inverse=True)[1].astype(np.int64)

    def optimum(self) -> float:
        """By a direct solution of the least squares in float64."""
        table = self._table()
        X, y = table.X.astype(np.float64), table.y.astype(np.float64)
        if self.l2:
            gram = X.T @ X / len(X) + self.l2 * np.eye(self.d)
            best = np.linalg.solve(gram, X.T @ y / len(X))
        else:
            best = np.linalg.lstsq(X, y)[0]
        return self.exact(best.astype(np.float64, copy=False))[0]

    def _table(self) -> tables.Table:
        if self.data == "synthetic":
            return tables.spectrum(self.points, self.columns, self.condition, self.noise, self.seed)
        return tables.regression(self.data)
