"""Monotone cells, l1: every server names the cell of its sample in a partition that suits all laws of a shape."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from analysis.bounds import risks
from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.learning import norms
from distest.learning.fitting import cells, isotonic, oblivious
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Family, Loss
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class MonotoneCells(RefereeProtocol):
    """For monotone p in l1: the cell of each sample, among L cells that everybody knows; flat inside cells. No coins.

    Exactly s ceil(log2 L) bits a server; L is about (2 + ln(n tau))/(2 tau), at most twice that for unimodal p. With
    N = m s samples the l1 error is, on average and for every p of the right shape, at most tau + sqrt((L-1)/N), and
    for any other p at most 2 d more, d its l1 distance to these.

    tau: in 0..1, both excluded; what flattening inside cells may cost. partition: "greedy" takes the fewest cells for
    which this is true; "birge" takes widths floor((1 + tau)^i), almost twice as many, and costs somewhat above tau.
    isotonic: whether the referee takes the nearest law of the shape, which is never farther from a p that has it.
    direction: "falling" (p_0 largest), "rising", or "unimodal": rising on the symbols below `mode`, falling from
    `mode` on, with cells for either side. Raises UsageError for other values and for a mode outside 0..n-1.

    Source: Birgé, "Estimating a density under order restrictions: nonasymptotic minimax risk" (1987); that greedy
    cells are the fewest, and the constants: docs/bounds.md, S1 to S3 and S3b (unimodal).
    """

    tau: float = 0.1
    partition: Literal["greedy", "birge"] = "greedy"
    isotonic: bool = True
    direction: Literal["falling", "rising", "unimodal"] = "falling"
    mode: int = 0
    family: ClassVar[Family] = "monotone"
    losses: ClassVar[tuple[Loss, ...]] = ("l1",)
    source: ClassVar[str] = "Birgé 1987 (order); docs/bounds.md S1 to S3 (greedy cells, constants)"

    def __post_init__(self) -> None:
        if not 0 < self.tau < 1:
            raise UsageError(f"monotone_cells takes 0 < tau < 1, the l1 error of flat cells, got tau={self.tau}")
        if self.partition not in ("greedy", "birge"):
            raise UsageError(f"monotone_cells has partition 'greedy' or 'birge', got {self.partition!r}")
        if self.direction not in ("falling", "rising", "unimodal"):
            raise UsageError(f"monotone_cells has direction 'falling', 'rising' or 'unimodal', got {self.direction!r}")
        isotonic.check_mode(self.direction, self.mode, self.task.n)

    @property
    def grid(self) -> cells.Cells:
        """The partition, the same for servers and referee."""
        left, right = self._sides
        rising = [left.mirrored()] if left else []
        return cells.beside([*rising, *([right] if right else [])])

    @property
    def _sides(self) -> tuple[cells.Cells | None, cells.Cells | None]:
        """The cells of the symbols on which p rises, read from the mode outwards, and of those on which it falls."""
        n = self.task.n
        rises = {"falling": 0, "rising": n, "unimodal": self.mode}[self.direction]
        part = oblivious.greedy if self.partition == "greedy" else oblivious.birge
        tau = oblivious.exact(self.tau)
        return part(rises, tau) if rises else None, part(n - rises, tau) if rises < n else None

    @property
    def _total(self) -> int:
        return self.task.m * self.task.s

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return cells.message(servers, self.grid)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        return cells.tally(reader, speakers, self.task.s, self.grid)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        cells.fields(message, self.task.s, self.grid)

    def decide(self, tally: Tally) -> Pmf:
        return self._fit(tally) / self._total

    def _fit(self, masses: Tally | Pmf) -> Pmf:
        """The estimate of cells with these masses, with the same sum."""
        here, (left, _) = self.grid, self._sides
        if not self.isotonic:
            return here.spread(masses / here.widths)
        return here.spread(isotonic.fit(masses, here.widths, self.direction, len(left) if left else 0))

    def worst_l1(self) -> float:
        """A bound on the expected l1 error that holds for every p of the right shape."""
        flattening = max(float(oblivious.worst_l1(side)) for side in self._sides if side)
        return flattening + math.sqrt((len(self.grid) - 1) / self._total)

    def risk(self, pmf: Pmf) -> Risk:
        """Bounds that hold for this p, monotone or not.

        Flattening and pooling are projections, of which the second is to a cone and neither increases an l1
        distance. So with p' the flat law that the referee would find without noise, the l1 error is at most
        |p - p'|_1 and De Moivre's error of the cell masses. In l2 the flat functions are a subspace, so
        what flattening costs adds up to the rest in squares; without pooling that is the exact risk.
        """
        here = self.grid
        masses = here.masses(pmf)
        flat, fitted = here.spread(masses / here.widths), self._fit(masses)
        l1 = norms.l1(fitted, pmf) + risks.empirical_l1(masses, self._total)
        noise = float((masses * (1 - masses) / here.widths).sum()) / self._total
        away = math.sqrt(norms.l2_squared(fitted, flat))
        l2 = norms.l2_squared(flat, pmf) + (math.sqrt(max(0.0, noise)) + away) ** 2
        squared = "bounds on l1 and l2" if self.isotonic else "exact for l2, a bound on l1"
        worst = f"l1 at most {self.worst_l1():.6g} for every {self.direction} p"
        return Risk(l2, l1, exact=False, note=f"{squared}; {worst}, tau + sqrt((L-1)/N) with L={len(here)}")

    def worst_risk(self) -> Risk:
        return Risk(None, self.worst_l1(), exact=False, note=f"a bound for {self.direction} p, tau + sqrt((L-1)/N)")

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits_per_server()

    def bits_per_server(self) -> int:
        return self.task.s * cells.index_bits(self.grid)
