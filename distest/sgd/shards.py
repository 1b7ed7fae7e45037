"""Shards: which training rows each worker owns, and which of them it looks at in a step.

Keeps the rule that a batch is a function of (coins, worker, step) and of nothing else: no worker keeps a place in a
list, any rank can say what any worker looked at, and a run is the same on any number of ranks.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from distest.coins import PublicCoins, Stream, below
from distest.errors import UsageError, unknown
from distest.sgd.problem import Problem, Rows

Deal = Literal["iid", "sorted"]


@dataclass(frozen=True, slots=True, eq=False)
class Shards:
    """Rows of a problem dealt to workers; shard sizes differ by at most one.

    order: int64 (rows,), read-only, all rows, those of worker 0 first. workers: W >= 1.
    """

    order: Rows
    workers: int

    def rows(self, worker: int) -> Rows:
        """The rows that a worker owns, int64. UsageError if there is no such worker."""
        if not 0 <= worker < self.workers:
            raise UsageError(f"workers are numbered 0..{self.workers - 1}, got {worker}")
        first, last = (len(self.order) * place // self.workers for place in (worker, worker + 1))
        return self.order[first:last]

    def batch(self, worker: int, step: int, size: int | None, coins: Stream) -> Rows:
        """The rows that a worker looks at in a step, int64 (size,), drawn from its shard with replacement.

        size: None or 0 is the whole shard, in its order. Each row has the same chance within 2^-32. UsageError for
        no such worker or a negative size.
        """
        own = self.rows(worker)
        if not size:
            return own
        if size < 0:
            raise UsageError(f"a batch has a positive number of rows, or 0 for the whole shard, got {size}")
        words = coins.fold("batch", step).words(range(worker, worker + 1), size)[0]
        return own[below(words, len(own))]


def deal(problem: Problem, workers: int, how: Deal, coins: PublicCoins) -> Shards:
    """Deal the rows of a problem to workers.

    how: "iid", in an order that the public coins choose; "sorted", by label, ties in the order of the rows, so that a
    worker sees few labels. UsageError: more workers than rows, or "sorted" for a problem without labels.
    """
    if not 1 <= workers <= problem.rows:
        raise UsageError(f"{problem.rows} training rows can be dealt to 1..{problem.rows} workers, got {workers}")
    if how == "iid":
        order = np.argsort(coins.fold("shards").common(problem.rows), kind="stable")
    elif how == "sorted":
        labels = problem.labels()
        if labels is None:
            raise UsageError("the rows of this problem have no labels to be sorted by; deal them 'iid'")
        order = np.argsort(labels, kind="stable")
    else:
        raise UsageError(unknown("way to deal rows", how, get_args(Deal)))
    order = order.astype(np.int64, copy=False)
    order.flags.writeable = False
    return Shards(order, workers)
