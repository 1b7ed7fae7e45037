"""RowSum: a problem whose loss is a mean of losses of rows plus l2/2 |x|^2 + l1 |x|_1. What all problems here share.

Keeps the rule that sums over many rows are exact enough: rows are worked off in blocks, float32 inside a block and
float64 between blocks, so that neither accuracy nor memory depends on how many rows a gradient takes.
"""

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.sgd.problem import Problem, Rows, Tensor, Vector
from distest.sgd.tables import Table

Floats = NDArray[np.floating[Any]]
Pull = Callable[[], Floats]


class RowSum(Problem):
    """A problem given by the losses of blocks of rows.

    block: rows worked off at a time. ValueError from `gradient` and `loss`: x that is not float32 (d,), rows that
    are none or outside 0..rows-1.
    """

    block: ClassVar[int] = 4096

    @abstractmethod
    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        """The sum of the losses of a block of rows, and a function that returns its gradient in x, as x's dtype."""

    @abstractmethod
    def penalties(self) -> tuple[float, float]:
        """l2 and l1."""

    def start(self, coins: PublicCoins) -> Vector:
        """Zeros; nets start elsewhere."""
        return np.zeros(self.d, dtype=np.float32)

    def gradient(self, x: Vector, rows: Rows) -> Vector:
        """The gradient of the mean loss over some training rows, regulariser included, float32 (d,)."""
        return self._gradient(x, rows, self.penalties())

    @property
    def l1(self) -> float:
        return self.penalties()[1]

    @property
    def l2(self) -> float:
        return self.penalties()[0]

    def smooth_gradient(self, x: Vector, rows: Rows) -> Vector:
        return self._gradient(x, rows, (self.penalties()[0], 0.0))

    def data_gradient(self, x: Vector, rows: Rows) -> Vector:
        return self._gradient(x, rows, (0.0, 0.0))

    def _gradient(self, x: Vector, rows: Rows, penalties: tuple[float, float]) -> Vector:
        self._check(x)
        if rows.ndim != 1 or not len(rows) or rows.min() < 0 or rows.max() >= self.rows:
            raise ValueError(f"a gradient takes a list of rows out of 0..{self.rows - 1}, got {rows}")
        return self._means(x, rows, penalties)[1].astype(np.float32, copy=False)

    def loss(self, x: Vector) -> float:
        """The objective over all training rows, regulariser included; good to about 1e-7."""
        self._check(x)
        total = math.fsum(self.forward(x, rows)[0] for rows in self._blocks(None))
        return total / self.rows + self._penalty(x)

    def exact(self, x: NDArray[np.float64], rows: Rows | None = None) -> tuple[float, NDArray[np.float64]]:
        """Objective and gradient over some rows, or all, in float64 arithmetic: for optima and tests; slow."""
        value, gradient = self._means(np.asarray(x, dtype=np.float64), rows, self.penalties())
        return value + self._penalty(x), gradient.astype(np.float64, copy=False)

    def _check(self, x: Vector) -> None:
        if x.dtype != np.float32 or x.shape != (self.d,):
            raise ValueError(f"x is float32 ({self.d},), got {x.dtype} {x.shape}")

    def _blocks(self, rows: Rows | None) -> Iterator[Rows | slice]:
        """Blocks of some rows; of all rows in order, as slices, which copy nothing."""
        count = self.rows if rows is None else len(rows)
        for first in range(0, count, self.block):
            last = min(first + self.block, count)
            yield slice(first, last) if rows is None else rows[first:last]

    def _means(self, x: Floats, rows: Rows | None, penalties: tuple[float, float]) -> tuple[float, Floats]:
        """Mean loss without the regulariser, and mean gradient with it, over some rows or all."""
        losses, total = [], None
        for block in self._blocks(rows):
            loss, pull = self.forward(x, block)
            losses.append(loss)
            if total is None:
                total = pull()
            else:
                total = total.astype(np.float64, copy=False)
                total += pull()
        assert total is not None  # there is at least one row
        count = self.rows if rows is None else len(rows)
        total /= count
        l2, l1 = penalties
        if l2:
            total += x.dtype.type(l2) * x
        if l1:
            total += x.dtype.type(l1) * np.sign(x)
        return math.fsum(losses) / count, total

    def _penalty(self, x: Floats) -> float:
        l2, l1 = self.penalties()
        squares = 0.5 * l2 * float(np.square(x).sum(dtype=np.float64)) if l2 else 0.0
        return squares + (l1 * float(np.abs(x).sum(dtype=np.float64)) if l1 else 0.0)


