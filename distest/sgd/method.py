"""Method: one way to train; how gradients become steps."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.coins import Coins
from distest.sgd.compressor import CoinUse
from distest.sgd.link import Link
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.sgd.theory import Smoothness, none

Knobs = Mapping[str, Sequence[Any]]
Total = Callable[[NDArray[np.int64]], NDArray[np.int64]]


class Method(ABC):
    """Implementations are frozen dataclasses of plain values and parts (compressors, exchanges).

    A round asks for gradients only while a worker speaks. So a replay of the kept bits, in which nobody speaks,
    finds the same x without a single gradient.

    knobs: options that are worth tuning beside the rate, one or two, and values to try.
    coin_use: whether a reader needs public coins, for more than its compressors and its exchange do.
    """

    source: ClassVar[str]
    knobs: ClassVar[Knobs] = {}
    coin_use: ClassVar[CoinUse] = "none"

    def check(self, problem: Problem, workers: int) -> None:
        """Raise UsageError where this cannot train the problem with so many workers."""
        return

    def check_rule(self, rule: Rule) -> None:
        """Raise UsageError where a rule asks for what this has no place for, such as momentum."""
        return

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        """The largest constant step size for which a theorem promises that this converges, with gradients of whole
        shards; the class says which one. Raises UsageError where there is none."""
        raise none(type(self).__module__.rsplit(".", 1)[1], "no theorem is known here that names one in L alone")

    def looked_at(self, rows: int, workers: int, batch: int) -> int:
        """Rows of data that all workers look at together in a step, of so many; batch: 0 for whole shards."""
        return workers * batch or rows

    def fast(self) -> "Method | None":
        """The same with sums by MPI itself in place of messages; None where workers say more than whole vectors."""
        return None

    def warnings(self, problem: Problem, workers: int) -> list[str]:
        """Sentences for who trains this problem with so many workers, where theory knows better; for what `check`
        lets pass. A round gives others to the state."""
        return []

    def figures(self, state: State, total: Total) -> dict[str, Any]:
        """What a record keeps of a run beside what all runs have; that of the server's rank counts. total: adds an
        array up over all ranks, which all take part."""
        return {}

    def seen(self, state: State, link: Link) -> Vector:
        """The model as it is now, float32 (d,), on the server's rank, for who measures a run from outside.

        All ranks take part. Where workers have models of their own, it is off the books.
        """
        return state.x

    def finish(self, state: State, link: Link, coins: Coins) -> None:
        """What is said after the last step, in a replay as well, so that the server has the model as its x."""
        return

    @abstractmethod
    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        """One step of all workers; changes the state. oracle: None in a replay."""
