"""Merge: a histogram with few pieces near the estimate."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from distest.errors import UsageError
from distest.learning.estimators.base import Estimator
from distest.learning.fitting import merging
from distest.learning.fitting.cells import cells_of
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol


@dataclass(frozen=True, slots=True)
class Merge(Estimator):
    """At most 2 ceil((1 + 1/d) pieces) + 1 intervals, flat inside, that fit almost as well as the best `pieces` do.

    pieces: 1 <= pieces <= n. loss "l2": the l2 distance to the estimate is at most sqrt(1 + d) that of the best.
    loss "l1": intervals are merged by the largest discrepancy inside. d: in 0.01..100; a larger one gives fewer
    intervals. Neighbours with equal values are one cell to begin with, so a long stretch of zeros costs nothing.

    Source: Acharya, Diakonikolas, Hegde, Li, Schmidt (2015), l2; Acharya, Diakonikolas, Li, Schmidt (2017), l1.
    """

    pieces: int
    loss: Literal["l1", "l2"] = "l2"
    d: float = 1.0

    def __post_init__(self) -> None:
        if self.pieces < 1 or not 0.01 <= self.d <= 100:
            raise UsageError(
                f"estimator 'merge' takes pieces >= 1 and 0.01 <= d <= 100, got pieces={self.pieces}, d={self.d}"
            )

    def check(self, protocol: Protocol[Any]) -> None:
        if self.pieces > protocol.task.n:
            raise UsageError(
                f"a histogram on n={protocol.task.n} symbols has at most {protocol.task.n} pieces, got "
                f"pieces={self.pieces}"
            )

    def apply(self, estimate: Pmf, protocol: Protocol[Any]) -> Pmf:
        edges = np.concatenate(([0], np.flatnonzero(np.diff(estimate)) + 1, [estimate.size]))
        cells = cells_of(edges.tolist())
        masses = cells.masses(estimate)
        merged = (merging.l2 if self.loss == "l2" else merging.l1)(cells, masses, self.pieces, self.d)
        return merged.spread(merging.total(cells, masses, merged) / merged.widths)
