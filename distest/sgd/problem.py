"""Problem: a mean loss over rows of data, with gradients of any batch of rows."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.coins import PublicCoins

Vector = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named part of the parameters. shape: of the array that its stretch of x is, row-major."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Coordinates of x it takes."""
        return int(np.prod(self.shape, dtype=np.int64))


class Problem(ABC):
    """Minimise a mean loss over training rows; implementations are frozen dataclasses of plain values.

    The parameters x are one float32 vector, the tensors end to end. Data are loaded on first use and are the same on
    every rank. Gradients of the same x and rows have the same bits wherever they are computed (one thread).
    """

    convex: ClassVar[bool] = False

    @property
    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """The parts of x, in order."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """Number of training rows."""

    @abstractmethod
    def start(self, coins: PublicCoins) -> Vector:
        """The first x, float32 (d,); zeros for convex problems."""

    @abstractmethod
    def gradient(self, x: Vector, rows: Rows) -> Vector:
        """The gradient of the mean loss over some training rows, regulariser included, float32 (d,)."""

    @property
    def l1(self) -> float:
        """Weight of |x|_1 in the objective, the part that is not smooth."""
        return 0.0

    @property
    def l2(self) -> float:
        """Weight of |x|^2 / 2 in the objective."""
        return 0.0

    def smooth_gradient(self, x: Vector, rows: Rows) -> Vector:
        """The gradient without the part of l1 |x|_1, which a proximal step takes care of."""
        return self.gradient(x, rows)

    def data_gradient(self, x: Vector, rows: Rows) -> Vector:
        """The gradient of the mean loss alone, without the parts of l1 and l2."""
        return self.gradient(x, rows)

    @abstractmethod
    def loss(self, x: Vector) -> float:
        """The objective over all training rows, regulariser included."""

    def evaluate(self, x: Vector) -> dict[str, float]:
        """Figures of merit on held-out rows, such as {"accuracy": 0.91}; empty where there are none."""
        return {}

    def labels(self) -> NDArray[np.int64] | None:
        """A label for each training row, int64 (rows,), by which shards may be sorted; None without labels."""
        return None

    def remarks(self) -> list[str]:
        """Sentences for who trains, about what was made of their data."""
        return []

    def optimum(self) -> float | None:
        """The least loss, None where it is not known; computed once and cached on disk where that takes long."""
        return None

    def smoothness(self, rows: Rows) -> float | None:
        """L: the gradient of the mean loss over these rows moves by at most L |x - y| from x to y; None if unknown."""
        return None

    @property
    def d(self) -> int:
        """Coordinates of x."""
        return sum(tensor.size for tensor in self.tensors)
