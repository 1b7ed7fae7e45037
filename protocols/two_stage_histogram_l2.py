"""Two-stage histogram, l2: cells as fine as the risk asks for, about sqrt(k N) of them."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from analysis.bounds import histograms
from distest.errors import UsageError
from distest.learning.fitting import merging, oblivious
from distest.learning.fitting.two_stages import Stage, TwoStages
from distest.learning.norms import Pmf
from distest.learning.protocol import Risk
from distest.learning.task import Loss


@dataclass(frozen=True)
class TwoStageHistogramL2(TwoStages):
    """For k-histograms in l2: as two_stage_histogram, with cells of mass sqrt(r/k), merged by squared loss. No coins.

    Stage 1: round(first m) servers post their samples whole, s ceil(log2 n) bits each, N1 samples in all. A cell has
    at most max(1, floor(N1 sqrt(r/k))) of them, a symbol with so many is a cell of its own; a cell of mass q with a
    jump inside loses at most q^2. Stage 2: s ceil(log2 L) bits each, L about sqrt(k/r) whatever n. The referee counts
    all N = m s samples by cell and merges to at most 4 pieces + 1 intervals. The squared l2 risk is at most (1 +
    sqrt 2)^2 times ((1 - |p|^2)/N + what the cells lose), so of order 1/N + r for every histogram; `risk` gives it
    with its constants.

    pieces: k, 1..n. first: in 0..1, the share of servers in stage 1. target: r in 0..1, what the cells may cost in
    squared l2; 0 stands for 1/N. Raises UsageError for other values and for m < 2.

    Source: after Diakonikolas, Grigorescu, Li, Natarajan, Onak, Schmidt, "Communication-efficient distributed
    learning of discrete distributions" (2017); merging by Acharya, Diakonikolas, Hegde, Li, Schmidt (2015).
    """

    target: float = 0.0
    name: ClassVar[str] = "two_stage_histogram_l2"
    losses: ClassVar[tuple[Loss, ...]] = ("l2",)
    source: ClassVar[str] = "after Diakonikolas et al. 2017; docs/bounds.md S5, H3, H4 (bounds)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.target <= 1:
            raise UsageError(
                f"two_stage_histogram_l2 takes 0 <= target <= 1, a squared l2 error (0: 1/(m s)), got {self.target}"
            )

    @property
    def per_cell(self) -> int:
        """The most samples of stage 1 in a cell, max(1, floor(N1 sqrt(r/k))), found in integers."""
        r = oblivious.exact(self.target) if self.target else Fraction(1, self.task.m * self.task.s)
        return max(
            1, math.isqrt((self.first_servers * self.task.s) ** 2 * r.numerator // (r.denominator * self.pieces))
        )

    def estimate(self, state: Stage) -> Pmf:
        return self.fit(state, merging.l2)

    def risk(self, pmf: Pmf) -> Risk | None:
        jumps = histograms.jumps_of(pmf)
        if jumps >= self.pieces:
            return None
        note = "a bound on squared l2, loose; no formula for l1"
        return Risk(self._bound(jumps, float(np.square(pmf).sum())), exact=False, note=note)

    def worst_risk(self) -> Risk:
        note = f"a bound on squared l2 for every p of {self.pieces} pieces, loose"
        return Risk(self._bound(self.pieces - 1, 1 / self.task.n), exact=False, note=note)

    def _bound(self, jumps: int, square_norm: float) -> float:
        first, second = self.first_servers * self.task.s, (self.task.m - self.first_servers) * self.task.s
        return histograms.two_stage_l2(jumps, first, second, self.per_cell, square_norm)
