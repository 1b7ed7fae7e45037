"""A net with one hidden layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.coins import PublicCoins
from distest.sgd import losses, tables
from distest.sgd.problem import Rows, Tensor, Vector
from distest.sgd.problems.base import Floats, Pull, RowSum, accuracy, at_least, features, he_start, parts


@dataclass(frozen=True)
class Mlp(RowSum):
    """Mean cross-entropy in nats of a net with one hidden layer of rectifiers + l2/2 |x|^2; clothes by default.

    Weights start uniform with He's variance, biases at 0. l2 weighs all of x, biases too.

    data: "fashion14" (6,000 training rows, 10 classes, d = 13,258), or a .csv or .npz file.
    hidden: width of the hidden layer. l2: weight of half the squared norm (weight decay).
    """

    data: str = "fashion14"
    hidden: int = 64
    l2: float = 1e-4

    def __post_init__(self) -> None:
        tables.check("mlp", self.data, ("fashion14",))
        at_least("mlp", 1, hidden=self.hidden)
        at_least("mlp", 0, l2=self.l2)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        table, hidden = self._table(), self.hidden
        return (
            Tensor("weights1", (table.X.shape[1], hidden)),
            Tensor("biases1", (hidden,)),
            Tensor("weights2", (hidden, table.kinds)),
            Tensor("biases2", (table.kinds,)),
        )

    @property
    def rows(self) -> int:
        return len(self._table().X)

    def start(self, coins: PublicCoins) -> Vector:
        x = super().start(coins)
        weights1, _, weights2, _ = parts(self.tensors, x)
        weights1[:] = he_start(coins, "weights1", weights1.shape)
        weights2[:] = he_start(coins, "weights2", weights2.shape)
        return x

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        table = self._table()
        weights1, biases1, weights2, biases2 = parts(self.tensors, x)
        X = features(table, rows, x.dtype)
        hidden = np.maximum(X @ weights1 + biases1, 0)
        loss, slopes = losses.cross_entropy(hidden @ weights2 + biases2, table.y[rows])

        def pull() -> Floats:
            gradient = np.empty_like(x)
            to_weights1, to_biases1, to_weights2, to_biases2 = parts(self.tensors, gradient)
            np.matmul(hidden.T, slopes, out=to_weights2)
            np.sum(slopes, axis=0, out=to_biases2)
            inner = slopes @ weights2.T
            inner *= hidden > 0
            np.matmul(X.T, inner, out=to_weights1)
            np.sum(inner, axis=0, out=to_biases1)
            return gradient

        return loss, pull

    def penalties(self) -> tuple[float, float]:
        return self.l2, 0.0

    def evaluate(self, x: Vector) -> dict[str, float]:
        table = self._table()
        weights1, biases1, weights2, biases2 = parts(self.tensors, x)
        scores = np.maximum(table.X_test @ weights1 + biases1, 0) @ weights2 + biases2
        return accuracy(int((scores.argmax(axis=1) == table.y_test).sum()), len(table.y_test))

    def labels(self) -> NDArray[np.int64]:
        return self._table().y

    def _table(self) -> tables.Table:
        return tables.classes(self.data, ones=False)
