"""A residual net of fully connected layers."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.coins import PublicCoins
from distest.sgd import losses, tables
from distest.sgd.problem import Rows, Tensor, Vector
from distest.sgd.problems.base import Floats, Pull, RowSum, accuracy, at_least, features, he_start, parts


@dataclass(frozen=True)
class Residual(RowSum):
    """Mean cross-entropy in nats of a residual net without convolutions and without batch-norm + l2/2 |x|^2.

    One layer of rectifiers, then `depth` branches h <- h + W' max(0, W h + b) + b', then a linear layer. It stands in
    for the residual nets of the literature, which are convolutional; having no batch-norm, all that it learns is in
    its gradients. Instead of batch-norm the start holds the branches still: W has He's variance over sqrt(depth),
    W' is 0. l2 weighs all of x, biases too.

    data: "fashion14" (6,000 training rows, 10 classes, d = 125,578), or a .csv or .npz file.
    width: of the hidden layers. depth: number of branches. l2: weight of half the squared norm (weight decay).

    The start is after Zhang, Dauphin, Ma, "Fixup Initialization: Residual Learning Without Normalization" (2019).
    """

    data: str = "fashion14"
    width: int = 128
    depth: int = 3
    l2: float = 1e-4

    def __post_init__(self) -> None:
        tables.check("residual", self.data, ("fashion14",))
        at_least("residual", 1, width=self.width, depth=self.depth)
        at_least("residual", 0, l2=self.l2)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        table, width = self._table(), self.width
        found = [Tensor("in.weights", (table.X.shape[1], width)), Tensor("in.biases", (width,))]
        for branch in range(self.depth):
            for layer in ("a", "b"):
                found.append(Tensor(f"{branch}{layer}.weights", (width, width)))
                found.append(Tensor(f"{branch}{layer}.biases", (width,)))
        return (*found, Tensor("out.weights", (width, table.kinds)), Tensor("out.biases", (table.kinds,)))

    @property
    def rows(self) -> int:
        return len(self._table().X)

    def start(self, coins: PublicCoins) -> Vector:
        x = super().start(coins)
        for tensor, part in zip(self.tensors, parts(self.tensors, x), strict=True):
            if tensor.name in ("in.weights", "out.weights"):
                part[:] = he_start(coins, tensor.name, part.shape)
            elif tensor.name.endswith("a.weights"):
                part[:] = he_start(coins, tensor.name, part.shape) / np.float32(math.sqrt(self.depth))
        return x

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        table = self._table()
        X = features(table, rows, x.dtype)
        held, scores = self._layers(x, X)
        loss, slopes = losses.cross_entropy(scores, table.y[rows])
        return loss, lambda: self._back(x, X, held, slopes)

    def penalties(self) -> tuple[float, float]:
        return self.l2, 0.0

    def evaluate(self, x: Vector) -> dict[str, float]:
        table = self._table()
        scores = self._layers(x, table.X_test)[1]
        return accuracy(int((scores.argmax(axis=1) == table.y_test).sum()), len(table.y_test))

    def labels(self) -> NDArray[np.int64]:
        return self._table().y

    def _layers(self, x: Floats, X: Floats) -> tuple[list[Floats], Floats]:
        """What the way back needs, [h0, a0, h1, a1, ..., h_depth], and the scores."""
        first, biases, *inner, last, last_biases = parts(self.tensors, x)
        held = [np.maximum(X @ first + biases, 0)]
        for i in range(0, len(inner), 4):
            weights, biases, back, back_biases = inner[i : i + 4]
            held.append(np.maximum(held[-1] @ weights + biases, 0))
            held.append(held[-2] + held[-1] @ back + back_biases)
        return held, held[-1] @ last + last_biases

    def _back(self, x: Floats, X: Floats, held: list[Floats], slopes: Floats) -> Floats:
        gradient = np.empty_like(x)
        weights, to = parts(self.tensors, x), parts(self.tensors, gradient)

        def layer(place: int, inputs: Floats, after: Floats) -> None:
            np.matmul(inputs.T, after, out=to[place])
            np.sum(after, axis=0, out=to[place + 1])

        layer(len(to) - 2, held[-1], slopes)
        flow = slopes @ weights[-2].T
        for branch in reversed(range(self.depth)):
            place, h, a = 2 + 4 * branch, held[2 * branch], held[2 * branch + 1]
            layer(place + 2, a, flow)
            inner = flow @ weights[place + 2].T
            inner *= a > 0
            layer(place, h, inner)
            flow = flow + inner @ weights[place].T
        flow *= held[0] > 0
        layer(0, X, flow)
        return gradient

    def _table(self) -> tables.Table:
        return tables.classes(self.data, ones=False)
