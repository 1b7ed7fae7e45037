"""Quadratic: half the mean squared distance from points around several centres, for workers who want other things."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError
from distest.sgd import tables
from distest.sgd.problem import Rows, Tensor, Vector
from distest.sgd.problems.base import Floats, Pull, RowSum, at_least


@dataclass(frozen=True)
class Quadratic(RowSum):
    """Mean of |x - a|^2 / 2 over generated rows a, equally many around each of some centres.

    Labels are the numbers of the centres: with as many workers as centres and shards that are sorted, each worker has
    the rows of one, and a gradient of one row has noise of variance noise^2 a coordinate.

    points: rows. columns: d. centres: how many; they are N(0, I), the same for all, plus spread * N(0, I). noise: the
    deviation of rows from their centre. seed: of the generator.
    """

    points: int = 512
    columns: int = 4096
    centres: int = 8
    spread: float = 1.0
    noise: float = 0.25
    seed: int = 0
    convex: ClassVar[bool] = True

    def __post_init__(self) -> None:
        at_least("quadratic", 1, points=self.points, columns=self.columns, centres=self.centres)
        at_least("quadratic", 0, spread=self.spread, noise=self.noise, seed=self.seed)
        if self.points < self.centres:
            raise UsageError(f"every centre has a point: got points={self.points} and centres={self.centres}")

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (Tensor("x", (self.columns,)),)

    @property
    def rows(self) -> int:
        return self.points

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        errors = x - self._table().X[rows]
        return 0.5 * float(np.square(errors).sum(dtype=np.float64)), lambda: errors.sum(axis=0)

    def penalties(self) -> tuple[float, float]:
        return 0.0, 0.0

    def evaluate(self, x: Vector) -> dict[str, float]:
        """The squared distance from the best x, in squares of its length."""
        best = self._best()
        return {"error": float(np.square(x - best).sum() / np.square(best).sum())}

    def labels(self) -> NDArray[np.int64]:
        return self._table().y

    def smoothness(self, rows: Rows) -> float:
        return 1.0

    def optimum(self) -> float:
        """At the mean of all rows."""
        return self.exact(self._best())[0]

    def _best(self) -> NDArray[np.float64]:
        best: NDArray[np.float64] = self._table().X.mean(axis=0, dtype=np.float64)
        return best

    def _table(self) -> tables.Table:
        return tables.clouds(self.points, self.columns, self.centres, self.spread, self.noise, self.seed)
