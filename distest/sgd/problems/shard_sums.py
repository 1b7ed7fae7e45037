"""Sums over shards: every worker's loss is the sum over a block of rows that is its own."""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.sgd import losses, optima, tables
from distest.sgd.curvature import largest_eigenvalue
from distest.sgd.problem import Problem, Rows, Tensor, Vector
from distest.sgd.problems.base import Floats, at_least


@dataclass(frozen=True)
class ShardSums(Problem):
    """The mean over blocks m of f_m(x) = sum over the rows of m of loss + l2/2 |x|^2; what LAG and its like minimise.

    A block plays the part of a training row: with as many workers as blocks, shards = "sorted" and batch = 0 worker m
    owns f_m. Features and targets are taken as they are stored; no column of ones, nothing held out.

    data: "abalone", "ionosphere", or a .csv or .npz file, in which `sizes` may say how many rows each block has.
    blocks: their number M; without sizes all have floor(rows / M) consecutive rows. loss_of: "square", half of (a.x -
    y)^2; "logistic", ln(1 + exp(-y a.x)). labels_as, for the logistic loss: "signs" takes the larger of two as +1, the
    other as -1; "raw" takes them as they are, so that rows with label 0 have no gradient. l2: weight of half the
    squared norm, in every f_m.
    """

    data: str = "abalone"
    blocks: int = 9
    loss_of: Literal["square", "logistic"] = "square"
    labels_as: Literal["signs", "raw"] = "signs"
    l2: float = 0.0
    convex: ClassVar[bool] = True

    def __post_init__(self) -> None:
        tables.check("shard_sums", self.data, ("abalone", "ionosphere"))
        at_least("shard_sums", 0, l2=self.l2)
        at_least("shard_sums", 1, blocks=self.blocks)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (Tensor("weights", (self._shards()[0][0].shape[1],)),)

    @property
    def rows(self) -> int:
        return self.blocks

    def start(self, coins: PublicCoins) -> Vector:
        return np.zeros(self.d, np.float32)

    def gradient(self, x: Vector, rows: Rows) -> Vector:
        """The mean of the gradients of some f_m, in the type of x: float64 arithmetic for a float64 x."""
        total = self._slope(x, int(rows[0]))
        for row in rows[1:]:
            total = total + self._slope(x, int(row))
        return total / x.dtype.type(len(rows)) if len(rows) > 1 else total

    def loss(self, x: Vector) -> float:
        return self._value(x.astype(np.float64))

    def labels(self) -> NDArray[np.int64]:
        """The number of each block, so that "sorted" deals block m to worker m."""
        return np.arange(self.blocks)

    def smoothness(self, rows: Rows) -> float:
        shares = {"square": 1.0, "logistic": 0.25}
        each = [largest_eigenvalue(self._shards()[int(row)][0]) for row in rows]
        return shares[self.loss_of] * float(np.mean(each)) + self.l2

    def whole_smoothness(self) -> float:
        """L of the sum of all f_m but for what l2 adds: the largest eigenvalue of X'X, or a quarter of it."""
        stacked = np.concatenate([X for X, _ in self._shards()])
        return largest_eigenvalue(stacked) * (1.0 if self.loss_of == "square" else 0.25)

    def optimum(self) -> float | None:
        if self.loss_of == "logistic":
            return optima.newton(self._exactly, self._curvature, self.d, self.l2)
        X, y = (np.concatenate(parts) for parts in zip(*self._shards(), strict=True))
        roots = np.sqrt(self.blocks * self.l2) * np.eye(self.d)
        best = np.linalg.lstsq(np.concatenate([X, roots]), np.concatenate([y, np.zeros(self.d)]))[0]
        return self._exactly(best)[0]

    def _slope(self, x: Vector, block: int) -> Floats:
        X, y = self._shards(x.dtype.name)[block]
        slopes = X @ x - y if self.loss_of == "square" else losses.logistic((X @ x) * y)[1] * y
        gradient: Floats = X.T @ slopes
        return gradient + x.dtype.type(self.l2) * x if self.l2 else gradient

    def _exactly(self, x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Objective and gradient in float64."""
        gradient = self.gradient(x, np.arange(self.blocks))  # type: ignore[arg-type]  # float64 here
        return self._value(x), np.asarray(gradient, np.float64)

    def _value(self, x: NDArray[np.float64]) -> float:
        """The objective in float64."""
        found = []
        for X, y in self._shards():
            z = X @ x
            found.append(losses.half_square(z - y)[0] if self.loss_of == "square" else losses.logistic(z * y)[0])
        return math.fsum(found) / self.blocks + self.l2 / 2 * float(x @ x)

    def _curvature(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The second derivatives of the logistic loss, float64 (d, d)."""
        total = self.blocks * self.l2 * np.eye(self.d)
        for X, y in self._shards():
            slopes = -losses.logistic((X @ x) * y)[1]
            total += (X * (y * y * slopes * (1 - slopes))[:, None]).T @ X
        return total / self.blocks

    def _shards(self, dtype: str = "float64") -> list[tuple[NDArray[Any], NDArray[Any]]]:
        signs = self.loss_of == "logistic" and self.labels_as == "signs"
        return _cut(self.data, self.blocks, signs, dtype)


@lru_cache(maxsize=8)
def _cut(data: str, blocks: int, signs: bool, dtype: str) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Features and targets of each block."""
    X, y, ends = tables.blocks(data, blocks)
    if signs:
        found = np.unique(y[: ends[-1]])
        if len(found) != 2:
            raise UsageError(f"{data}: two labels are needed, such as 0 and 1, and there are {len(found)}")
        y = np.where(y == found[1], 1.0, -1.0)
    spans = [slice(a, b) for a, b in itertools.pairwise(ends)]
    return [(np.ascontiguousarray(X[span], dtype), np.ascontiguousarray(y[span], dtype)) for span in spans]
