"""Oracle: the gradients that workers ask for, counted and checked."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from distest.coins import Stream
from distest.errors import DivergedError, UsageError
from distest.sgd.problem import Problem, Rows, Vector
from distest.sgd.shards import Shards


class Gradients(Protocol):
    """Whoever gives a worker a vector to say in a step: its gradient, or what is made of several."""

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        """float32 (d,), finite."""


class Oracle:
    """Gradients of the workers' shards, of minibatches and of all rows.

    evaluations: gradients computed on this rank so far, each counted in batches: one of a batch is 1, one of a whole
    shard as many as the batches it would fill. noisy: whether a step looks at a batch, not at the whole shard. name: of
    the method, for messages.
    """

    def __init__(self, problem: Problem, shards: Shards, batch: int | None, coins: Stream, name: str):
        self.evaluations = 0
        self.noisy = batch is not None
        self._problem, self._shards, self._batch, self._coins, self._name = problem, shards, batch, coins, name

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        """The gradient at x of the batch that a worker looks at in a step, float32 (d,); of the same rows for every x.

        Raises DivergedError where a coordinate is not a finite number.
        """
        self.evaluations += 1
        return self._of(self._problem.gradient, self._rows(worker, step), worker, x, step)

    def smooth(self, worker: int, x: Vector, step: int) -> Vector:
        """As `gradient`, without the part of l1 |x|_1."""
        self.evaluations += 1
        return self._of(self._problem.smooth_gradient, self._rows(worker, step), worker, x, step)

    def data(self, worker: int, x: Vector, step: int) -> Vector:
        """As `gradient`, without the parts of l1 |x|_1 and l2/2 |x|^2."""
        self.evaluations += 1
        return self._of(self._problem.data_gradient, self._rows(worker, step), worker, x, step)

    def whole(self, worker: int, x: Vector, step: int) -> Vector:
        """The gradient at x of all rows of a worker's shard, float32 (d,). Raises as `gradient` does.

        step: for messages.
        """
        rows = self._shards.rows(worker)
        self.evaluations += -(-rows.size // (self._batch or rows.size))
        return self._of(self._problem.gradient, rows, worker, x, step)

    def smooth_part(self, worker: int, x: Vector, step: int) -> Vector:
        """What the smooth part of the objective over a worker's shard gives to the gradient of that over all rows.

        As `whole` without the part of l1 |x|_1, times the shard's size in mean shards: the plain mean over workers is
        the gradient over all rows.
        """
        rows = self._shards.rows(worker)
        self.evaluations += -(-rows.size // (self._batch or rows.size))
        share = rows.size * self._shards.workers / len(self._shards.order)
        return np.float32(share) * self._of(self._problem.smooth_gradient, rows, worker, x, step)

    def asked(self, worker: int, x: Vector, step: int, number: int) -> Vector:
        """As `smooth`, for the number-th time that a worker is asked in a step, of other rows each time."""
        self.evaluations += 1
        rows = self._shards.batch(worker, step, self._batch, self._coins.fold("asked", number))
        return self._of(self._problem.smooth_gradient, rows, worker, x, step)

    def _rows(self, worker: int, step: int) -> Rows:
        return self._shards.batch(worker, step, self._batch, self._coins)

    def _of(self, found: Callable[[Vector, Rows], Vector], rows: Rows, worker: int, x: Vector, step: int) -> Vector:
        gradient = found(x, rows)
        if not np.isfinite(gradient).all():
            bad = int(np.count_nonzero(~np.isfinite(gradient)))
            raise DivergedError(
                f"{self._name}: the gradient of worker {worker} at step {step} has {bad} of {gradient.size} "
                "coordinates that are no finite numbers; try a smaller --rate"
            )
        return gradient

    def smoothness(self, worker: int) -> float:
        """How much the gradient of a worker's whole shard may change by unit of length, a bound.

        Raises UsageError where the problem does not know.
        """
        return smoothness_of(self._name, self._problem, self._shards.rows(worker))


def smoothness_of(name: str, problem: Problem, rows: Rows) -> float:
    """How much the gradient of the mean loss over some rows may change by unit of length, a bound.

    name: of the method that asks. Raises UsageError where the problem does not know.
    """
    bound = problem.smoothness(rows)
    if bound is None:
        raise UsageError(
            f"{name} needs to know how smooth each worker's loss is, and this problem does not say; it is known for "
            "least_squares, logistic, softmax, quadratic and shard_sums"
        )
    return bound