class Margins(RowSum):
    """A linear classifier with two classes: its loss is one of margins y a.x, labels y of -1 and +1."""

    @abstractmethod
    def _table(self) -> Table:
        """The data, once they are loaded."""

    @staticmethod
    @abstractmethod
    def of_margins(margins: Floats) -> tuple[float, Floats]:
        """The sum of the losses of some margins, and their slopes."""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (Tensor("weights", (self._table().X.shape[1],)),)

    @property
    def rows(self) -> int:
        return len(self._table().X)

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        table = self._table()
        X, y = features(table, rows, x.dtype), table.y[rows]
        loss, slopes = self.of_margins((X @ x) * y)
        return loss, lambda: (slopes * y) @ X

    def evaluate(self, x: Vector) -> dict[str, float]:
        table = self._table()
        return accuracy(int(((table.X_test @ x) * table.y_test > 0).sum()), len(table.y_test))

    def labels(self) -> NDArray[np.int64]:
        return self._table().y.astype(np.int64)

    def remarks(self) -> list[str]:
        return list(filter(None, [self._table().remark]))


# ---- pieces for the problems


def features(table: Table, rows: Rows | slice, dtype: np.dtype[Any]) -> Floats:
    """The features of a block of rows in the type of x; a slice of float32 is not copied."""
    chosen: Floats = table.X[rows] if isinstance(rows, slice) else table.X.take(rows, axis=0)
    return chosen.astype(dtype, copy=False)


def parts(tensors: tuple[Tensor, ...], x: Floats) -> list[Floats]:
    """x cut into its tensors, each of its shape; views, so that writing to them writes to x."""
    found, first = [], 0
    for tensor in tensors:
        last = first + math.prod(tensor.shape)
        found.append(x[first:last].reshape(tensor.shape))
        first = last
    return found


def uniform(coins: PublicCoins, shape: tuple[int, ...], limit: float) -> Vector:
    """Numbers uniform on [-limit, limit) in steps of limit / 2^23, float32: the same bits on every machine."""
    words = coins.common(math.prod(shape)) >> np.uint64(40)
    return ((words.astype(np.float32) * np.float32(2.0**-23) - 1) * np.float32(limit)).reshape(shape)


def he_start(coins: PublicCoins, name: str, shape: tuple[int, int]) -> Vector:
    """A layer's first weights (inputs, outputs): uniform with variance 2 / inputs.

    Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers" (2015), equation 10.
    """
    return uniform(coins.fold("start", name), shape, math.sqrt(6 / shape[0]))


def accuracy(right: int, rows: int) -> dict[str, float]:
    """The share of held-out rows that are classified correctly; nothing where nothing is held out."""
    return {"accuracy": right / rows} if rows else {}


def at_least(problem: str, low: float, **options: float) -> None:
    """Raises UsageError for an option that is not a finite number of at least `low`."""
    for option, value in options.items():
        if not (math.isfinite(value) and value >= low):
            raise UsageError(f"{problem}: {option} is a finite number of at least {low:g}, got {value!r}")


def only_with(problem: Problem, data: str, made: str, *options: str) -> None:
    """Raises UsageError where options of generated data are given although the data are not generated."""
    for field in dataclasses.fields(problem):  # type: ignore[arg-type]  # every problem is a dataclass
        if data != made and field.name in options and getattr(problem, field.name) != field.default:
            raise UsageError(f"option {field.name} describes data={made!r} and means nothing with data={data!r}")
