"""Full sample: every server sends all its samples. The baseline that nothing beats on unstructured p."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.codecs.base import Codec
from distest.codecs.fixed import Fixed
from distest.coins import Coins, PublicCoins
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol
from distest.learning.servers import Servers
from distest.wire.channel import Tally


@dataclass(frozen=True)
class FullSample(RefereeProtocol):
    """The samples of a server, verbatim; the estimate is the empirical law.

    Source: folklore; that it cannot be beaten: Diakonikolas, Grigorescu, Li, Natarajan, Onak, Schmidt,
    "Communication-efficient distributed learning of discrete distributions" (2017).
    """

    code: Literal["fixed"] = "fixed"
    source: ClassVar[str] = "folklore"

    def codec(self) -> Codec:
        """The code of the samples."""
        return Fixed(self.task.n)

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return self.codec().encode(servers.samples.astype(np.int64))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        samples = self.codec().decode(reader, (len(speakers), self.task.s))
        return np.bincount(samples.ravel(), minlength=self.task.n)

    def decide(self, tally: Tally) -> Pmf:
        return tally / (self.task.m * self.task.s)
