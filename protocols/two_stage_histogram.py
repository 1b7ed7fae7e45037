"""Two-stage histogram, l1: a few servers show where the mass is, the others name cells of about equal mass."""

import math
from dataclasses import dataclass
from typing import ClassVar

from analysis.bounds import histograms, risks
from distest.errors import UsageError
from distest.learning.fitting import cells, merging
from distest.learning.fitting.two_stages import Stage, TwoStages
from distest.learning.norms import Pmf
from distest.learning.protocol import Risk
from distest.learning.task import Loss


@dataclass(frozen=True)
class TwoStageHistogram(TwoStages):
    """For k-histograms in l1: m1 servers post samples, all cut the domain by them, the others post cells. No coins.

    Stage 1: round(first m) servers post their samples whole, s ceil(log2 n) bits each. Cells are then cut greedily, at
    most per_cell of the N1 samples in each, a symbol with so many being a cell of its own. Stage 2: s ceil(log2 L)
    bits each, L <= 2 N1/per_cell + 1 and mostly N1/per_cell. The referee counts all N = m s samples by cell, merges
    to at most 4 pieces + 1 intervals and is flat inside them. The gain over full samples is at most log n/log L: it
    shows for large n and small N1. Only cells with a jump of p inside lose, at most four times the mass
    (per_cell + 1)/(N1 + 1) each on average; everything else is noise of order sqrt(pieces/N).

    `risk` bounds the l1 error of histograms, safely but loosely: measured errors are many times smaller.

    pieces: k, 1..n. first: in 0..1, the share of servers in stage 1. per_cell: samples of stage 1 in a cell, at
    least 1; fewer lose less at jumps, more save bits. Far more than 4 sqrt(pieces N) cells are too many:
    lower first then. Raises UsageError for other values and for m < 2.

    Source: after Diakonikolas, Grigorescu, Li, Natarajan, Onak, Schmidt, "Communication-efficient distributed
    learning of discrete distributions" (2017); merging by Acharya, Diakonikolas, Li, Schmidt (2017).
    """

    per_cell: int = 4
    name: ClassVar[str] = "two_stage_histogram"
    losses: ClassVar[tuple[Loss, ...]] = ("l1",)
    source: ClassVar[str] = "after Diakonikolas et al. 2017; docs/bounds.md H1 to H4 (bounds)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.per_cell < 1:
            raise UsageError(f"two_stage_histogram has at least one sample a cell, got per_cell={self.per_cell}")

    def estimate(self, state: Stage) -> Pmf:
        return self.fit(state, merging.l1)

    def risk(self, pmf: Pmf) -> Risk | None:
        jumps = histograms.jumps_of(pmf)
        if jumps >= self.pieces:
            return None
        alone = min(2.0, risks.empirical_l1(pmf, self.first_servers * self.task.s))
        return Risk(None, self._bound(jumps, alone), exact=False, note="a bound on l1, loose; no formula for l2")

    def worst_risk(self) -> Risk:
        alone = min(2.0, math.sqrt((self.task.n - 1) / (self.first_servers * self.task.s)))
        bound = self._bound(self.pieces - 1, alone)
        return Risk(None, bound, exact=False, note=f"a bound on l1 for every p of {self.pieces} pieces, loose")

    def _bound(self, jumps: int, alone: float) -> float:
        first, second = self.first_servers * self.task.s, (self.task.m - self.first_servers) * self.task.s
        most = cells.most(first, self.per_cell, self.task.n)
        return histograms.two_stage_l1(self.pieces, jumps, first, second, most, self.per_cell, alone)
