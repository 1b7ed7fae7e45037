"""Block refinement, l1: half of the servers count blocks of symbols, the other half says what is inside them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.learning.fitting import refinement
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Loss
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class BlockRefinement(RefereeProtocol):
    """For 2 <= s < n samples a server: one-bit counts of t <= s blocks, and samples inside blocks. No coins.

    Blocks have 2^l - 1 symbols, l = ceil(log2(n/s + 1)). The first half of the servers sends min(bits, t) one-bit
    reports on block masses, as `dense_counts` on t symbols. The others send c = min(floor(bits/l), s) frames of l
    bits, exactly; frames go round the blocks evenly. A frame is the server's first sample in its block, 1 + its place,
    or 0; a server with h frames about one block cuts its samples in h parts. The estimate of x is the block's
    mass times the share of x in the frames that name something; it need not sum to 1.

    Where bits < l, half of the servers send one frame each about blocks of 2^bits - 1 symbols, and the other half does
    the same with these blocks for symbols, and so on until bits are enough.

    l1 error of order sqrt(n log(n/s + 1)/(m bits) + n/(m s)) for s >= n/2^bits, n/sqrt(m s 2^bits) for s below,
    which is best up to logs. Risk known to first order, for many frames a block.

    bits: 2..n. Raises UsageError for s = 1, for s >= n, and where a block would not be asked every question.

    Source: Yuan, Guo, Huang, "Refinement methods for distributed distribution estimation under l_p losses" (2025);
    first-order risk: docs/bounds.md, T5.
    """

    bits: int
    losses: ClassVar[tuple[Loss, ...]] = ("l1",)
    source: ClassVar[str] = "Yuan, Guo, Huang 2025; docs/bounds.md T5"

    def __post_init__(self) -> None:
        self.plan.require("block_refinement")

    @property
    def plan(self) -> refinement.Refinement:
        """Blocks and frames."""
        return refinement.Refinement(self.task, self.bits)

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        plan = self.plan
        first, *rest = (Servers(servers.parties[at], servers.samples[at]) for at in self._shares(servers.parties))
        frames = [plan.say_frames(share, k, plan.tiers[k].even) for k, share in enumerate(rest)]
        return Messages.join([plan.say_masses(first), *frames])

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        """Reports that said 1 by block and question, then frames that named each symbol, tier by tier."""
        plan = self.plan
        first, *rest = (speakers[at] for at in self._shares(speakers))
        ones = plan.hear_masses(reader, first)
        return np.concatenate(
            (ones, *(tier.tally(reader, share, tier.even) for tier, share in zip(plan.tiers, rest, strict=True)))
        )

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        plan = self.plan
        if party < plan.counting:
            plan.fields_of_masses(message, party)
            return
        tier = next(k for k, tier in enumerate(plan.tiers) if party in tier.servers)
        plan.fields_of_frames(message, party, tier, plan.tiers[tier].even)

    def decide(self, tally: Tally) -> Pmf:
        plan = self.plan
        named = [tier.n for tier in plan.tiers]
        ones, *counts = np.split(tally, tally.size - np.cumsum(named[::-1])[::-1])
        return plan.estimate(ones, counts)

    def risk(self, pmf: Pmf) -> Risk:
        return self.plan.risk(pmf, follow=False)

    def payload_bits(self, pmf: Pmf) -> float:
        return self.plan.payload_bits()

    def bits_per_server(self) -> int:
        return self.plan.bits_max()

    def _shares(self, parties: range) -> list[slice]:
        """Where in a range of servers those are that count, and those of each tier; these come after each other."""
        ends = [self.plan.counting, *(tier.servers.stop for tier in self.plan.tiers)]
        places = [len(range(parties.start, min(parties.stop, end), parties.step)) for end in ends]
        return [slice(a, b) for a, b in zip([0, *places[:-1]], places, strict=True)]
