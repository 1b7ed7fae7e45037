"""Block refinement, l1: half of the servers count blocks of symbols, the other half says what is inside them."""

import math
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
from distest.wire.channel import Tally


@dataclass(frozen=True)
class BlockRefinement(RefereeProtocol):
    """For 2 <= s < n samples a server: one-bit counts of t <= s blocks, and samples inside blocks. No coins.

    Blocks have 2^l - 1 symbols, l = ceil(log2(n/s + 1)). The first half of the servers sends min(bits, t) one-bit
    reports on block masses, as `dense_counts` on t symbols. The others send c = min(floor(bits/l), s) frames of l
    bits, exactly; frames go round the blocks evenly. A frame is the server's first sample in its block, 1 + its place,
    or 0; a server with h frames about one block cuts its samples in h parts. The estimate of x is the block's
    mass times the share of x in the frames that name something; it need not sum to 1.

    l1 error of order sqrt(n log(n/s + 1)/(m bits) + n/(m s)), which is best up to the log for s >= n/2^bits, where s
    samples cost no more than log(n/s) bits. Risk known to first order, for many frames a block.

    bits: l..n. Raises UsageError for fewer bits (s < n/(2^bits - 1): nothing here helps, use `full_sample` or the
    protocols of one sample), for s = 1, for s >= n, and where a block would not be asked every question.

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
        count = self._counting(servers.parties)
        counting = Servers(servers.parties[:count], servers.samples[:count])
        framing = Servers(servers.parties[count:], servers.samples[count:])
        plan = self.plan
        return Messages.join([plan.say_masses(counting), plan.say_frames(framing, plan.even)])

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        """Reports that said 1 by block and question, then frames that named each symbol."""
        count, plan = self._counting(speakers), self.plan
        ones = plan.masses.tally(reader, speakers[:count])
        return np.concatenate((ones.ravel(), plan.hear_frames(reader, speakers[count:], plan.even)))

    def decide(self, tally: Tally) -> Pmf:
        n = self.task.n
        return self.plan.estimate(tally[:-n].reshape(self.plan.blocks, -1), tally[-n:])

    def risk(self, pmf: Pmf) -> Risk:
        each = self.plan.variances(pmf, self.plan.even)
        l1 = math.sqrt(2 / math.pi) * float(np.sqrt(each).sum())
        return Risk(float(each.sum()), l1, exact=False, note="first order, for many frames a block")

    def payload_bits(self, pmf: Pmf) -> float:
        return self.plan.payload_bits()

    def bits_per_server(self) -> int:
        return self.plan.bits_max()

    def _counting(self, parties: range) -> int:
        """How many of a range of servers report on block masses: the first ones."""
        return len(range(parties.start, min(parties.stop, self.plan.counting), parties.step))
