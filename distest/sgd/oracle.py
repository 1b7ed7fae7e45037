"""Oracle: the gradients that workers ask for, counted and checked."""

import numpy as np

from distest.coins import Stream
from distest.errors import DivergedError
from distest.sgd.problem import Problem, Vector
from distest.sgd.shards import Shards


class Oracle:
    """Gradients of minibatches of the workers' shards.

    evaluations: gradients computed on this rank so far. name: of the method, for messages.
    """

    def __init__(self, problem: Problem, shards: Shards, batch: int | None, coins: Stream, name: str):
        self.evaluations = 0
        self._problem, self._shards, self._batch, self._coins, self._name = problem, shards, batch, coins, name

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        """The gradient at x of the batch that a worker looks at in a step, float32 (d,).

        Raises DivergedError where a coordinate is not a finite number.
        """
        self.evaluations += 1
        rows = self._shards.batch(worker, step, self._batch, self._coins)
        gradient = self._problem.gradient(x, rows)
        if not np.isfinite(gradient).all():
            bad = int(np.count_nonzero(~np.isfinite(gradient)))
            raise DivergedError(
                f"{self._name}: the gradient of worker {worker} at step {step} has {bad} of {gradient.size} "
                "coordinates that are no finite numbers; try a smaller --rate"
            )
        return gradient
