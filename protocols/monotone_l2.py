"""Monotone cells, l2: as many bits as the error asks for, whatever the size of the domain."""

from dataclasses import dataclass
from typing import ClassVar

from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.learning import norms
from distest.learning.fitting import cells, oblivious
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Family, Loss
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class MonotoneL2(RefereeProtocol):
    """For falling p in l2: the cell of each sample, among about 1/eps cells that everybody knows. No coins.

    Exactly s ceil(log2 L) bits a server. A cell from x on has max(1, floor(4 eps^2 (x+1)^2)) symbols, so L is about
    1.1/eps whatever n. The estimate is flat inside cells. With N = m s samples its squared l2 risk is, exactly and
    for every p, |p - p'|^2 + sum_j q_j (1 - q_j)/(N w_j), p' being p flattened, q_j and w_j masses and widths; for
    falling p the first term is at most eps^2, the second below 1/N.

    eps: in 0..1/2, 0 excluded; what flattening may cost in l2, squares not taken. Raises UsageError otherwise.

    Source: ours; docs/bounds.md, S1 and S4.
    """

    eps: float = 0.05
    family: ClassVar[Family] = "monotone"
    losses: ClassVar[tuple[Loss, ...]] = ("l2",)
    source: ClassVar[str] = "docs/bounds.md S4 (exact)"

    def __post_init__(self) -> None:
        if not 0 < self.eps <= 0.5:
            raise UsageError(f"monotone_l2 takes 0 < eps <= 1/2, the l2 error of flat cells, got eps={self.eps}")

    @property
    def grid(self) -> cells.Cells:
        """The partition, the same for servers and referee."""
        return oblivious.l2_cells(self.task.n, oblivious.exact(self.eps))

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return cells.message(servers, self.grid)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        return cells.tally(reader, speakers, self.task.s, self.grid)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        cells.fields(message, self.task.s, self.grid)

    def decide(self, tally: Tally) -> Pmf:
        return self.grid.spread(tally / self.grid.widths) / (self.task.m * self.task.s)

    def worst_l2_squared(self) -> float:
        """A bound on the squared l2 risk that holds for every falling p."""
        return float(oblivious.worst_l2_squared(self.grid)) + 1 / (self.task.m * self.task.s)

    def risk(self, pmf: Pmf) -> Risk:
        here, total = self.grid, self.task.m * self.task.s
        masses = here.masses(pmf)
        bias = norms.l2_squared(here.spread(masses / here.widths), pmf)
        noise = float((masses * (1 - masses) / here.widths).sum()) / total
        worst = f"l2_squared at most {self.worst_l2_squared():.6g} for every falling p"
        return Risk(bias + noise, note=f"{worst}; no formula for l1")

    def worst_risk(self) -> Risk:
        return Risk(self.worst_l2_squared(), exact=False, note="a bound for falling p")

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits_per_server()

    def bits_per_server(self) -> int:
        return self.task.s * cells.index_bits(self.grid)
