"""Exchange: how W workers come to know the mean of their vectors."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.link import Link
from distest.sgd.problem import Vector

Own = Callable[[int], Vector]
Sent = Callable[[int, Vector], None]


class Exchange(ABC):
    """Implementations are frozen dataclasses of plain values. Sums are taken in worker order, on every rank alike."""

    @abstractmethod
    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent) -> Vector:
        """The mean of what the workers' messages say, float32 (d,), the same bits on every rank.

        own(worker): the vector of a worker that lives here; asked for once, while the worker speaks. sent(worker,
        vector): told what the message of a worker that lives here says, for its memory.
        """


def in_order(rows: dict[int, Vector], d: int) -> Vector:
    """The mean of the vectors of workers 0, 1, ..., added up in float64 in this order, float32 (d,)."""
    total = np.zeros(d, np.float64)
    for worker in sorted(rows):
        total += rows[worker]
    return (total / max(1, len(rows))).astype(np.float32)
