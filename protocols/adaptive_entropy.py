"""Adaptive entropy coding: servers speak in turn, in a Huffman code built from what was said before."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.codecs.huffman import Huffman
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.learning.fitting import all_samples
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Model, Tally
from distest.wire.turn import Turn


@dataclass(frozen=True)
class Said:
    """What the board says so far. heard: servers that have spoken. counts: int64 (n,), their samples."""

    heard: int
    counts: Tally

    @cached_property
    def code(self) -> Huffman:
        """The code of the next epoch: best for the weights 2 N_x + 1, ties broken by symbol."""
        return Huffman.from_weights(2 * self.counts + 1)


@dataclass(frozen=True)
class AdaptiveEntropy(Protocol[Said]):
    """Servers speak once each, in epochs; an epoch uses the canonical Huffman code of the counts before it. No coins.

    After t servers the next epoch has max(1, floor(growth t)) of them, so the code is recomputed O(log m /
    growth) times. Its weights 2 N_x + 1 (a pseudo-count of 1/2) are integers everyone reads off the board:
    recomputing it costs no bit.
    growth = 0 gives every server a turn of its own, and takes a Huffman tree for each: for small m only.

    Bits: never below 1 a sample; between N H(p) and N (H(p) + 1) plus the price of learning p, about
    ((n-1)/2) log2 N for growth 0 and a factor of up to 1 + growth more otherwise. At uniform p nothing is
    gained over truncated binary codes. The estimate is the empirical law of all N = m s samples: squared l2
    risk (1 - |p|^2)/N, exact.

    growth: 0 to 1.

    Source: Krichevsky and Trofimov, "The performance of universal encoding" (1981), the weights; Gallager,
    "Variations on a theme by Huffman" (1978), adaptive Huffman codes.
    """

    growth: float = 0.25
    model: ClassVar[Model] = "one-way"
    source: ClassVar[str] = "Krichevsky, Trofimov 1981; Gallager 1978"

    def __post_init__(self) -> None:
        if not 0 <= self.growth <= 1:
            raise UsageError(f"adaptive_entropy has a growth from 0 to 1, got {self.growth}")

    def start(self) -> Said:
        return Said(0, np.zeros(self.task.n, np.int64))

    def next_turn(self, round: int, state: Said) -> Turn | None:
        if state.heard == self.task.m:
            return None
        last = min(self.task.m, state.heard + max(1, int(self.growth * state.heard)))
        return Turn(round, range(state.heard, last), "board")

    def speak(self, servers: Servers, state: Said, coins: Coins) -> Words | Messages:
        return state.code.pack(servers.samples)

    def hear(self, speakers: range, reader: BitReader, state: Said, coins: PublicCoins) -> Tally:
        samples = state.code.decode(reader, (len(speakers), self.task.s))
        return np.bincount(samples.ravel(), minlength=self.task.n)

    def fields(self, party: int, message: Watch, state: Said, coins: PublicCoins) -> None:
        message.take("sample", state.code, self.task.s)

    def fold(self, state: Said, tally: Tally) -> Said:
        return Said(state.heard + int(tally.sum()) // self.task.s, state.counts + tally)

    def estimate(self, state: Said) -> Pmf:
        return state.counts / (self.task.m * self.task.s)

    def risk(self, pmf: Pmf) -> Risk:
        return all_samples.risk(self.task, pmf)

    def worst_risk(self) -> Risk:
        return all_samples.worst_risk(self.task)
