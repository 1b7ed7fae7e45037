"""Full sample: every server sends all its samples. The baseline that nothing beats on unstructured p."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from analysis.bounds import risks, worst
from distest.bits import BitReader, Messages, Words
from distest.codecs.base import Codec
from distest.codecs.block import Block
from distest.codecs.fixed import Fixed
from distest.codecs.truncated_binary import TruncatedBinary
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.learning.fitting import all_samples
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers, within
from distest.watch import Watch
from distest.wire.channel import Tally

_CODES: dict[str, type[Fixed] | type[TruncatedBinary] | type[Block]]
_CODES = {"fixed": Fixed, "truncated": TruncatedBinary, "block": Block}


@dataclass(frozen=True)
class FullSample(RefereeProtocol):
    """The s samples of a server, verbatim, in order; N = m s samples in all. No coins.

    code "fixed": s ceil(log2 n) bits a server. "truncated": ceil(log2 n) - 1 or ceil(log2 n) bits a sample,
    the shorter for the first 2^ceil(log2 n) - n symbols, so at most log2 n + 0.0861 on average for a uniform
    sample. "block": each 64 samples as one number to the base n, ceil(64 log2 n) bits.
    estimator "empirical": N_x / N, squared l2 risk (1 - |p|^2)/N and the l1 risk of De Moivre, both exact.
    "minimax": (N_x + sqrt(N)/n)/(N + sqrt(N)), squared l2 risk (1 - 1/n)/(sqrt(N) + 1)^2 for every p, the
    least worst case.

    Source: De Moivre (1730); Steinhaus, "The problem of estimation" (1957), minimax; that sending all cannot
    be beaten: Diakonikolas, Grigorescu, Li, Natarajan, Onak, Schmidt, "Communication-efficient distributed
    learning of discrete distributions" (2017).
    """

    code: Literal["fixed", "truncated", "block"] = "fixed"
    estimator: Literal["empirical", "minimax"] = "empirical"
    source: ClassVar[str] = "folklore; docs/bounds.md (exact)"

    def __post_init__(self) -> None:
        if self.code not in _CODES:
            raise UsageError(f"full_sample has code {', '.join(map(repr, _CODES))}, got {self.code!r}")
        if self.estimator not in ("empirical", "minimax"):
            raise UsageError(f"full_sample has estimator 'empirical' or 'minimax', got {self.estimator!r}")

    def codec(self) -> Codec:
        """The code of the samples."""
        return _CODES[self.code](self.task.n)

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return self.codec().pack(within(servers.samples, self.task.n))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        code, shape = self.codec(), (len(speakers), self.task.s)
        if isinstance(code, Fixed):
            return code.count(reader, shape)
        return np.bincount(code.decode(reader, shape).ravel(), minlength=self.task.n)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        message.take("sample", self.codec(), self.task.s)

    def decide(self, tally: Tally) -> Pmf:
        total = self.task.m * self.task.s
        if self.estimator == "empirical":
            return tally / total
        pull = math.sqrt(total)
        return np.asarray((tally + pull / self.task.n) / (total + pull), np.float64)

    def risk(self, pmf: Pmf) -> Risk:
        if self.estimator == "minimax":
            return Risk(risks.minimax_l2(self.task.n, self.task.m * self.task.s), note="no formula for l1")
        return all_samples.risk(self.task, pmf)

    def worst_risk(self) -> Risk:
        if self.estimator == "empirical":
            return all_samples.worst_risk(self.task)
        l2 = risks.minimax_l2(self.task.n, self.task.m * self.task.s)
        return Risk(l2, worst.l1_at_most(self.task.n, l2), exact=False, note="l2 exact, at every p; l1 a bound")

    def payload_bits(self, pmf: Pmf) -> float:
        if self.code == "truncated":
            each = self.codec().n_bits(np.arange(self.task.n)[:, None])[:, 0]
            return self.task.m * self.task.s * float(each @ pmf)
        return self.task.m * self._bits_max()

    def bits_per_server(self) -> int:
        return self._bits_max()

    def _bits_max(self) -> int:
        longest = np.full((1, self.task.s), self.task.n - 1)
        return int(self.codec().n_bits(longest).sum())
